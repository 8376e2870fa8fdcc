//! Committed offsets as clients see them: kept over stops of either kind, handed over to an Apache
//! Kafka and taken back, refused where Kafka refuses them.

use std::path::Path;
use std::time::Duration;

use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic,
};
use kafka_protocol::messages::{
    DeleteGroupsRequest, GroupId, OffsetCommitRequest, OffsetFetchRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use crate::harness::raw::Raw;
use crate::harness::{Broker, Kaw, Version, found, kafka_python, until};

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn group(id: &str) -> GroupId {
    GroupId(text(id))
}

/// Commits `offset` of partition 0 for a group without members; the error code.
fn commit(address: &str, id: &str, topic: &str, offset: i64, metadata: &str) -> i16 {
    let partition = OffsetCommitRequestPartition::default()
        .with_committed_offset(offset)
        .with_committed_metadata(Some(text(metadata)));
    let topic = OffsetCommitRequestTopic::default()
        .with_name(TopicName(text(topic)))
        .with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default().with_group_id(group(id)).with_topics(vec![topic]);
    let answer = Raw::open(address).unwrap().call(&request, 8).unwrap();
    answer.topics[0].partitions[0].error_code
}

/// Everything a group has committed, one word a partition.
fn committed(address: &str, id: &str) -> String {
    let request = OffsetFetchRequest::default().with_group_id(group(id)).with_topics(None);
    let answer = Raw::open(address).unwrap().call(&request, 7).unwrap();
    assert_eq!(answer.error_code, 0);
    let partitions = answer.topics.iter().flat_map(|topic| {
        let partitions = topic.partitions.iter();
        partitions.map(move |one| {
            let metadata = one.metadata.as_ref().map_or("null", |metadata| metadata.as_str());
            let (name, offset) = (topic.name.as_str(), one.committed_offset);
            format!("{name}-{}:{offset}{metadata}", one.partition_index)
        })
    });
    partitions.collect::<Vec<_>>().join(" ")
}

it!(what_was_committed_is_known_after_a_stop_and_after_a_kill, |kaw| {
    let broker = kaw.broker("");
    kaw.ok("topic create t");
    let topic = |broker: &Broker, offset| {
        assert_eq!(commit(&broker.address, "g", "t", offset, "mine"), 0);
    };
    topic(&broker, 5);
    broker.stop();
    let broker = kaw.broker("");
    assert_eq!(committed(&broker.address, "g"), "t-0:5mine");
    // It is beyond the log's end: only a log that lost its end makes that a mistake.
    kaw.sh("seq 1 100 | kaw produce t").run().ok();
    topic(&broker, 77);
    broker.kill();
    let broker = kaw.broker("");
    assert_eq!(committed(&broker.address, "g"), "t-0:77mine");
    assert_eq!(committed(&broker.address, "other"), "");
    broker.stop();
});

it!(an_offset_beyond_a_log_that_lost_its_end_is_set_back, |kaw| {
    let broker = kaw.broker("");
    kaw.sh("seq 1 100 | kaw produce t").run().ok();
    assert_eq!(commit(&broker.address, "g", "t", 150, ""), 0);
    broker.kill();
    let broker = kaw.broker("");
    let said = broker.running.until("the log line", |_, err| {
        err.lines().find(|line| line.contains("set back")).map(str::to_owned)
    });
    for word in ["group=g", "topic=t", "offset=150", "end=100"] {
        assert!(said.contains(word), "{said}");
    }
    assert_eq!(committed(&broker.address, "g"), "t-0:100");
    broker.kill();
    let broker = kaw.broker("");
    assert_eq!(committed(&broker.address, "g"), "t-0:100");
    broker.stop();
});

it!(what_is_no_commit_is_refused_as_kafka_does, |kaw| {
    let broker = kaw.broker("");
    kaw.ok("topic create t");
    let at = &broker.address;
    assert_eq!(commit(at, "g", "nothing", 1, ""), 3);
    assert_eq!(commit(at, "g", "t", 1, &"m".repeat(4097)), 12);
    assert_eq!(commit(at, "g", "t", 1, &"m".repeat(4096)), 0);
    assert_eq!(commit(at, "", "t", 1, ""), 0);
    // Of a generation that there is not.
    let request = OffsetCommitRequest::default()
        .with_group_id(group("none"))
        .with_generation_id_or_member_epoch(3)
        .with_member_id(text("m"))
        .with_topics(vec![
            OffsetCommitRequestTopic::default()
                .with_name(TopicName(text("t")))
                .with_partitions(vec![OffsetCommitRequestPartition::default()]),
        ]);
    let code = |version| {
        let answer = Raw::open(at).unwrap().call(&request, version).unwrap();
        answer.topics[0].partitions[0].error_code
    };
    assert_eq!((code(8), code(9)), (22, 69));
    assert_eq!(committed(at, "none"), "");
    // Nobody but the broker writes where it keeps them.
    let done = kaw.cmd("produce __consumer_offsets").stdin("x\n").run();
    assert!(done.code != 0 && done.err().contains("let nobody write to it"), "{done}");
    broker.stop();
});

it!(deleted_topics_and_groups_take_their_offsets_along, |kaw| {
    let broker = kaw.broker("");
    let at = broker.address.clone();
    kaw.ok("topic create a");
    kaw.ok("topic create b");
    for topic in ["a", "b"] {
        assert_eq!(commit(&at, "g", topic, 0, ""), 0);
        assert_eq!(commit(&at, "h", topic, 0, ""), 0);
    }
    kaw.ok("topic delete a");
    kaw.ok("topic create a");
    assert_eq!(committed(&at, "g"), "b-0:0");
    let request = DeleteGroupsRequest::default().with_groups_names(vec![
        group("h"),
        group("nobody"),
        group(""),
    ]);
    let answer = Raw::open(&at).unwrap().call(&request, 2).unwrap();
    let codes: Vec<_> = answer.results.iter().map(|result| result.error_code).collect();
    assert_eq!(codes, [0, 69, 24]);
    broker.kill();
    let broker = kaw.broker("");
    assert_eq!(committed(&broker.address, "g"), "b-0:0");
    assert_eq!(committed(&broker.address, "h"), "");
    broker.stop();
});

it!(offsets_grow_old_where_nobody_uses_them, |kaw| {
    let quick = "-c offsets.retention.check.interval.ms=50";
    let broker = kaw.broker(quick);
    kaw.ok("topic create t");
    assert_eq!(commit(&broker.address, "g", "t", 0, ""), 0);
    // A commit may name how long it is to be kept (v2-4).
    let partition = OffsetCommitRequestPartition::default();
    let topic = OffsetCommitRequestTopic::default()
        .with_name(TopicName(text("t")))
        .with_partitions(vec![partition]);
    let brief = OffsetCommitRequest::default()
        .with_group_id(group("brief"))
        .with_retention_time_ms(1)
        .with_topics(vec![topic]);
    Raw::open(&broker.address).unwrap().call(&brief, 4).unwrap();
    until("the brief one to go", || committed(&broker.address, "brief").is_empty().then_some(()));
    assert_eq!(committed(&broker.address, "g"), "t-0:0");
    broker.stop();
    let broker = kaw.broker(quick);
    assert_eq!(committed(&broker.address, "brief"), "");
    assert_eq!(committed(&broker.address, "g"), "t-0:0");
    broker.stop();
});

it!(every_version_tells_what_was_committed, |kaw| {
    let broker = kaw.broker("");
    kaw.ok("topic create t");
    assert_eq!(commit(&broker.address, "g", "t", 7, ""), 0);
    let topic = OffsetFetchRequestTopic::default()
        .with_name(TopicName(text("t")))
        .with_partition_indexes(vec![0, 1]);
    let request =
        OffsetFetchRequest::default().with_group_id(group("g")).with_topics(Some(vec![topic]));
    for version in 1..=7 {
        let answer = Raw::open(&broker.address).unwrap().call(&request, version).unwrap();
        let partitions = answer.topics[0].partitions.iter();
        let offsets: Vec<_> =
            partitions.map(|one| (one.committed_offset, one.error_code)).collect();
        assert_eq!(offsets, [(7, 0), (-1, 0)], "version {version}");
    }
    // Many groups at once, and all that they have (null).
    let all = |id| OffsetFetchRequestGroup::default().with_group_id(group(id)).with_topics(None);
    let request = OffsetFetchRequest::default().with_groups(vec![all("g"), all("nobody")]);
    for version in 8..=9 {
        let answer = Raw::open(&broker.address).unwrap().call(&request, version).unwrap();
        let (g, nobody) = (&answer.groups[0], &answer.groups[1]);
        assert_eq!(g.topics[0].partitions[0].committed_offset, 7, "version {version}");
        assert!(nobody.topics.is_empty() && nobody.error_code == 0, "version {version}");
    }
    broker.stop();
});

/// Reads on in a group with kcat, which commits when it ends: the values.
#[track_caller]
fn read_on(kaw: &Kaw, address: &str, count: u32) -> String {
    let kcat = format!("kcat -q -b {address} -G g -c {count} -X auto.offset.reset=earliest t");
    let done = kaw.sh(&kcat).run().ok();
    done.out().lines().collect::<Vec<_>>().join(" ")
}

it!(a_group_of_kcats_reads_on_after_a_stop_and_after_a_kill, |kaw| {
    if found("kcat").is_none() {
        return;
    }
    let broker = kaw.broker("");
    kaw.sh("seq 1 20 | kaw produce t").run().ok();
    assert_eq!(read_on(kaw, &broker.address, 3), "1 2 3");
    assert_eq!(read_on(kaw, &broker.address, 3), "4 5 6");
    broker.stop();
    let broker = kaw.broker("");
    assert_eq!(read_on(kaw, &broker.address, 3), "7 8 9");
    broker.kill();
    let broker = kaw.broker("");
    assert_eq!(read_on(kaw, &broker.address, 3), "10 11 12");
    assert_eq!(committed(&broker.address, "g"), "t-0:12");
    broker.stop();
});

/// Commits what it has read of a topic, with a word of its own; then asks where it is.
const PYTHON: &str = "
import sys
from kafka import KafkaConsumer, TopicPartition
from kafka.structs import OffsetAndMetadata
consumer = KafkaConsumer('t', bootstrap_servers=sys.argv[1], group_id='py',
                         auto_offset_reset='earliest', enable_auto_commit=False)
for message in consumer:
    print(message.value.decode(), end=' ')
    if message.value.decode() in sys.argv[2:]:
        break
consumer.commit()
print(consumer.committed(TopicPartition('t', 0)))
consumer.close()
";

it!(a_group_of_kafka_python_reads_on_after_a_kill, |kaw| {
    let Some(python) = kafka_python(Version::Newest) else { return };
    let broker = kaw.broker("");
    kaw.sh("seq 1 20 | kaw produce t").run().ok();
    let run = |broker: &Broker, last: &str| {
        let python = kaw.tool(python.to_str().unwrap()).arg("-c").arg(PYTHON);
        python.arg(&broker.address).arg(last).run().ok().out()
    };
    assert_eq!(run(&broker, "4"), "1 2 3 4 4\n");
    broker.kill();
    let broker = kaw.broker("");
    assert_eq!(run(&broker, "6"), "5 6 6\n");
    broker.stop();
});

const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
const DUMP_LOG: &str = "org.apache.kafka.tools.DumpLogSegments";

/// What Apache's own tool says a group has committed.
fn described(kaw: &Kaw, address: &str, id: &str) -> Option<String> {
    let tool = kaw.apache_tool(GROUPS)?;
    let tool = tool.args(["--bootstrap-server", address, "--describe", "--group", id]);
    let out = tool.within(Duration::from_secs(120)).run().ok().out();
    let rows = out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let rows = rows.filter(|row| 4 < row.len() && row[0] == id);
    let rows = rows.map(|row| format!("{}-{}:{}", row[1], row[2], row[3]));
    Some(rows.collect::<Vec<_>>().join(" "))
}

it!(an_apache_kafka_goes_on_from_our_offsets_and_we_from_its, |kaw| {
    if found("kcat").is_none() {
        return;
    }
    let broker = kaw.broker("");
    kaw.sh("seq 1 20 | kaw produce t").run().ok();
    assert_eq!(read_on(kaw, &broker.address, 3), "1 2 3");
    assert_eq!(commit(&broker.address, "simple", "t", 11, "mine"), 0);
    let Some(ours) = described(kaw, &broker.address, "g") else { return };
    assert_eq!(ours, "t-0:3");
    broker.stop();
    decoded(kaw);

    let Some(apache) = kaw.apache_on(&kaw.data()) else { return };
    let address = apache.address.clone();
    assert_eq!(described(kaw, &address, "g").unwrap(), "t-0:3");
    assert_eq!(committed(&address, "simple"), "t-0:11mine");
    assert_eq!(read_on(kaw, &address, 4), "4 5 6 7");
    assert_eq!(commit(&address, "simple", "t", 12, "theirs"), 0);
    assert_eq!(commit(&address, "new", "t", 1, ""), 0);
    apache.stop();

    let broker = kaw.broker("");
    assert_eq!(committed(&broker.address, "simple"), "t-0:12theirs");
    assert_eq!(committed(&broker.address, "new"), "t-0:1");
    assert_eq!(read_on(kaw, &broker.address, 2), "8 9");
    broker.stop();
    decoded(kaw);
});

/// Apache's dump-log reads all of `__consumer_offsets`, and knows what it reads.
fn decoded(kaw: &Kaw) {
    let Some(tool) = kaw.apache_tool(DUMP_LOG) else { return };
    let dirs = std::fs::read_dir(kaw.data()).unwrap().flatten().map(|entry| entry.path());
    let is_ours = |dir: &Path| dir.to_string_lossy().contains("/__consumer_offsets-");
    let logs = dirs.filter(|dir| is_ours(dir)).map(|dir| dir.join(format!("{:020}.log", 0)));
    let logs: Vec<_> = logs.map(|log| log.to_string_lossy().into_owned()).collect();
    let tool = tool.args(["--offsets-decoder", "--files", &logs.join(",")]);
    let text = tool.within(Duration::from_secs(120)).run().ok();
    let text = text.out() + &text.err();
    for word in ["Exception", "isvalid: false", "not valid", "Unknown"] {
        assert!(!text.contains(word), "{text}");
    }
    for known in [r#""group":"g","topic":"t""#, r#""protocolType":"consumer""#, r#""topicId":"#] {
        assert!(text.contains(known), "{known} in {text}");
    }
}
