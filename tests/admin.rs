//! A topic's administration, request by request: configs, partitions, records deleted, log
//! directories. What is answered is what a real Apache Kafka answers, and what was changed is there
//! after a kill, after a restart, and for an Apache Kafka that takes the directory over.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::{
    AlterConfigsRequest, BrokerId, CreatePartitionsRequest, CreateTopicsRequest,
    DeleteRecordsRequest, DescribeConfigsRequest, DescribeLogDirsRequest,
    IncrementalAlterConfigsRequest, ListPartitionReassignmentsRequest, TopicName,
};
use kafka_protocol::messages::{alter_configs_request, list_partition_reassignments_request};
use kafka_protocol::protocol::StrBytes;

use crate::harness::raw::{Raw, produce};
use crate::harness::{Kaw, Version, kafka_python, until};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// A config, what happens to it, and with what.
type Change<'a> = (&'a str, i8, Option<&'a str>);

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn name(topic: &str) -> TopicName {
    TopicName(text(topic))
}

/// Requests of administration, and their answers in words.
struct Admin {
    raw: Raw,
}

impl Admin {
    fn at(address: &str) -> Admin {
        Admin { raw: Raw::open(address).unwrap() }
    }

    fn create(&mut self, topic: &str, partitions: i32) {
        let topic = CreatableTopic::default()
            .with_name(name(topic))
            .with_num_partitions(partitions)
            .with_replication_factor(1);
        let request = CreateTopicsRequest::default().with_topics(vec![topic]);
        let answer = self.raw.call(&request.with_timeout_ms(10_000), 5).unwrap();
        assert_eq!(answer.topics[0].error_code, 0, "{answer:?}");
    }

    fn alter(&mut self, resources: &[(i8, &str, &[Change<'_>])], validate_only: bool) -> String {
        let resources = resources.iter().map(|(kind, resource, changes)| {
            let changes = changes.iter().map(|(name, operation, value)| {
                AlterableConfig::default()
                    .with_name(text(name))
                    .with_config_operation(*operation)
                    .with_value(value.map(text))
            });
            AlterConfigsResource::default()
                .with_resource_type(*kind)
                .with_resource_name(text(resource))
                .with_configs(changes.collect())
        });
        let request = IncrementalAlterConfigsRequest::default()
            .with_resources(resources.collect())
            .with_validate_only(validate_only);
        let answer = self.raw.call(&request, 1).unwrap();
        let said = answer.responses.iter().map(|resource| {
            let why = resource.error_message.as_deref();
            format!("{} {} {why:?}", resource.resource_name, resource.error_code)
        });
        said.collect::<Vec<_>>().join("; ")
    }

    fn set(&mut self, kind: i8, resource: &str, config: &str, value: &str) {
        let said = self.alter(&[(kind, resource, &[(config, SET, Some(value))])], false);
        assert_eq!(said, format!("{resource} 0 None"));
    }

    fn replace(&mut self, kind: i8, resource: &str, configs: &[(&str, Option<&str>)]) -> String {
        let configs = configs.iter().map(|(name, value)| {
            let config = alter_configs_request::AlterableConfig::default().with_name(text(name));
            config.with_value(value.map(text))
        });
        let resource = alter_configs_request::AlterConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(resource))
            .with_configs(configs.collect());
        let request = AlterConfigsRequest::default().with_resources(vec![resource]);
        let answer = self.raw.call(&request, 2).unwrap();
        let answer = &answer.responses[0];
        format!("{} {:?}", answer.error_code, answer.error_message.as_deref())
    }

    /// Values with all that has a say in them.
    fn describe(&mut self, kind: i8, resource: &str, configs: &[&str]) -> String {
        let keys = configs.iter().map(|name| text(name)).collect();
        let resource = DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(resource))
            .with_configuration_keys(Some(keys));
        let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
        let answer = self.raw.call(&request.with_include_synonyms(true), 4).unwrap();
        let mut said = BTreeMap::new();
        for config in &answer.results[0].configs {
            let synonyms = config.synonyms.iter();
            let synonyms =
                synonyms.map(|one| format!("{}={:?}@{}", one.name, one.value, one.source));
            let synonyms: Vec<_> = synonyms.collect();
            let (value, source) = (&config.value, config.config_source);
            said.insert(config.name.to_string(), format!("{value:?}@{source} {synonyms:?}"));
        }
        let error = (answer.results[0].error_code, answer.results[0].error_message.as_deref());
        format!("{error:?} {said:?}")
    }

    fn grow(&mut self, topics: &[GrowthRow<'_>], validate_only: bool) -> String {
        let topics = topics.iter().map(|(topic, count, assigned)| {
            let assigned = assigned.map(|assigned| {
                let ids = |ids: &&[i32]| ids.iter().copied().map(BrokerId).collect();
                let one = |one| CreatePartitionsAssignment::default().with_broker_ids(ids(one));
                assigned.iter().map(one).collect()
            });
            let topic = CreatePartitionsTopic::default().with_name(name(topic));
            topic.with_count(*count).with_assignments(assigned)
        });
        let request = CreatePartitionsRequest::default()
            .with_topics(topics.collect())
            .with_timeout_ms(10_000)
            .with_validate_only(validate_only);
        let answer = self.raw.call(&request, 3).unwrap();
        let said = answer.results.iter().map(|topic| {
            let why = topic.error_message.as_deref();
            format!("{} {} {why:?}", topic.name.as_str(), topic.error_code)
        });
        said.collect::<Vec<_>>().join("; ")
    }

    /// Low watermark and error.
    fn trim(&mut self, topic: &str, partition: i32, offset: i64) -> (i64, i16) {
        let partition =
            DeleteRecordsPartition::default().with_partition_index(partition).with_offset(offset);
        let topic =
            DeleteRecordsTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
        let request = DeleteRecordsRequest::default().with_topics(vec![topic]);
        let answer = self.raw.call(&request.with_timeout_ms(10_000), 2).unwrap();
        let answer = &answer.topics[0].partitions[0];
        (answer.low_watermark, answer.error_code)
    }

    /// Sizes by topic and partition; the directory itself is another for everyone.
    fn log_dirs(&mut self, chosen: Option<&[(&str, &[i32])]>) -> String {
        let topics = chosen.map(|chosen| {
            let topics = chosen.iter().map(|(topic, partitions)| {
                let topic = DescribableLogDirTopic::default().with_topic(name(topic));
                topic.with_partitions(partitions.to_vec())
            });
            topics.collect()
        });
        let request = DescribeLogDirsRequest::default().with_topics(topics);
        let answer = self.raw.call(&request, 4).unwrap();
        assert_eq!((answer.error_code, answer.results.len()), (0, 1));
        let dir = &answer.results[0];
        assert!(0 < dir.usable_bytes && dir.usable_bytes <= dir.total_bytes, "{dir:?}");
        let mut said = BTreeMap::new();
        for topic in &dir.topics {
            for one in &topic.partitions {
                let what = (one.partition_size, one.offset_lag, one.is_future_key);
                said.insert((topic.name.to_string(), one.partition_index), what);
            }
        }
        format!("{} {said:?}", dir.error_code)
    }

    fn reassignments(&mut self) -> String {
        let topic =
            list_partition_reassignments_request::ListPartitionReassignmentsTopics::default()
                .with_name(name("nothing"))
                .with_partition_indexes(vec![7]);
        let all = ListPartitionReassignmentsRequest::default();
        let some = all.clone().with_topics(Some(vec![topic]));
        let asked = [all.with_topics(None), some];
        let said = asked.map(|request| {
            let answer = self.raw.call(&request, 0).unwrap();
            format!("{} {:?} {:?}", answer.error_code, answer.error_message, answer.topics)
        });
        said.join("; ")
    }

    fn fill(&mut self, topic: &str, records: usize) {
        for n in 0..records {
            let request = produce(topic, -1, &[format!("{n:0100}")]);
            // Apache's broker learns of a new topic some time after its controller has made it.
            until("a record taken", || {
                let answer = self.raw.call(&request, 9).unwrap();
                (answer.responses[0].partition_responses[0].error_code == 0).then_some(())
            });
        }
    }
}

/// What is answered to everything that can be wrong, and to what is right in between.
/// `heard` is what another broker has said, where there is one. Brokers of Apache's see a change a
/// moment after their controller has answered it: what reads it is asked until it says the same.
fn conversation(address: &str, heard: Option<&str>) -> String {
    let heard: Vec<&str> = heard.unwrap_or_default().lines().collect();
    let mut admin = Admin::at(address);
    admin.create("t", 2);
    admin.create("trimmed", 1);
    admin.fill("trimmed", 10);
    let mut said = Vec::new();
    for (topic, changes) in TOPIC_CHANGES {
        for validate_only in [true, false] {
            let answer = admin.alter(&[(TOPIC, topic, changes)], validate_only);
            said.push(format!("{topic} {changes:?} {validate_only}: {answer}"));
        }
        let names = ["cleanup.policy", "preallocate", "retention.ms"];
        let describe = || admin.describe(TOPIC, "t", &names);
        said.push(settled(heard.get(said.len()), describe));
    }
    for (broker, changes) in BROKER_CHANGES {
        let answer = admin.alter(&[(BROKER, broker, changes)], true);
        said.push(format!("'{broker}' {changes:?}: {answer}"));
    }
    let twice: &[Change<'_>] = &[("retention.ms", SET, Some("1"))];
    said.push(admin.alter(&[(TOPIC, "t", twice), (TOPIC, "t", twice)], false));
    said.push(admin.alter(&[(99, "t", twice), (0, "t", twice), (TOPIC, "t", twice)], false));
    said.push(admin.replace(TOPIC, "t", &[("segment.ms", Some("77777"))]));
    let names = ["cleanup.policy", "segment.ms", "retention.ms"];
    said.push(settled(heard.get(said.len()), || admin.describe(TOPIC, "t", &names)));
    said.push(admin.replace(TOPIC, "t", &[("retention.ms", None)]));
    said.push(admin.replace(TOPIC, "nothing", &[]));
    said.push(admin.replace(99, "t", &[]));
    for (topic, count, assigned) in GROWTHS {
        for validate_only in [true, false] {
            let answer = admin.grow(&[(topic, *count, *assigned)], validate_only);
            said.push(format!("{topic} {count} {assigned:?} {validate_only}: {answer}"));
        }
    }
    said.push(admin.grow(&[("t", 9, None), ("t", 10, None), ("nothing", 3, None)], false));
    for (topic, partition, offset) in [
        ("trimmed", 0, 0),
        ("trimmed", 0, 4),
        ("trimmed", 0, 3),
        ("trimmed", 0, 11),
        ("trimmed", 0, -2),
        ("trimmed", 7, 0),
        ("nothing", 0, 0),
        ("__consumer_offsets", 0, 0),
        ("t", 0, -1),
        ("t", 0, 1),
        ("trimmed", 0, -1),
    ] {
        let answer = admin.trim(topic, partition, offset);
        said.push(format!("trim {topic} {partition} {offset}: {answer:?}"));
    }
    admin.set(TOPIC, "trimmed", "cleanup.policy", "compact");
    let trim = || format!("trim a compacted one: {:?}", admin.trim("trimmed", 0, -1));
    said.push(settled(heard.get(said.len()), trim));
    said.push(admin.log_dirs(Some(&[("t", &[0, 1, 77]), ("trimmed", &[0]), ("nothing", &[0])])));
    said.push(admin.log_dirs(Some(&[])));
    said.push(admin.reassignments());
    said.join("\n")
}

/// Asks until the answer is as it was elsewhere, or time is over.
fn settled(elsewhere: Option<&&str>, mut ask: impl FnMut() -> String) -> String {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let said = ask();
        if elsewhere.is_none_or(|elsewhere| *elsewhere == said) || deadline < Instant::now() {
            return said;
        }
    }
}

const TOPIC_CHANGES: &[(&str, &[Change<'_>])] = &[
    ("t", &[("retention.ms", SET, Some(" 007000 ")), ("preallocate", SET, Some("TRUE"))]),
    ("t", &[("retention.ms", DELETE, None), ("no.such", DELETE, None)]),
    ("t", &[("cleanup.policy", APPEND, Some("compact"))]),
    ("t", &[("cleanup.policy", APPEND, Some("delete,compact"))]),
    ("t", &[("cleanup.policy", SUBTRACT, Some("delete"))]),
    ("t", &[("cleanup.policy", SUBTRACT, Some("delete,compact"))]),
    ("t", &[("cleanup.policy", SET, Some("compact, delete,compact"))]),
    ("t", &[("cleanup.policy", SET, Some("compact,shred"))]),
    ("t", &[("cleanup.policy", SET, Some(",delete"))]),
    ("t", &[("retention.ms", APPEND, Some("1"))]),
    ("t", &[("zzz", SUBTRACT, Some("1"))]),
    ("t", &[("retention", SET, Some("1"))]),
    ("t", &[("retention.ms", SET, Some("soon"))]),
    ("t", &[("retention.ms", SET, None), ("segment.ms", APPEND, None)]),
    ("t", &[("retention.ms", SET, Some("1")), ("retention.ms", DELETE, None)]),
    ("t", &[("segment.bytes", SET, Some("100"))]),
    ("t", &[("preallocate", SET, Some("yes"))]),
    ("t", &[("compression.type", SET, Some("brotli"))]),
    ("t", &[("compression.gzip.level", SET, Some("0"))]),
    ("t", &[("message.timestamp.type", SET, Some("Never"))]),
    ("t", &[("remote.storage.enable", SET, Some("true"))]),
    ("t", &[("min.compaction.lag.ms", SET, Some("9")), ("max.compaction.lag.ms", SET, Some("5"))]),
    ("t", &[("leader.replication.throttled.replicas", SET, Some("1:1,x"))]),
    ("t", &[("leader.replication.throttled.replicas", SET, Some("1:1, 0:1"))]),
    ("t", &[]),
    ("nothing", &[("retention.ms", SET, Some("1"))]),
    ("a b", &[("retention.ms", SET, Some("1"))]),
    ("", &[("retention.ms", SET, Some("1"))]),
];

/// Checked alone: what a broker takes, Apache applies some time after it has answered.
const BROKER_CHANGES: &[(&str, &[Change<'_>])] = &[
    ("1", &[("log.retention.ms", SET, Some("5000"))]),
    ("", &[("log.cleanup.policy", APPEND, Some("compact"))]),
    ("1", &[("num.partitions", SET, Some("3"))]),
    ("", &[("num.partitions", SET, Some("3"))]),
    ("1", &[("log.retention.ms", SET, Some("soon"))]),
    ("1", &[("log.retention.ms", APPEND, Some("5"))]),
    ("1", &[("zzz", APPEND, Some("5"))]),
    ("1", &[("zzz", DELETE, None)]),
    ("1", &[("log.retention.ms", 9, Some("5"))]),
    ("1", &[("ssl.keystore.location", SET, Some("/x"))]),
    ("", &[("listeners", SET, Some("PLAINTEXT://:1"))]),
    ("2", &[("log.retention.ms", SET, Some("5"))]),
    ("one", &[("log.retention.ms", SET, Some("5"))]),
    ("1", &[("message.max.bytes", SET, Some("-1"))]),
];

type GrowthRow<'a> = (&'a str, i32, Option<&'a [&'a [i32]]>);

const GROWTHS: &[GrowthRow<'_>] = &[
    ("t", 2, None),
    ("t", 1, None),
    ("t", -1, None),
    ("nothing", 3, None),
    ("t", 4, Some(&[&[1]])),
    ("t", 3, Some(&[])),
    ("t", 3, Some(&[&[]])),
    ("t", 3, Some(&[&[9]])),
    ("t", 3, Some(&[&[1, 1]])),
    ("t", 3, Some(&[&[1, 2]])),
    ("t", 2, Some(&[])),
    ("t", 3, Some(&[&[1]])),
    ("t", 6, None),
];

it!(every_request_is_answered_as_by_apache_kafka, |kaw| {
    let broker = kaw.broker("");
    let ours = conversation(&broker.address, None);
    assert!(ours.contains("trim trimmed 0 4: (4, 0)"), "{ours}");
    broker.stop();
    let Some(apache) = kaw.apache() else { return };
    let theirs = conversation(&apache.address, Some(&ours));
    let differ = ours.lines().zip(theirs.lines()).find(|(ours, theirs)| ours != theirs);
    assert!(ours == theirs, "first difference: {differ:#?}");
    apache.stop();
});

/// Whether a record of this size is taken.
fn takes(kaw: &Kaw, bytes: usize) -> bool {
    let line = "x".repeat(bytes);
    kaw.cmd("produce t -q").stdin(format!("{line}\n")).run().code == 0
}

it!(changed_configs_are_in_force_at_once_and_after_a_kill, |kaw| {
    let broker = kaw.broker("--topic t");
    assert!(takes(kaw, 5_000));
    let mut admin = Admin::at(&broker.address);
    admin.set(TOPIC, "t", "max.message.bytes", "1000");
    assert!(!takes(kaw, 5_000));
    admin.set(TOPIC, "t", "flush.messages", "7");
    broker.running.until_err("name=\"flush.messages\"");
    broker.kill();
    let broker = kaw.broker("");
    assert!(!takes(kaw, 5_000));
    let mut admin = Admin::at(&broker.address);
    assert!(
        admin.alter(&[(TOPIC, "t", &[("max.message.bytes", DELETE, None)])], false).contains('0')
    );
    assert!(takes(kaw, 5_000));
    // What holds for all brokers holds for topics that say nothing else.
    admin.set(BROKER, "", "message.max.bytes", "1000");
    assert!(!takes(kaw, 5_000));
    admin.set(BROKER, "1", "message.max.bytes", "9000");
    assert!(takes(kaw, 5_000));
    broker.kill();
    let broker = kaw.broker("");
    assert!(takes(kaw, 5_000) && !takes(kaw, 10_000));
    let told = Admin::at(&broker.address).describe(TOPIC, "t", &["max.message.bytes"]);
    assert!(told.contains(r#"Some(\"9000\")@2"#) || told.contains("9000"), "{told}");
    broker.stop();
});

it!(a_log_in_use_goes_by_its_new_segment_size, |kaw| {
    let broker = kaw.broker("--topic t");
    kaw.sh("seq -f %0100g 1 20000 | kaw produce t -q").run().ok();
    let segments = || {
        let files = std::fs::read_dir(kaw.data().join("t-0")).unwrap().flatten();
        files.filter(|file| file.path().extension().is_some_and(|end| end == "log")).count()
    };
    assert_eq!(segments(), 1);
    Admin::at(&broker.address).set(TOPIC, "t", "segment.bytes", "1048576");
    kaw.sh("seq -f %0100g 1 20000 | kaw produce t -q").run().ok();
    assert!(2 < segments(), "{}", segments());
    broker.stop();
});

it!(new_partitions_take_records_at_once_and_after_a_kill, |kaw| {
    let broker = kaw.broker("--topic t");
    kaw.cmd("produce t").stdin("zero\n").run().ok();
    assert_eq!(Admin::at(&broker.address).grow(&[("t", 3, None)], false), "t 0 None");
    kaw.cmd("produce t -p 2").stdin("two\n").run().ok();
    broker.kill();
    let broker = kaw.broker("");
    kaw.cmd("produce t -p 1").stdin("one\n").run().ok();
    let mut lines: Vec<_> =
        kaw.ok("consume -e t -f '%p %s\\n'").lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["0 zero", "1 one", "2 two"]);
    broker.stop();
});

it!(deleted_records_stay_deleted_after_a_kill_and_their_segments_go, |kaw| {
    let broker = kaw.broker("");
    kaw.ok("topic create t -c segment.bytes=1048576");
    kaw.sh("seq -f %0100g 1 40000 | kaw produce t -q").run().ok();
    let size = || -> u64 {
        let files = std::fs::read_dir(kaw.data().join("t-0")).unwrap().flatten();
        let logs = files.filter(|file| file.path().extension().is_some_and(|end| end == "log"));
        logs.map(|file| file.metadata().unwrap().len()).sum()
    };
    let whole = size();
    let mut admin = Admin::at(&broker.address);
    assert_eq!(admin.trim("t", 0, 39_000), (39_000, 0));
    assert!(size() < whole / 2, "{} of {whole}", size());
    broker.kill();
    let broker = kaw.broker("");
    assert_eq!(kaw.ok("consume -e t -f '%o\\n'").lines().next(), Some("39000"));
    let mut admin = Admin::at(&broker.address);
    assert_eq!(admin.trim("t", 0, -1), (40_000, 0));
    assert_eq!(kaw.ok("consume -e t"), "");
    broker.stop();
    let broker = kaw.broker("");
    kaw.cmd("produce t").stdin("next\n").run().ok();
    assert_eq!(kaw.ok("consume -e t -f '%o %s\\n'"), "40000 next\n");
    broker.stop();
});

it!(an_apache_kafka_that_takes_over_finds_what_was_changed, |kaw| {
    let broker = kaw.broker("");
    let mut admin = Admin::at(&broker.address);
    admin.create("t", 1);
    admin.fill("t", 20);
    admin.set(TOPIC, "t", "retention.ms", "-1");
    admin.set(TOPIC, "t", "segment.ms", "123456");
    assert_eq!(admin.replace(TOPIC, "t", &[("retention.ms", Some("-1"))]), "0 None");
    admin.set(BROKER, "", "log.segment.bytes", "2097152");
    admin.set(BROKER, "1", "message.max.bytes", "2000000");
    assert_eq!(admin.grow(&[("t", 3, None)], false), "t 0 None");
    assert_eq!(admin.trim("t", 0, 15), (15, 0));
    let configs = ["retention.ms", "segment.ms", "segment.bytes", "max.message.bytes"];
    let ours = admin.describe(TOPIC, "t", &configs);
    kaw.cmd("produce t -p 2").stdin("two\n").run().ok();
    let records = "consume -e t -f '%p %o %s\\n'";
    let mut before: Vec<_> = kaw.ok(records).lines().map(str::to_owned).collect();
    before.sort();
    assert_eq!(before.len(), 6);
    broker.stop();
    let Some(apache) = kaw.apache_on(&kaw.data()) else { return };
    let mut admin = Admin::at(&apache.address);
    assert_eq!(admin.describe(TOPIC, "t", &configs), ours);
    let after = kaw.ok(&format!("{records} -b {}", apache.address));
    let mut after: Vec<_> = after.lines().map(str::to_owned).collect();
    after.sort();
    assert_eq!(after, before);
    assert_eq!(admin.trim("t", 0, 17), (17, 0));
    admin.set(TOPIC, "t", "segment.ms", "654321");
    apache.stop();
    let broker = kaw.broker("");
    assert_eq!(kaw.ok("consume -e t -p 0 -f '%o\\n'"), "17\n18\n19\n");
    let told = Admin::at(&broker.address).describe(TOPIC, "t", &["segment.ms"]);
    assert!(told.contains("654321"), "{told}");
    broker.stop();
});

/// What people type at Apache's own tools; BROKER and DIR differ from one broker to the other.
const TOOLS: &[(&str, &str)] = &[
    ("topics", "--create --topic t --partitions 2 --config retention.ms=5000"),
    ("topics", "--alter --topic t --partitions 4"),
    ("topics", "--alter --topic t --partitions 3"),
    ("topics", "--describe --topic t"),
    (
        "configs",
        "--entity-type topics --entity-name t --alter --add-config \
                 segment.ms=77777,cleanup.policy=[compact,delete] --delete-config retention.ms",
    ),
    ("configs", "--entity-type topics --entity-name t --describe"),
    ("configs", "--entity-type topics --entity-name t --alter --add-config retention.ms=soon"),
    (
        "configs",
        "--entity-type brokers --entity-default --alter --add-config \
                 log.retention.ms=86400000",
    ),
    ("configs", "--entity-type brokers --entity-name 1 --alter --add-config num.partitions=2"),
    ("configs", "--entity-type topics --entity-name t --describe --all"),
    ("delete-records", "--offset-json-file DELETE"),
    ("log-dirs", "--describe --topic-list t"),
    ("reassign", "--list"),
];

fn tools(kaw: &Kaw, address: &str, dir: &Path) -> Option<String> {
    let delete = r#"{"partitions":[{"topic":"t","partition":0,"offset":-1},
                     {"topic":"t","partition":1,"offset":9}],"version":1}"#;
    let delete = kaw.file("delete.json", delete);
    let mut all = String::new();
    for (tool, words) in TOOLS {
        let class = match *tool {
            "topics" => "org.apache.kafka.tools.TopicCommand",
            "configs" => "kafka.admin.ConfigCommand",
            "delete-records" => "org.apache.kafka.tools.DeleteRecordsCommand",
            "log-dirs" => "org.apache.kafka.tools.LogDirsCommand",
            _ => "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
        };
        let words = words.replace("DELETE", &delete.display().to_string());
        let run = kaw.apache_tool(class)?.args(["--bootstrap-server", address]);
        let run = run.args(words.split_whitespace()).within(Duration::from_secs(90)).run();
        // Stack traces name the line of a client, and are the same for the same error.
        let out = run.out().replace(&dir.display().to_string(), "DIR");
        let mut lines: Vec<_> = out.lines().map(comparable).collect();
        if words.contains("--all") || *tool == "delete-records" {
            lines.sort();
        }
        if *tool == "log-dirs" {
            let parts = lines.iter().flat_map(|line| line.split(['{', '}', '[', ']']));
            lines = parts.map(|part| part.trim_matches(',').to_owned()).collect();
            lines.sort();
        }
        all.push_str(&format!("$ {tool} {words}\n{}\n", lines.join("\n")));
    }
    // A directory that Apache has formatted sets this for all brokers (KIP-966).
    let all = all.replace("DYNAMIC_DEFAULT_BROKER_CONFIG:min.insync.replicas=1, ", "");
    Some(all.replace("min.insync.replicas=1,", "").replace(address, "BROKER"))
}

/// Without a topic's id, and without what only DescribeTopicPartitions tells, which we leave to
/// Metadata: a single node has no eligible leaders to speak of.
fn comparable(line: &str) -> String {
    let line = line.split_once("\tElr: ").map_or(line, |(before, _)| before);
    match line.split_once("TopicId: ") {
        Some((before, id)) => format!("{before}{}", id.split_once('\t').unwrap_or(("", "")).1),
        None => line.to_owned(),
    }
}

it!(apaches_tools_print_the_same_as_against_apache_kafka, |kaw| {
    let broker = kaw.broker("");
    let Some(ours) = tools(kaw, &broker.address, &kaw.data()) else { return };
    broker.stop();
    let Some(apache) = kaw.apache() else { return };
    let Some(theirs) = tools(kaw, &apache.address, &kaw.path("apache/data")) else { return };
    let differ = ours.lines().zip(theirs.lines()).find(|(ours, theirs)| ours != theirs);
    assert!(ours == theirs, "first difference: {differ:#?}\n{ours}\n{theirs}");
    apache.stop();
});

/// The admin client of Python, which asks for what the broker offers.
const PYTHON: &str = "
from kafka.admin import KafkaAdminClient, NewPartitions, ConfigResource, ConfigResourceType
from kafka import TopicPartition
admin = KafkaAdminClient(bootstrap_servers='BROKER')
admin.create_partitions({'t': NewPartitions(3)})
print(len(admin.describe_topics(['t'])[0]['partitions']))
admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, 't', {'retention.ms': '12345'})])
print('12345' in str(admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, 't')])))
print(admin.delete_records({TopicPartition('t', 0): 2}))
print('t' in str(admin.describe_log_dirs()))
";

it!(pythons_admin_client_administers_topics, |kaw| {
    let Some(python) = kafka_python(Version::Newest) else { return };
    let broker = kaw.broker("--topic t");
    kaw.cmd("produce t").stdin("a\nb\nc\n").run().ok();
    let program = PYTHON.replace("BROKER", &broker.address);
    let said = kaw.tool(python.to_str().unwrap()).arg("-c").arg(program).run().ok().out();
    let lines: Vec<_> = said.lines().collect();
    assert_eq!((lines[0], lines[1], lines[3]), ("3", "True", "True"), "{said}");
    assert_eq!(kaw.ok("consume -e t -p 0"), "c\n");
    broker.stop();
});
