//! What groups know, through stops of either kind, on a real directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;

use super::*;
use crate::broker::config::Settings;
use crate::broker::topic::housekeeping::tidy_in_leaving;
use crate::broker::{Durability, Identity};
use crate::protocol::Text;
use crate::protocol::group_record::{GroupMetadataValue, OffsetCommitKey, OffsetCommitValue};
use crate::protocol::transaction_record::{
    TransactionKey, TransactionPartitions, TransactionRecord, TransactionValue,
};
use crate::record::{Offset, Producer, ProducerEpoch, ProducerId, Uuid};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

#[test]
fn a_group_lies_where_java_puts_it() {
    // What Java's String.hashCode and Kafka's Utils.abs say.
    let check = |group: &str, hash: i32, partition: usize| {
        assert_eq!((java_hash(group), place(group, 50)), (hash, partition), "{group}");
    };
    check("", 0, 0);
    check("g", 103, 3);
    check("my-group", -1_906_497_762, 12);
    check("gruppe-ä", 673_522_898, 48);
    check("😀 group", -1_570_619_006, 6);
    check("polygenelubricants", i32::MIN, 0);
}

/// A data directory that goes with the test.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("kaw-groups-{}-{n}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Place(dir)
    }

    fn open(&self) -> Store {
        self.open_with(Settings::default())
    }

    fn open_with(&self, settings: Settings) -> Store {
        let identity =
            Identity { node_id: 1, cluster_id: "kaw".into(), directory_id: Uuid([9; 16]) };
        let topics = Topics::open(self.0.clone(), &identity, settings, Durability::Os).unwrap();
        Store::new(Arc::new(topics))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn key(group: &str, partition: i32) -> OffsetCommitKey {
    OffsetCommitKey { group: group.into(), topic: "t".into(), partition: PartitionId(partition) }
}

fn offset(group: &str, partition: i32, offset: i64, metadata: &str) -> GroupRecord {
    let value = OffsetCommitValue {
        offset: Offset(offset),
        metadata: metadata.into(),
        committed_at: NOW,
        ..OffsetCommitValue::default()
    };
    GroupRecord::Offset(key(group, partition), value)
}

fn loaded(store: &Store) -> Vec<GroupRecord> {
    let mut records = Vec::new();
    let loaded = store.load(|record| records.push(record));
    assert_eq!(loaded, Loaded { records: records.len(), ..Loaded::default() });
    records
}

#[test]
fn the_topic_comes_with_the_first_record_and_is_as_apache_makes_it() {
    let place = Place::new();
    let store = place.open();
    assert_eq!(loaded(&store), []);
    assert!(store.topics.get(TOPIC).is_none());
    store.append("g", &[], NOW).unwrap();
    assert!(store.topics.get(TOPIC).is_none());
    store.append("g", &[offset("g", 0, 5, "")], NOW).unwrap();
    let topic = store.topics.get(TOPIC).unwrap();
    assert_eq!(topic.partitions.len(), 50);
    let config = topic.core.config();
    assert!(config.compact.is_some() && !config.delete && config.segment_bytes == 100 << 20);
    // One directory, not fifty: an instant start makes none that it does not need.
    let dirs = fs::read_dir(&place.0).unwrap().flatten().map(|entry| entry.file_name());
    let dirs: Vec<_> = dirs.filter(|name| name.to_string_lossy().starts_with(TOPIC)).collect();
    assert_eq!(dirs, ["__consumer_offsets-3"]);
}

#[test]
fn a_commit_too_large_for_a_batch_is_refused_whole_and_tombstones_go_in_parts() {
    let place = Place::new();
    let store = place.open();
    let metadata = "m".repeat(30_000);
    let many: Vec<_> = (0..50).map(|n| offset("g", n, 1, &metadata)).collect();
    let error = store.append("g", &many, NOW).unwrap_err();
    assert_eq!(error.code(), ErrorCode::INVALID_COMMIT_OFFSET_SIZE);
    assert_eq!(loaded(&store), []);
    store.append_in_parts("g", &many, NOW).unwrap();
    assert_eq!(loaded(&store).len(), 50);
}

#[test]
fn groups_of_a_damaged_partition_are_not_said_to_have_committed_nothing() {
    let place = Place::new();
    let store = place.open();
    store.append("g", &[offset("g", 0, 5, "")], NOW).unwrap();
    store.append("my-group", &[offset("my-group", 0, 6, "")], NOW).unwrap();
    store.topics.close().unwrap();
    let log = place.0.join("__consumer_offsets-3/00000000000000000000.log");
    let mut bytes = fs::read(&log).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&log, bytes).unwrap();
    let store = place.open();
    assert_eq!(loaded(&store), [offset("my-group", 0, 6, "")]);
    assert!(!store.is_readable("g") && store.is_readable("my-group"));
}

/// An offset that producer 7 commits in a transaction, as KafkaProducer.sendOffsetsToTransaction.
fn commit_in_transaction(store: &Store, record: &GroupRecord) {
    let producer = Producer { id: ProducerId(7), epoch: ProducerEpoch(3), base_sequence: -1 };
    let EncodedGroupRecord { key, value } = record.encode().unwrap();
    let mut batch = BatchBuilder::new().producer(producer).transactional();
    batch.push(NOW, &Record { key: Some(&key), value: value.as_deref(), headers: &[] });
    put(&store.topics.get(TOPIC).unwrap().partitions[3], &batch.build());
}

fn put(partition: &Partition, batch: &[u8]) {
    let batch = BatchView::parse(batch).unwrap();
    partition.append(&batch, Times::Keep, NOW).unwrap().unwrap();
}

/// What the coordinator says of it, if there is anything to be said.
fn say(store: &Store, status: i8) {
    let state =
        NewTopic { name: "__transaction_state".into(), partitions: Some(1), ..NewTopic::default() };
    let state = store.topics.create(&[state]).pop().unwrap().unwrap();
    let offsets = TransactionPartitions { topic: TOPIC.into(), partitions: vec![PartitionId(3)] };
    let value = TransactionValue {
        producer_id: ProducerId(7),
        producer_epoch: ProducerEpoch(3),
        status,
        partitions: Some(vec![offsets]),
        ..TransactionValue::default()
    };
    let key = TransactionKey { transactional_id: "tx".into() };
    let record = TransactionRecord { key, value: Some(value), version: 0 };
    let (key, value) = record.encode().unwrap();
    let mut batch = BatchBuilder::new();
    batch.push(NOW, &Record { key: Some(&key), value: value.as_deref(), headers: &[] });
    put(&state.partitions[0], &batch.build());
}

#[test]
fn offsets_of_a_transaction_that_was_left_open_count_if_it_was_to_be_committed() {
    let (before, in_transaction) = (offset("g", 0, 5, ""), offset("g", 0, 6, ""));
    for (status, want) in [
        (Some(TransactionValue::PREPARES_TO_COMMIT), &in_transaction),
        (Some(TransactionValue::PREPARES_TO_ABORT), &before),
        (Some(TransactionValue::ONGOING), &before),
        (None, &before),
    ] {
        let place = Place::new();
        let store = place.open();
        store.append("g", std::slice::from_ref(&before), NOW).unwrap();
        commit_in_transaction(&store, &in_transaction);
        status.into_iter().for_each(|status| say(&store, status));
        store.topics.close().unwrap();
        assert_eq!(loaded(&place.open()), std::slice::from_ref(want), "{status:?}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Commit(u8, i32, i64),
    Forget(u8, i32),
    Generation(u8, i32),
    Delete(u8),
    Stop,
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0u8..4, 0..3, any::<i64>()).prop_map(|(g, p, o)| Step::Commit(g, p, o)),
        3 => (0u8..4, 0..3).prop_map(|(g, p)| Step::Forget(g, p)),
        2 => (0u8..4, any::<i32>()).prop_map(|(g, n)| Step::Generation(g, n)),
        1 => (0u8..4).prop_map(Step::Delete),
        1 => Just(Step::Stop),
        1 => Just(Step::Kill),
    ]
}

/// What there is, by what it is of: a partition's offset, or `None` for the generation.
type Model = BTreeMap<(Text, Option<PartitionId>), GroupRecord>;

fn generation(group: &str, generation: i32) -> GroupRecord {
    let value = GroupMetadataValue { generation, ..GroupMetadataValue::default() };
    GroupRecord::Generation(group.into(), value)
}

fn apply(model: &mut Model, record: &GroupRecord) {
    match record {
        GroupRecord::Offset(key, _) => {
            model.insert((key.group.clone(), Some(key.partition)), record.clone())
        }
        GroupRecord::OffsetGone(key) => model.remove(&(key.group.clone(), Some(key.partition))),
        GroupRecord::Generation(group, _) => model.insert((group.clone(), None), record.clone()),
        GroupRecord::GroupGone(group) => model.remove(&(group.clone(), None)),
    };
}

fn records(step: &Step) -> (String, Vec<GroupRecord>) {
    let (Step::Commit(n, ..) | Step::Forget(n, _) | Step::Generation(n, _) | Step::Delete(n)) =
        step
    else {
        return (String::new(), Vec::new());
    };
    let group = format!("group-{n}");
    let said = match *step {
        Step::Commit(_, partition, to) => vec![offset(&group, partition, to, "m")],
        Step::Forget(_, partition) => vec![GroupRecord::OffsetGone(key(&group, partition))],
        Step::Generation(_, n) => vec![generation(&group, n)],
        _ => {
            let gone = (0..3).map(|partition| GroupRecord::OffsetGone(key(&group, partition)));
            gone.chain([GroupRecord::GroupGone(group.as_str().into())]).collect()
        }
    };
    (group, said)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn what_was_said_last_is_known_after_any_stop(steps in prop::collection::vec(step(), 1..60)) {
        let place = Place::new();
        let mut store = place.open();
        let mut model = Model::new();
        for step in &steps {
            if matches!(step, Step::Stop) {
                store.topics.close().unwrap();
            }
            if matches!(step, Step::Stop | Step::Kill) {
                drop(store);
                store = place.open();
            }
            let (group, said) = records(step);
            store.append(&group, &said, NOW).unwrap();
            said.iter().for_each(|record| apply(&mut model, record));
        }
        drop(store);
        let mut known = Model::new();
        loaded(&place.open()).iter().for_each(|record| apply(&mut known, record));
        prop_assert_eq!(known, model);
    }
}

/// Commits again and again what only the last of counts, for one group.
fn commit_often(store: &Store, group: &str) {
    for round in 0..100 {
        let many: Vec<_> =
            (0..600).map(|n| offset(group, n % 3, i64::from(round * 600 + n), "m")).collect();
        store.append(group, &many, NOW).unwrap();
    }
}

fn bytes(store: &Store) -> u64 {
    let topic = store.topics.get(TOPIC).unwrap();
    topic.partitions[3].ask(|log| log.bytes()).unwrap()
}

fn foreign(store: &Store) -> usize {
    let topic = store.topics.get(TOPIC).unwrap();
    let all = read(&topic.partitions[3]).unwrap();
    all.finish().filter(|(key, _)| key.starts_with(&[0, 3])).count()
}

#[test]
fn a_long_log_is_compacted_and_says_the_same() {
    let place = Place::new();
    let small = [("offsets.topic.segment.bytes".to_owned(), "1048576".to_owned())];
    let open = || place.open_with(Settings::parse(&small).unwrap());
    let mut store = open();
    store.append("g", &[generation("g", 7)], NOW).unwrap();
    let consumers = EncodedGroupRecord { key: vec![0, 3, 0, 1, b'g'], value: Some(vec![0; 9]) };
    write(&store.topics.get(TOPIC).unwrap().partitions[3], &[consumers], NOW).unwrap();
    commit_often(&store, "g");
    store.append("g", &[GroupRecord::OffsetGone(key("g", 1))], NOW).unwrap();
    let mut want = Model::new();
    loaded(&store).iter().for_each(|record| apply(&mut want, record));
    assert_eq!(want.len(), 3);
    let before = bytes(&store);
    tidy_in_leaving(&store.topics);
    assert!(bytes(&store) < before / 3, "{} of {before}", bytes(&store));
    // At once, after a crash, and after a clean stop.
    for n in 0..3 {
        let mut known = Model::new();
        loaded(&store).iter().for_each(|record| apply(&mut known, record));
        assert_eq!((known, foreign(&store)), (want.clone(), 1));
        if n == 1 {
            store.topics.close().unwrap();
        }
        drop(store);
        store = open();
    }
}
