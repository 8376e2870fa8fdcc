//! What topics go through, on a real directory: stops of either kind, deletion, strays, refusals.

mod damage;
mod flush;
mod other;
mod undecided;
mod whole;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::names::set_aside;
use super::partition::FILES_UNCHECKED_MAX;
use super::*;
use crate::broker::config::Settings;
use crate::broker::{Durability, Identity};
use crate::protocol::NodeId;
use crate::protocol::catalogue::{
    BeginTransactionRecord, CatalogueRecord, FeatureLevelRecord, RegisterBrokerRecord,
    RemoveTopicRecord,
};
use crate::record::{
    BatchBuilder, BatchView, LeaderEpoch, Offset, PartitionId, Record, Times, Uuid, batches,
};

/// A data directory that goes with the test.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("kaw-topics-{}-{n}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Place(dir)
    }

    fn open(&self) -> Topics {
        let identity =
            Identity { node_id: 1, cluster_id: "kaw".into(), directory_id: Uuid([9; 16]) };
        Topics::open(self.0.clone(), &identity, Settings::default(), Durability::Os).unwrap()
    }

    fn dir(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn wanted(name: &str) -> NewTopic {
    NewTopic { name: name.into(), partitions: Some(2), ..NewTopic::default() }
}

fn create(topics: &Topics, name: &str) -> Uuid {
    let created = topics.create(&[wanted(name)]).pop().unwrap();
    created.unwrap_or_else(|error| panic!("{error}")).id()
}

fn append(topics: &Topics, name: &str) -> Offset {
    append_to(&topics.get(name).unwrap().partitions[0])
}

fn append_to(partition: &std::sync::Arc<Partition>) -> Offset {
    let mut batch = BatchBuilder::new();
    batch.push(now(), &Record { value: Some(b"v"), ..Record::default() });
    let batch = batch.build();
    let batch = BatchView::parse(&batch).unwrap();
    partition.append(&batch, Times::Keep, now()).unwrap().unwrap().0.base_offset
}

fn epoch(topics: &Topics, name: &str) -> LeaderEpoch {
    topics.get(name).unwrap().partitions[0].leader_epoch()
}

#[test]
fn topics_and_records_are_there_after_a_clean_stop_under_the_same_epoch() {
    let place = Place::new();
    let topics = place.open();
    let id = create(&topics, "t");
    assert_eq!(append(&topics, "t"), Offset(0));
    topics.close().unwrap();
    let topics = place.open();
    assert_eq!(topics.get("t").unwrap().id(), id);
    assert_eq!(epoch(&topics, "t"), LeaderEpoch(0));
    assert_eq!(append(&topics, "t"), Offset(1));
}

#[test]
fn an_unclean_stop_raises_the_epoch_of_what_is_on_disk() {
    let place = Place::new();
    let topics = place.open();
    create(&topics, "used");
    create(&topics, "unused");
    append(&topics, "used");
    drop(topics);
    let topics = place.open();
    assert_eq!(epoch(&topics, "used"), LeaderEpoch(1));
    assert_eq!(epoch(&topics, "unused"), LeaderEpoch(0));
    assert_eq!(append(&topics, "used"), Offset(1));
}

#[test]
fn partition_directories_are_made_at_the_first_append() {
    let place = Place::new();
    let topics = place.open();
    create(&topics, "t");
    assert!(!place.dir("t-0").exists());
    append(&topics, "t");
    assert!(place.dir("t-0").exists() && !place.dir("t-1").exists());
}

#[test]
fn a_topic_that_comes_again_is_another_one() {
    let place = Place::new();
    let topics = place.open();
    let first = create(&topics, "t");
    append(&topics, "t");
    let leftovers = topics.delete(first).unwrap();
    assert!(topics.get("t").is_none() && topics.get_by_id(first).is_none());
    assert_eq!(leftovers.len(), 1);
    assert_ne!(create(&topics, "t"), first);
    assert_eq!(append(&topics, "t"), Offset(0));
}

#[test]
fn a_topic_of_the_longest_name_is_deleted_whole_and_comes_again() {
    let place = Place::new();
    let topics = place.open();
    let name = "x".repeat(249);
    let first = create(&topics, &name);
    let append_to_each = || {
        let topic = topics.get(&name).unwrap();
        topic.partitions.iter().map(append_to).collect::<Vec<_>>()
    };
    append_to_each();
    assert_eq!(topics.delete(first).unwrap().len(), 2);
    create(&topics, &name);
    assert_eq!(append_to_each(), [Offset(0); 2]);
}

#[test]
fn segments_that_follow_soon_hold_few_files() {
    let place = Place::new();
    let topics = place.open();
    let wanted =
        NewTopic { configs: [("segment.bytes".into(), "1048576".into())].into(), ..wanted("t") };
    topics.create(&[wanted]).pop().unwrap().unwrap();
    let partition = topics.get("t").unwrap().partitions[0].clone();
    let value = vec![b'x'; 600 << 10];
    for _ in 0..3 * FILES_UNCHECKED_MAX {
        let mut batch = BatchBuilder::new();
        batch.push(now(), &Record { value: Some(&value), ..Record::default() });
        let batch = batch.build();
        let batch = BatchView::parse(&batch).unwrap();
        partition.append(&batch, Times::Keep, now()).unwrap().unwrap();
    }
    let held = partition.ask(|log| log.files_unchecked()).unwrap();
    assert!(0 < held && held <= FILES_UNCHECKED_MAX, "{held}");
}

#[test]
fn a_deletion_that_the_catalogue_knows_nothing_of_is_undone() {
    let place = Place::new();
    let topics = place.open();
    let id = create(&topics, "t");
    append(&topics, "t");
    topics.close().unwrap();
    let aside = place.dir(&set_aside("t", PartitionId(0), id, "delete"));
    fs::rename(place.dir("t-0"), aside).unwrap();
    assert_eq!(append(&place.open(), "t"), Offset(1));
}

#[test]
fn a_directory_of_an_unknown_topic_is_set_aside_whole() {
    let place = Place::new();
    fs::create_dir(place.dir("stranger-0")).unwrap();
    fs::write(place.dir("stranger-0").join("00000000000000000000.log"), b"kept").unwrap();
    let _topics = place.open();
    let names = fs::read_dir(&place.0).unwrap().map(|entry| entry.unwrap().path());
    let is_stray = |path: &PathBuf| path.to_string_lossy().ends_with("-stray");
    let stray = names.into_iter().find(is_stray).unwrap();
    let kept = fs::read(Path::new(&stray).join("00000000000000000000.log")).unwrap();
    assert_eq!(kept, b"kept");
}

#[test]
fn a_topic_that_the_catalogue_lost_is_taken_up_with_its_records_and_one_that_was_deleted_is_not() {
    let place = Place::new();
    let topics = place.open();
    let gone = create(&topics, "gone");
    append(&topics, "gone");
    let catalogue = place.dir("__cluster_metadata-0").join("00000000000000000000.log");
    let before = fs::read(&catalogue).unwrap();
    let id = create(&topics, "t");
    append(&topics, "t");
    drop(topics);
    // The catalogue was not durable; what was written behind it was. A deletion was cut off.
    fs::write(&catalogue, before).unwrap();
    let removal = RemoveTopicRecord { topic_id: gone };
    add_record(&place.0, &encoded(removal.into()));
    let topics = place.open();
    assert!(topics.get("gone").is_none());
    assert_eq!(topics.take_leftovers().len(), 1);
    let topic = topics.get("t").expect("it is taken up");
    assert_eq!((topic.id(), topic.overrides["retention.ms"].as_str()), (id, "-1"));
    assert_eq!(append(&topics, "t"), Offset(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalogue_that_begins_anew_gives_no_producer_id_again() {
    let place = Place::new();
    let topics = place.open();
    create(&topics, "t");
    append(&topics, "t");
    let before = (0..3000).map(|_| topics.producer_id().unwrap().0).max().unwrap();
    drop(topics);
    fs::remove_dir_all(place.dir("__cluster_metadata-0")).unwrap();
    let topics = place.open();
    assert!(before < topics.producer_id().unwrap().0);
    assert_eq!(append(&topics, "t"), Offset(1));
}

#[test]
fn a_topic_that_comes_again_does_not_inherit_where_the_first_began() {
    let place = Place::new();
    let topics = place.open();
    create(&topics, "t");
    append(&topics, "t");
    topics.close().unwrap();
    fs::write(place.dir("log-start-offset-checkpoint"), "0\n1\nt 0 1\n").unwrap();
    let topics = place.open();
    let first = topics.get("t").unwrap();
    assert_eq!(first.partitions[0].ask(|log| log.start()), Ok(Offset(1)));
    topics.delete(first.id()).unwrap();
    topics.write_checkpoints().unwrap();
    create(&topics, "t");
    append(&topics, "t");
    drop((topics, first));
    let start = place.open().get("t").unwrap().partitions[0].ask(|log| log.start());
    assert_eq!(start, Ok(Offset(0)));
}

#[test]
fn a_log_that_cannot_be_recovered_makes_no_clean_stop() {
    let place = Place::new();
    let topics = place.open();
    create(&topics, "t");
    append(&topics, "t");
    drop(topics);
    let swap = place.dir("t-0").join("00000000000000000000.log.swap");
    fs::write(&swap, b"damaged").unwrap();
    assert!(place.open().close().is_err());
    assert!(!place.dir(".kafka_cleanshutdown").exists());
    fs::remove_file(swap).unwrap();
    place.open().close().unwrap();
    assert!(place.dir(".kafka_cleanshutdown").exists());
}

#[test]
fn a_directory_that_is_refused_stays_as_it_was() {
    let place = Place::new();
    let topics = place.open();
    create(&topics, "t");
    topics.close().unwrap();
    fs::create_dir(place.dir("stranger-0")).unwrap();
    let identity = Identity { node_id: 2, cluster_id: "kaw".into(), directory_id: Uuid([9; 16]) };
    let settings = Settings::default();
    assert!(Topics::open(place.0.clone(), &identity, settings, Durability::Os).is_err());
    assert!(place.dir(".kafka_cleanshutdown").exists() && place.dir("stranger-0").exists());
}

/// Writes one more record into the catalogue of a directory that nobody serves.
fn add_record(data: &Path, value: &[u8]) {
    let log = data.join("__cluster_metadata-0").join("00000000000000000000.log");
    let mut bytes = fs::read(&log).unwrap();
    let end = batches(&bytes).map(|batch| batch.unwrap().next_offset()).last().unwrap();
    let mut batch = BatchBuilder::new();
    batch.push(now(), &Record { value: Some(value), ..Record::default() });
    let mut batch = batch.build();
    // Where a batch begins and under which epoch is not in its CRC.
    batch[..8].copy_from_slice(&end.get().to_be_bytes());
    batch[12..16].copy_from_slice(&1_i32.to_be_bytes());
    bytes.extend(batch);
    fs::write(&log, bytes).unwrap();
}

fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(files(&path)),
            path => drop(found.insert(path.clone(), fs::read(&path).unwrap())),
        }
    }
    found
}

#[track_caller]
fn not_taken_over(record: &[u8], why: &[&str]) {
    let place = Place::new();
    let topics = place.open();
    create(&topics, "t");
    append(&topics, "t");
    topics.close().unwrap();
    add_record(&place.0, record);
    // Whoever had it was stopped in the middle of a change: that is not ended either.
    add_record(&place.0, &encoded(BeginTransactionRecord::default().into()));
    let before = files(&place.0);
    let identity = Identity { node_id: 1, cluster_id: "kaw".into(), directory_id: Uuid([9; 16]) };
    let opened = Topics::open(place.0.clone(), &identity, Settings::default(), Durability::Fsync);
    let said = opened.err().expect("it is refused").to_string();
    assert!(why.iter().all(|part| said.contains(part)), "{said}");
    assert!(files(&place.0) == before, "something was changed");
}

fn encoded(record: CatalogueRecord) -> Vec<u8> {
    record.encode().unwrap()
}

#[test]
fn what_cannot_be_taken_over_is_refused_by_name_and_untouched() {
    let level = FeatureLevelRecord { name: "metadata.version".into(), level: 31 };
    not_taken_over(&encoded(level.into()), &["metadata.version is 31"]);
    let other = RegisterBrokerRecord { broker_id: NodeId(2), ..RegisterBrokerRecord::default() };
    not_taken_over(&encoded(other.into()), &["node 2"]);
    // Frame version 1, key 99, version 0; then a topic's record in a version that is to come.
    not_taken_over(&[1, 99, 0, 0], &["__cluster_metadata-0", "record 10", "99"]);
    not_taken_over(&[1, 2, 1, 0], &["__cluster_metadata-0", "TopicRecord", "1"]);
}

#[test]
fn a_deletion_is_undone_also_where_the_topic_came_again() {
    let place = Place::new();
    let topics = place.open();
    let id = create(&topics, "t");
    append(&topics, "t");
    topics.close().unwrap();
    let aside = place.dir(&set_aside("t", PartitionId(0), id, "delete"));
    fs::rename(place.dir("t-0"), aside).unwrap();
    fs::create_dir(place.dir("t-0")).unwrap();
    assert_eq!(append(&place.open(), "t"), Offset(1));
}

#[test]
fn a_catalogue_whose_beginning_was_cut_short_is_completed() {
    let place = Place::new();
    drop(place.open());
    let log = place.dir("__cluster_metadata-0").join("00000000000000000000.log");
    let bytes = fs::read(&log).unwrap();
    let first = BatchView::parse(&bytes).unwrap().size();
    fs::write(&log, &bytes[..first]).unwrap();
    let topics = place.open();
    assert_eq!(topics.metadata_version(), 25);
    topics.close().unwrap();
    assert!(place.dir("__cluster_metadata-0").join("quorum-state").exists());
}

#[test]
fn wrong_wishes_are_refused_and_good_ones_beside_them_are_not() {
    let place = Place::new();
    let topics = place.open();
    create(&topics, "a.b");
    let bad_config = NewTopic { configs: [("x".to_owned(), "1".to_owned())].into(), ..wanted("c") };
    let none = NewTopic { partitions: Some(0), ..wanted("d") };
    let all = [wanted("a.b"), wanted("a_b"), wanted("bad name"), bad_config, none, wanted("good")];
    let said: Vec<_> = topics
        .create(&all)
        .into_iter()
        .map(|made| made.err().map_or("created".to_owned(), |error| error.to_string()))
        .collect();
    let want = [
        "Topic 'a.b' already exists.",
        "Topic 'a_b' collides with existing topic: a.b",
        "Topic name is invalid: 'bad name' contains one or more characters other than ASCII \
         alphanumerics, '.', '_' and '-'",
        "Unknown topic config name: x",
        "Number of partitions was set to an invalid non-positive value.",
        "created",
    ];
    assert_eq!(said, want);
}

#[tokio::test]
async fn producer_ids_go_on_after_a_restart_once_their_record_is_durable() {
    let place = Place::new();
    let topics = place.open();
    let (first, promise) = topics.producer_id().unwrap();
    assert!(matches!(promise, Ticket::Kept), "the record came before any topic");
    drop(topics);
    let topics = place.open();
    let (second, promise) = topics.producer_id().unwrap();
    assert!(first < second);
    assert!(matches!(promise, Ticket::Pending(_)), "its record was just written");
    assert_eq!(promise.wait().await, Ok(()));
    let (third, promise) = topics.producer_id().unwrap();
    assert!(second < third);
    assert!(matches!(promise, Ticket::Kept), "one sync for a block");
}

#[test]
fn an_epoch_that_the_catalogue_lost_does_not_come_again() {
    let place = Place::new();
    let topics = place.open();
    create(&topics, "t");
    append(&topics, "t");
    drop(topics);
    let catalogue = place.dir("__cluster_metadata-0").join("00000000000000000000.log");
    let before = fs::read(&catalogue).unwrap();
    let topics = place.open();
    append(&topics, "t");
    assert_eq!(epoch(&topics, "t"), LeaderEpoch(1));
    drop(topics);
    fs::write(&catalogue, before).unwrap();
    let topics = place.open();
    append(&topics, "t");
    assert_eq!(epoch(&topics, "t"), LeaderEpoch(2));
    topics.close().unwrap();
    assert_eq!(epoch(&place.open(), "t"), LeaderEpoch(2), "the catalogue learnt of it");
}

/// What deletes records makes a checkpoint of its own, as the flusher does all the time.
#[tokio::test(flavor = "multi_thread")]
async fn records_are_deleted_while_checkpoints_are_made() {
    const ROUNDS: usize = 300;
    let place = Place::new();
    let topics = place.open();
    create(&topics, "t");
    append(&topics, "t");
    let topic = topics.get("t").unwrap();
    let partition = &topic.partitions[0];
    let mut batch = BatchBuilder::new();
    batch.push(now(), &Record { value: Some(&[0; 100_000]), ..Record::default() });
    let batch = batch.build();
    let batch = BatchView::parse(&batch).unwrap();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let flusher = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                partition.checkpoint().unwrap();
            }
        });
        for _ in 0..ROUNDS {
            partition.append(&batch, Times::Keep, now()).unwrap().unwrap();
            partition.trim(None).unwrap_or_else(|_| panic!("cannot trim"));
        }
        is_over.store(true, Ordering::Relaxed);
        flusher.join().unwrap();
    });
    topics.close().unwrap();
    let topics = place.open();
    assert_eq!(append(&topics, "t"), Offset(1 + ROUNDS as i64));
}
