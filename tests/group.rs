//! Consumer groups with the programs that people have: kcat, kafka-python, Apache's own tools.

use std::time::Duration;

use rustix::process::Signal;

use crate::harness::{Broker, Cmd, Kaw, Running, Version, found, free_port, kafka_python, until};

/// Sessions as short as a broker lets them be, so that who is killed is missed soon.
const SHORT: [&str; 4] = ["-X", "session.timeout.ms=6000", "-X", "heartbeat.interval.ms=300"];

/// A member of `g` that reads `t` from the beginning, and prints partition and value.
fn kcat(kaw: &Kaw, address: &str) -> Option<Cmd> {
    let kcat = found("kcat")?;
    let kcat = kaw.tool(kcat.to_str().unwrap()).args(["-b", address, "-u", "-G", "g", "t"]);
    Some(kcat.args(["-f", "%p %s\n", "-X", "auto.offset.reset=earliest"]).args(SHORT))
}

/// How many rebalances a member was told of, and how many partitions it has now.
fn assigned(err: &str) -> (usize, usize) {
    let assignments: Vec<&str> = err.lines().filter(|line| line.contains("assigned: ")).collect();
    (assignments.len(), assignments.last().map_or(0, |line| line.matches("t [").count()))
}

fn has(member: &Running, partitions: usize) -> usize {
    member.until(&format!("{partitions} partitions assigned"), |_, err| {
        let (rebalances, has) = assigned(err);
        (has == partitions).then_some(rebalances)
    })
}

/// One record into each of the four partitions.
fn produce(kaw: &Kaw, broker: &Broker, value: &str) {
    for partition in 0..4 {
        let line = format!("produce t -p {partition} -b {}", broker.address);
        kaw.cmd(&line).stdin(format!("{value}\n")).run().ok();
    }
}

fn sees(members: &[&Running], value: &str) {
    until(&format!("{value} from every partition"), || {
        let seen = members.iter().map(|member| member.until("", |out, _| Some(out.to_owned())));
        let seen: String = seen.collect();
        (0..4).all(|partition| seen.contains(&format!("{partition} {value}\n"))).then_some(())
    });
}

it!(two_members_share_a_topic_and_one_that_is_killed_is_missed, |kaw| {
    let broker = kaw.broker("--topic t:4");
    let Some(cmd) = kcat(kaw, &broker.address) else { return };
    let first = cmd.start();
    has(&first, 4);
    produce(kaw, &broker, "alone");
    sees(&[&first], "alone");
    let second = kcat(kaw, &broker.address).unwrap().start();
    has(&second, 2);
    has(&first, 2);
    produce(kaw, &broker, "shared");
    sees(&[&first, &second], "shared");
    first.signal(rustix::process::Signal::KILL);
    has(&second, 4);
    produce(kaw, &broker, "left");
    sees(&[&second], "left");
    // One that leaves says so: the group is empty at once, not when its session ends.
    second.signal(rustix::process::Signal::INT);
    second.done().ok();
    let groups = kaw.ok(&format!("group list -J -b {}", broker.address));
    assert!(groups.contains(r#""group":"g","state":"Empty""#), "{groups}");
    broker.stop();
});

it!(members_go_on_where_the_broker_was_restarted, |kaw| {
    let address = format!("127.0.0.1:{}", free_port());
    let broker = kaw.broker_at(&address, "--topic t:4");
    let reader = kaw.cmd(&format!("consume -b {address} -g g t -u")).args(["-f", "%p %s\n"]);
    let reader = reader.start();
    produce(kaw, &broker, "before");
    sees(&[&reader], "before");
    // A new id would tell of a new membership.
    let member = || {
        let shown = kaw.ok(&format!("group describe g -J -b {address}"));
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(shown["state"], "Stable");
        shown["members"].to_string()
    };
    let settled = member();
    broker.stop();
    let broker = kaw.broker_at(&address, "");
    produce(kaw, &broker, "after");
    sees(&[&reader], "after");
    assert_eq!(member(), settled, "a restart is no reason to join again");
    broker.kill();
    let broker = kaw.broker_at(&address, "");
    produce(kaw, &broker, "again");
    sees(&[&reader], "again");
    assert_eq!(member(), settled, "neither is a crash");
    broker.stop();
});

it!(static_members_come_back_without_a_rebalance, |kaw| {
    let broker = kaw.broker("--topic t:4");
    let member = |name: &str| {
        let instance = format!("group.instance.id={name}");
        Some(kcat(kaw, &broker.address)?.args(["-X", &instance]).start())
    };
    let Some(first) = member("first") else { return };
    has(&first, 4);
    let second = member("second").unwrap();
    has(&second, 2);
    let before = has(&first, 2);
    produce(kaw, &broker, "one");
    sees(&[&first, &second], "one");
    second.signal(rustix::process::Signal::KILL);
    let second = member("second").unwrap();
    has(&second, 2);
    produce(kaw, &broker, "two");
    sees(&[&first, &second], "two");
    assert_eq!(has(&first, 2), before, "the first was disturbed");
    broker.stop();
});

/// A group's consumer as in every tutorial, until it has read what it is told to.
const PYTHON: &str = "
import sys
from kafka import KafkaConsumer, KafkaProducer
wanted, start = int(sys.argv[1]), int(sys.argv[2])
producer = KafkaProducer(bootstrap_servers='ADDRESS')
for i in range(start, start + wanted):
    producer.send('numbers', str(i).encode()).get(timeout=30)
consumer = KafkaConsumer('numbers', bootstrap_servers='ADDRESS', group_id='tutorial',
                         auto_offset_reset='earliest')
seen = []
for message in consumer:
    seen.append(int(message.value))
    if len(seen) == wanted:
        break
consumer.close()
print(seen == list(range(start, start + wanted)))
";

it!(a_tutorials_group_in_python_reads_on_where_it_was, |kaw| {
    for version in [Version::Newest, Version::Old] {
        let Some(python) = kafka_python(version) else { continue };
        let broker = kaw.broker("--ephemeral");
        for start in ["0", "10"] {
            let program = PYTHON.replace("ADDRESS", &broker.address);
            let python = kaw.tool(python.to_str().unwrap()).arg("-c").arg(program);
            python.args(["10", start]).run().ok().prints("True\n");
        }
        broker.stop();
    }
});

const CONSOLE: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";

it!(apaches_tools_see_the_same_groups_here_as_at_home, |kaw| {
    let broker = kaw.broker("");
    let Some(ours) = seen_by_apache(kaw, &broker.address) else { return };
    broker.stop();
    let Some(apache) = kaw.apache() else { return };
    let theirs = seen_by_apache(kaw, &apache.address).unwrap();
    apache.stop();
    assert_eq!(ours, theirs);
});

/// What the tools print of a group of a live consumer and of one that is gone; ids that are random
/// are left out.
fn seen_by_apache(kaw: &Kaw, address: &str) -> Option<String> {
    let tool = |class: &str, line: &str| {
        let tool = kaw.apache_tool(class)?.args(["--bootstrap-server", address]);
        Some(tool.args(line.split_whitespace()).within(Duration::from_secs(120)))
    };
    let classic = "--topic t --from-beginning --consumer-property group.protocol=classic";
    let mut consumer = tool(CONSOLE, &format!("--group gone --max-messages 3 {classic}"))?;
    kaw.ok(&format!("topic create t -p 2 -b {address}"));
    kaw.sh(&format!("seq 1 3 | kaw produce t -p 1 -b {address}")).run().ok();
    let mut all = consumer.run().ok().out();
    consumer = tool(CONSOLE, &format!("--group live {classic}"))?;
    let live = consumer.start();
    live.until_out("3\n");
    let ask = |line: &str| tool(GROUPS, line).map(|tool| tool.run().ok().out());
    let settled = until("what the live one committed", || {
        let shown = ask("--describe --group live")?;
        (shown.matches(" 3 ").count() == 2).then_some(shown)
    });
    all.push_str(&settled);
    for line in [
        "--list",
        "--list --state",
        "--list --type classic",
        "--describe --group gone",
        "--describe --group live --members --verbose",
        "--describe --group live --state",
        "--describe --group gone --state",
    ] {
        all.push_str(&format!("$ {line}\n{}", ask(line)?));
    }
    Some(masked(&all, address))
}

/// Tables without random ids and the widths that follow from them, rows sorted.
fn masked(text: &str, address: &str) -> String {
    let words = |line: &str| {
        let words = line.split_whitespace().map(|word| match word.len() {
            48.. if word.starts_with("console-consumer-") => "MEMBER",
            _ => word,
        });
        words.collect::<Vec<_>>().join(" ").replace(address, "BROKER")
    };
    let mut lines: Vec<String> = text.lines().map(words).collect();
    lines.iter_mut().for_each(|line| {
        let node = line.find("(").zip(line.find(")"));
        if let Some((from, to)) = node {
            line.replace_range(from..=to, "(node)");
        }
    });
    lines.join("\n")
}

it!(a_new_group_begins_where_it_is_told_and_goes_on_from_its_commits, |kaw| {
    kaw.cmd("produce t").stdin("1\n2\n3\n4\n5\n").run().ok();
    assert_eq!(kaw.ok("consume -g g -c 2 t"), "1\n2\n");
    assert_eq!(kaw.ok("consume -g g --no-commit -e t"), "3\n4\n5\n");
    assert_eq!(kaw.ok("consume -g g -e t"), "3\n4\n5\n");
    assert_eq!(kaw.ok("consume -g g -e t"), "");
    assert_eq!(kaw.ok("consume -g other -o -1 -e t"), "5\n");
    assert_eq!(kaw.ok("consume -g third -o end -e t"), "");
    assert_eq!(kaw.ok("consume -e t -o stored -X group.id=g"), "");
    let line = kaw.cmd("consume -g g -o 1..2 t").run().fails(2);
    assert!(line.contains("with -g it says only where to begin"), "{line}");
    let line = kaw.cmd("consume -g g nothing").run().fails(1);
    assert_eq!(
        line,
        "kaw: topic 'nothing' does not exist; create it with `kaw topic create nothing`"
    );
    kaw.cmd("consume -g g -p 0 t").run().fails(2);
    kaw.cmd("consume --no-commit t").run().fails(2);
});

it!(what_could_not_be_printed_is_not_committed, |kaw| {
    kaw.sh("seq 1 20000 | kaw produce t").run().ok();
    for end in ["", "-J", "-u", "-c 10", "-e"] {
        let full = kaw.sh(&format!("kaw consume t -g 'g{end}' {end} >/dev/full")).run().code(1);
        assert!(full.err().contains("No space left on device"), "{full}");
        let again = kaw.ok(&format!("consume t -g 'g{end}' -c 1"));
        assert_eq!(again, "1\n", "after {end}");
    }
    // What a reader took before it went is not told apart from what it left: it comes again.
    kaw.sh("kaw consume t -g head -e | head -n 5").run().ok();
    assert_eq!(kaw.ok("consume t -g head -c 1"), "1\n");
    // What was printed before stays committed.
    kaw.ok("consume t -g some -c 7");
    kaw.sh("kaw consume t -g some -e >/dev/full").run().code(1);
    assert_eq!(kaw.ok("consume t -g some -c 1"), "8\n");
});

it!(a_group_that_gives_nothing_for_long_is_told_of, |kaw| {
    kaw.ok("topic create t");
    let reader = kaw.cmd("consume t -g g -X group.protocol=consumer").start();
    reader.until_err("kaw: group 'g' has given it no partitions yet; still waiting");
    reader.signal(Signal::INT);
    reader.done().code(130);
});

it!(groups_are_listed_described_reset_and_deleted, |kaw| {
    kaw.ok("topic create t -p 2");
    kaw.cmd("produce t -p 0").stdin("1\n2\n3\n").run().ok();
    kaw.ok("consume -g g -c 2 t");
    assert_eq!(kaw.ok("group list"), "g\n");
    assert_eq!(kaw.ok("group list --detailed"), "GROUP  STATE  TYPE\ng      Empty  Classic\n");
    assert_eq!(kaw.ok("group list no"), "");
    assert_eq!(
        kaw.ok("group describe g --lag-only"),
        "GROUP  TOPIC  PARTITION  COMMITTED  END  LAG\n\
         g      t              0          2    3    1\n"
    );
    let dry = kaw.cmd("group reset g --to start --dry-run").run().ok();
    let other = "g: a partition of t has no commit and stays so; --topic t resets all of it";
    let done = "kaw: nothing was changed (--dry-run)\n";
    assert_eq!(dry.err(), format!("kaw: {other}\n{done}"));
    assert_eq!(kaw.cmd("group reset g --to start --dry-run -q").run().ok().err(), done);
    let table = "GROUP  TOPIC  PARTITION  FROM  TO  LAG\ng      t              0     2   0    3\n";
    assert_eq!(dry.out(), table);
    assert_eq!(kaw.ok("group reset g --to start"), table);
    assert_eq!(
        kaw.ok("group reset g --to end --topic t:1 -J"),
        "{\"group\":\"g\",\"topic\":\"t\",\"partition\":1,\"from\":null,\"to\":0,\"lag\":0}\n"
    );
    // With a commit in each there is no other.
    assert_eq!(kaw.cmd("group reset g --to start").run().ok().err(), "");
    let member = kaw.cmd("consume -g g t -u").start();
    member.until_out("1\n2\n3\n");
    let line = kaw.cmd("group reset g --to start").run().fails(1);
    assert!(line.contains("group 'g' is Stable and has a member; stop them first"), "{line}");
    let line = kaw.cmd("group delete g").run().fails(1);
    assert_eq!(line, "kaw: group 'g' has members; stop them first");
    let json = kaw.ok("group describe g -J");
    assert!(json.contains(r#""state":"Stable""#) && json.contains(r#""client":"kaw""#), "{json}");
    member.signal(rustix::process::Signal::INT);
    member.done().code(130);
    assert_eq!(kaw.ok("group delete g"), "g deleted\n");
    let line = kaw.cmd("group delete g").run().fails(1);
    assert_eq!(line, "kaw: group 'g' does not exist; --if-exists allows that");
    assert_eq!(kaw.ok("group delete g --if-exists"), "g does not exist\n");
    let line = kaw.cmd("group describe g").run().fails(1);
    assert_eq!(line, "kaw: group 'g' does not exist; `kaw group list` shows all");
    let line = kaw.cmd("group reset g --to start").run().fails(1);
    assert_eq!(line, "kaw: group 'g' has committed nothing; name topics with --topic");
});
