//! `kaw kcat` beside Debian's kcat: the same words and input to both, on the same broker, and
//! what comes back: stdout byte for byte, exit codes, and kcat's own lines on stderr.
//!
//! Left out of the comparison: librdkafka's own lines, its version and list of features, and the
//! member id in a group's lines. Without `-b` the two differ on purpose.
//! Never knows: what kcat's output should be; kcat itself says that.

mod ends;
mod mock;
mod tables;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::harness::{Cmd, Done, Kaw, PROGRAM, found, words};
use tables::{READ, Table, USAGE, WRITE};

/// A run of kcat waits for most of its time.
const AT_ONCE: usize = 8;
const LIMIT: Duration = Duration::from_secs(45);

/// Who runs.
#[derive(Clone, Copy)]
enum Side {
    Kcat,
    Kaw,
}

/// One run: words in which `$B` is the broker's address, `$D` the test's directory and `$T` a
/// topic of this run's own, and before them variables of the environment.
struct Run<'a> {
    line: String,
    stdin: &'a [u8],
    topic: String,
}

impl Run<'_> {
    fn cmd(&self, kaw: &Kaw, broker: &str, side: Side) -> Cmd {
        let dir = kaw.path("");
        let dir = dir.to_string_lossy();
        let line = self.line.replace("$B", broker).replace("$D", dir.trim_end_matches('/'));
        let line = line.replace("$T", &own(&self.topic, side));
        let all = words(&line);
        let is_variable = |word: &&String| {
            word.starts_with("KCAT_CONFIG=") || word.starts_with("KAFKACAT_CONFIG=")
        };
        let variables = all.iter().take_while(is_variable).count();
        let cmd = match side {
            Side::Kcat => kaw.tool("kcat"),
            Side::Kaw => kaw.cmd("kcat"),
        };
        let cmd = cmd.args(&all[variables..]).stdin(self.stdin).within(LIMIT);
        all[..variables].iter().fold(cmd, |cmd, word| {
            let (name, value) = word.split_once('=').unwrap();
            cmd.env(name, value)
        })
    }
}

fn own(topic: &str, side: Side) -> String {
    match side {
        Side::Kcat => format!("{topic}-ours"),
        Side::Kaw => format!("{topic}-kaws"),
    }
}

/// What is compared of a run.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    code: i32,
    out: Vec<u8>,
    said: Vec<String>,
    left: String,
}

impl Outcome {
    fn of(done: &Done, run: &Run<'_>, side: Side) -> Outcome {
        let same = |text: &str| build_left_out(&text.replace(&own(&run.topic, side), "$T"));
        let is_own = |line: &&str| {
            let mut letters = line.chars();
            letters.next() != Some('%') || !letters.next().is_some_and(|c| c.is_ascii_digit())
        };
        // Said at once, or by each report: whichever comes first, the record or the metadata.
        let is_steady = |line: &&str| !line.ends_with("Local: Unknown partition");
        let steady = done.err();
        let steady = steady.lines().filter(is_own).filter(is_steady);
        let mut said: Vec<String> = steady.map(same).collect();
        said.sort();
        let out = match std::str::from_utf8(&done.stdout) {
            Ok(text) => same(text).into_bytes(),
            Err(_) => done.stdout.clone(),
        };
        Outcome { code: done.code, out, said, left: String::new() }
    }
}

/// Without what differs from build to build and from run to run.
fn build_left_out(text: &str) -> String {
    let mut text = text.to_owned();
    for (start, end) in [("librdkafka 2", ")"), ("memberid ", ")"), ("memberid ", ",")] {
        let found = text.split_once(start).and_then(|(before, rest)| {
            let (_, after) = rest.split_once(end)?;
            Some(format!("{before}…{end}{after}"))
        });
        text = found.unwrap_or(text);
    }
    text
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let out = self.out.escape_ascii().to_string();
        let shown = |text: &str| text.chars().take(600).collect::<String>();
        writeln!(f, "    code {}\n    out  {}", self.code, shown(&out))?;
        writeln!(f, "    said {}\n    left {}", shown(&self.said.join(" | ")), shown(&self.left))
    }
}

/// Runs all of them on both sides, and fails with all that differ.
#[track_caller]
fn same(kaw: &Kaw, broker: &str, runs: &[Run<'_>], what_is_left: impl Fn(&str) -> String + Sync) {
    let (next, differ) = (AtomicUsize::new(0), Mutex::new(BTreeSet::new()));
    let outcome = |run: &Run<'_>, side| {
        let done = run.cmd(kaw, broker, side).run();
        let mut outcome = Outcome::of(&done, run, side);
        if run.line.contains("-t $T") {
            outcome.left = what_is_left(&own(&run.topic, side));
        }
        outcome
    };
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (kcats, kaws) = (outcome(run, Side::Kcat), outcome(run, Side::Kaw));
                    if kcats != kaws {
                        let differs = format!("{}\n  kcat\n{kcats}  kaw\n{kaws}", run.line);
                        differ.lock().unwrap().insert(differs);
                    }
                }
            });
        }
    });
    let differ = differ.into_inner().unwrap();
    let (count, all) = (differ.len(), differ.into_iter().collect::<Vec<_>>().join("\n"));
    assert!(count == 0, "{count} of {} differ:\n{all}", runs.len());
}

/// Topics to read: `r1` has one partition with all that a record can be, `r3` three with keys.
fn fill(kaw: &Kaw) {
    // Some of its records are from 1970.
    kaw.ok("topic create r1 one -c retention.ms=-1");
    kaw.ok("topic create r3 -p 3");
    kaw.ok("topic create empty -p 2");
    let record = |i: i64| {
        format!(
            "{{\"key\":\"k{i}\",\"value\":\"v{i}\",\"timestamp\":{},\"headers\":[\
             {{\"key\":\"h\",\"value\":\"x{i}\"}},{{\"key\":\"n\",\"value\":null}},\
             {{\"key\":\"e\",\"value\":\"\"}}]}}\n",
            1_000_000 + 1000 * i
        )
    };
    let strange = "{\"key\":null,\"value\":null,\"timestamp\":1020000}\n\
                   {\"key\":\"\",\"value\":\"\",\"timestamp\":1021000}\n\
                   {\"key_base64\":\"AAEC/w==\",\"value_base64\":\"AAECAwQFBgcICQoLDA0ODxD/gA==\",\
                   \"timestamp\":1022000,\"headers\":[{\"key\":\"z\",\"value\":\"a\\u0000b\"}]}\n";
    let records: String = (0..10).map(record).chain([strange.to_owned()]).collect();
    kaw.cmd("produce -J r1").stdin(records).run().ok();
    let keyed: String = (0..30).map(|i| format!("key{i}:value {i}\n")).collect();
    kaw.cmd("produce -K : r3").stdin(keyed).run().ok();
}

/// Configuration files, and files to be sent.
fn files(kaw: &Kaw, broker: &str) {
    let jaas = "org.apache.kafka.common.security.plain.PlainLoginModule   required \
                username=\"u\" password=\"p\";";
    let escaped = broker.replace(':', "\\:");
    kaw.file("c1", format!("# comment\n\n  bootstrap.servers={broker}  \n"));
    kaw.file("c2", format!("ssl.endpoint.identification.algorithm=x\nbootstrap.servers={broker}"));
    kaw.file("c3", "foo=bar\n");
    kaw.file("c4", "nothing\n");
    kaw.file("c5", format!("sasl.jaas.config={jaas}\nbootstrap.servers={escaped}\n"));
    kaw.file("c6", format!("bootstrap.servers = {broker}\n"));
    kaw.file("c7", "linger.ms=x\n");
    kaw.file("f1", "file one\nwith lines\n");
    kaw.file("f2", "file two");
    kaw.file("f0", "");
    kaw.file("lines", "l1\n\nl2\n   \nl3");
    std::fs::create_dir(kaw.path("dir")).unwrap();
}

fn runs(tables: &[Table]) -> Vec<Run<'static>> {
    let all = tables.iter().flat_map(|table| {
        table.ends.iter().map(|end| (format!("{} {end}", table.start), table.stdin))
    });
    let runs = all.enumerate().map(|(index, (line, stdin))| Run {
        line,
        stdin,
        topic: format!("own{index}"),
    });
    runs.collect()
}

/// Both sides on all runs of the tables, which begin with the same words.
#[track_caller]
fn beside_kcat(kaw: &Kaw, tables: &[Table]) {
    if found("kcat").is_none() {
        return;
    }
    let broker = kaw.broker("");
    fill(kaw);
    files(kaw, &broker.address);
    let runs = runs(tables);
    let written: Vec<_> = runs.iter().filter(|run| run.line.contains("-t $T")).collect();
    for partitions in ["1", "4"] {
        let of = |run: &&&Run<'_>| run.line.contains("-K:") == (partitions == "4");
        let sides = |run: &&Run<'_>| [own(&run.topic, Side::Kcat), own(&run.topic, Side::Kaw)];
        let names: Vec<String> = written.iter().filter(of).flat_map(sides).collect();
        if !names.is_empty() {
            kaw.ok(&format!("topic create -p {partitions} {}", names.join(" ")));
        }
    }
    same(kaw, &broker.address, &runs, |topic| {
        kaw.ok(&format!("consume -e -q {topic} -f '%p %o %K %k|%S %s|%h|\\n'"))
    });
}

it!(kcats_command_line_is_read_as_kcat_reads_it, |kaw| beside_kcat(kaw, USAGE));

it!(what_kcat_reads_is_the_same, |kaw| beside_kcat(kaw, READ));

it!(what_kcat_writes_is_the_same, |kaw| beside_kcat(kaw, WRITE));

it!(without_brokers_kcat_has_the_built_in_one, |kaw| {
    kaw.cmd("kcat -P -t t").stdin("hi\n").run().ok();
    assert_eq!(kaw.ok("kcat -C -e -q -t t"), "hi\n");
});

it!(a_program_called_kcat_is_kcat, |kaw| {
    for name in ["kcat", "kafkacat"] {
        let program = kaw.path(name);
        std::os::unix::fs::symlink(PROGRAM, &program).unwrap();
        let program = program.to_string_lossy().into_owned();
        let help = kaw.tool(&program).arg("-h").run().ok().out();
        assert_eq!(
            help.lines().next().unwrap(),
            format!("Usage: {program} <options> [file1 file2 .. | topic1 topic2 ..]]")
        );
    }
});

it!(kaws_own_options_are_not_kcats, |kaw| {
    let said = kaw.cmd("-q kcat -L").run().fails(2);
    assert!(said.ends_with("write `kaw kcat -L`"), "{said}");
});

it!(nobody_is_warned_of_what_nobody_set, |kaw| {
    kaw.sh("echo a | kaw produce -q t").run().ok();
    let all = [
        "-C -t t -e -f %T-%h\\n",
        "-C -t t -e -o s@1",
        "-Q -t t:0:1",
        "-L",
        "-X auto.offset.reset=earliest -e -G g t",
    ];
    for words in all {
        let done = kaw.cmd("kcat -q").args(words.split(' ')).run().ok();
        assert!(!done.out().is_empty(), "{words}");
        assert_eq!(done.err(), "", "{words}");
    }
});
