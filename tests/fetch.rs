//! Fetch sessions (KIP-227), request by request: what is told and what is left out, as by a real
//! Apache Kafka.

use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{CreateTopicsRequest, FetchRequest, MetadataRequest, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::harness::raw::{Raw, produce};
use crate::harness::until;

fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

/// A consumer of topic `t`, which has four partitions.
struct Consumer {
    raw: Raw,
    session: i32,
    /// How topics are called in this version.
    version: i16,
    topic: FetchTopic,
}

impl Consumer {
    fn at(address: &str, version: i16) -> Consumer {
        let mut raw = Raw::open(address).unwrap();
        let topic = CreatableTopic::default().with_name(name("t"));
        let topic = topic.with_num_partitions(4).with_replication_factor(1);
        let create = CreateTopicsRequest::default().with_topics(vec![topic]);
        let made = raw.call(&create.with_timeout_ms(10_000), 7).unwrap();
        assert!(matches!(made.topics[0].error_code, 0 | 36), "{made:?}");
        let topic = MetadataRequestTopic::default().with_name(Some(name("t")));
        let metadata = MetadataRequest::default().with_topics(Some(vec![topic]));
        // Apache's broker learns of a new topic some time after its controller has made it.
        let topic_id = until("the topic with its leaders", || {
            let told = raw.call(&metadata, 12).unwrap();
            let led = told.topics[0].partitions.iter().filter(|one| one.leader_id.0 == 1).count();
            (led == 4).then_some(told.topics[0].topic_id)
        });
        let topic = FetchTopic::default().with_topic(name("t")).with_topic_id(topic_id);
        Consumer { raw, session: 0, version, topic }
    }

    fn topic(&self, partitions: &[(i32, i64)]) -> Vec<FetchTopic> {
        let partitions = partitions.iter().map(|(partition, offset)| {
            let one = FetchPartition::default().with_partition(*partition);
            one.with_fetch_offset(*offset).with_partition_max_bytes(1 << 20)
        });
        vec![self.topic.clone().with_partitions(partitions.collect())]
    }

    /// Error, whether there is a session, and what is told of each partition.
    fn fetch(&mut self, epoch: i32, partitions: &[(i32, i64)], forgotten: &[i32]) -> String {
        let session = self.session;
        self.fetch_in(session, epoch, partitions, forgotten)
    }

    fn fetch_in(&mut self, id: i32, epoch: i32, some: &[(i32, i64)], gone: &[i32]) -> String {
        let FetchTopic { topic, topic_id, .. } = self.topic.clone();
        let gone = ForgottenTopic::default()
            .with_topic(topic)
            .with_topic_id(topic_id)
            .with_partitions(gone.to_vec());
        let request = FetchRequest::default()
            .with_session_id(id)
            .with_session_epoch(epoch)
            .with_max_wait_ms(if epoch == 0 { 0 } else { 50 })
            .with_min_bytes(1)
            .with_max_bytes(1 << 20)
            .with_topics(if some.is_empty() { Vec::new() } else { self.topic(some) })
            .with_forgotten_topics_data(if gone.partitions.is_empty() {
                vec![]
            } else {
                vec![gone]
            });
        let answer = self.raw.call(&request, self.version).unwrap();
        if epoch == 0 {
            self.session = answer.session_id;
        }
        let told = answer.responses.iter().flat_map(|topic| &topic.partitions);
        let told = told.map(|one| {
            let bytes = one.records.as_ref().map_or(0, |records| records.len());
            let (at, error) = (one.partition_index, one.error_code);
            format!("{at}: {error} {} {} {}", one.high_watermark, one.log_start_offset, 0 < bytes)
        });
        let told: Vec<_> = told.collect();
        format!("{} {} {told:?}", answer.error_code, answer.session_id != 0)
    }

    fn produce(&mut self) {
        until("a record taken", || {
            let answer = self.raw.call(&produce("t", -1, &["x".to_owned()]), 9).unwrap();
            (answer.responses[0].partition_responses[0].error_code == 0).then_some(())
        });
    }
}

/// One consumer's requests, and what it is told; the topic is new.
fn conversation(address: &str, version: i16) -> String {
    let mut consumer = Consumer::at(address, version);
    let all = [(0, 0), (1, 0), (2, 0), (3, 0)];
    // NOT_LEADER_OR_FOLLOWER, partition by partition, while Apache's broker takes the topic in.
    until("leaders at work", || (!consumer.fetch(-1, &all, &[]).contains(": 6 ")).then_some(()));
    let mut said = vec![consumer.fetch(-1, &all, &[]), consumer.fetch(0, &all, &[])];
    said.push(consumer.fetch(1, &[], &[]));
    consumer.produce();
    said.push(consumer.fetch(2, &[], &[]));
    // Not read on: it is told again.
    said.push(consumer.fetch(3, &[], &[]));
    said.push(consumer.fetch(4, &[(0, 1)], &[]));
    said.push(consumer.fetch(5, &[], &[]));
    said.push(consumer.fetch(6, &[(1, 9)], &[]));
    said.push(consumer.fetch(7, &[], &[]));
    said.push(consumer.fetch(8, &[(1, 0)], &[]));
    said.push(consumer.fetch(9, &[], &[1, 2, 77]));
    said.push(consumer.fetch(10, &[(2, 0), (9, 0)], &[]));
    said.push(consumer.fetch(10, &[], &[]));
    said.push(consumer.fetch(99, &[], &[]));
    said.push(consumer.fetch_in(consumer.session.wrapping_add(1).max(1), 11, &[], &[]));
    said.push(consumer.fetch_in(0, 11, &[], &[]));
    said.push(consumer.fetch(11, &[], &[9]));
    // The session is of the other kind of names.
    let usual = consumer.version;
    consumer.version = if 13 <= usual { 12 } else { 13 };
    said.push(consumer.fetch(12, &[], &[]));
    consumer.version = usual;
    said.push(consumer.fetch(12, &[], &[0, 2, 3]));
    said.push(consumer.fetch(13, &[], &[]));
    said.push(consumer.fetch(0, &all, &[]));
    said.push(consumer.fetch(-1, &all, &[]));
    said.push(consumer.fetch(1, &[], &[]));
    consumer.topic = FetchTopic::default().with_topic(name("nothing"));
    said.push(consumer.fetch(-1, &[(0, 0)], &[]));
    said.join("\n")
}

it!(a_session_tells_only_what_is_new, |kaw| {
    let broker = kaw.broker("");
    let said = conversation(&broker.address, 12);
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines[2], "0 true []");
    assert_eq!(lines[3], r#"0 true ["0: 0 1 0 true"]"#);
    assert_eq!(lines[6], "0 true []");
    broker.stop();
});

it!(sessions_are_as_apache_kafkas_request_by_request, |kaw| {
    for version in [12, 16] {
        let home = format!("sessions-{version}");
        let broker = kaw.broker(&format!("--data-dir {home}"));
        let ours = conversation(&broker.address, version);
        broker.stop();
        let Some(apache) = kaw.apache_on(&kaw.path(format!("apache/{home}"))) else { return };
        let theirs = conversation(&apache.address, version);
        apache.stop();
        let differ = ours.lines().zip(theirs.lines()).enumerate().find(|(_, (a, b))| a != b);
        assert!(ours == theirs, "first difference at {version}: {differ:#?}");
    }
});
