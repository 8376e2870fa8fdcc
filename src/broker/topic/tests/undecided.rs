//! Transactions that lie open in a directory, and what its coordinator had said of them.

mod books;
mod lost;

use super::*;
use crate::protocol::transaction_record::{
    TransactionKey, TransactionPartitions, TransactionRecord, TransactionValue,
};
use crate::record::{Producer, ProducerEpoch, ProducerId, Timestamp};

const STATE: &str = "__transaction_state";

/// A record of producer 7's transaction, and one of nobody behind it.
fn leave_open(partition: &std::sync::Arc<Partition>) {
    leave_open_in(partition, 3);
}

fn leave_open_in(partition: &std::sync::Arc<Partition>, epoch: i16) {
    let epoch = ProducerEpoch(epoch);
    leave_open_of(partition, Producer { id: ProducerId(7), epoch, base_sequence: 0 });
}

fn leave_open_of(partition: &std::sync::Arc<Partition>, producer: Producer) {
    let mut batch = BatchBuilder::new().producer(producer).transactional();
    batch.push(now(), &Record { value: Some(b"t"), ..Record::default() });
    put(partition, &batch.build());
    append_to(partition);
}

fn put(partition: &Partition, batch: &[u8]) {
    let batch = BatchView::parse(batch).unwrap();
    partition.append(&batch, Times::Keep, now()).unwrap().unwrap();
}

/// What the coordinator says of it: it is in partition 0 of `orders` and of `more`.
fn say(topics: &Topics, status: i8, epoch: i16) {
    say_more(topics, status, epoch, |_| ());
}

fn say_more(topics: &Topics, status: i8, epoch: i16, more: impl Fn(&mut TransactionValue)) {
    say_of("tx", topics, status, epoch, more);
}

fn say_of(id: &str, topics: &Topics, status: i8, epoch: i16, more: impl Fn(&mut TransactionValue)) {
    let partitions = ["orders", "more"].map(|topic| TransactionPartitions {
        topic: topic.into(),
        partitions: vec![PartitionId(0)],
    });
    let mut value = TransactionValue {
        producer_id: ProducerId(7),
        producer_epoch: ProducerEpoch(epoch),
        status,
        partitions: Some(partitions.to_vec()),
        last_update: Timestamp(5),
        started: Timestamp(4),
        ..TransactionValue::default()
    };
    more(&mut value);
    let version = i16::from(2 <= value.client_transaction_version);
    let key = TransactionKey { transactional_id: id.into() };
    let (key, value) = TransactionRecord { key, value: Some(value), version }.encode().unwrap();
    note(topics, &key, value.as_deref());
}

fn note(topics: &Topics, key: &[u8], value: Option<&[u8]>) {
    let mut batch = BatchBuilder::new();
    batch.push(now(), &Record { key: Some(key), value, headers: &[] });
    put(&topics.get(STATE).unwrap().partitions[1], &batch.build());
}

/// The last that was said of it: status and epoch.
fn said(topics: &Topics) -> (i8, i16) {
    let mut last = None;
    let each = |batch: &BatchView<'_>| {
        let mut scratch = crate::record::Scratch::default();
        let records = batch.records(&mut scratch, 1 << 20)?;
        for entry in records {
            let record = entry?;
            let bytes = |bytes: Option<&[u8]>| bytes.map(bytes::Bytes::copy_from_slice);
            let key = bytes(record.key).unwrap();
            last = TransactionRecord::decode(key, bytes(record.value)).unwrap().value;
        }
        Ok(())
    };
    topics.get(STATE).unwrap().partitions[1].each_batch(each).unwrap();
    let value = last.unwrap();
    (value.status, value.producer_epoch.get())
}

/// Flips a bit of the how many-th batch of a log.
fn damage(dir: &Path, nth: usize, byte: usize) {
    let path = dir.join("00000000000000000000.log");
    let mut bytes = fs::read(&path).unwrap();
    let before = batches(&bytes).take(nth).map(|batch| batch.unwrap().size()).sum::<usize>();
    bytes[before + byte] ^= 1;
    fs::write(&path, bytes).unwrap();
}

/// The last stable offset, the end, and how many aborted transactions a reader is told of.
fn seen(topics: &Topics, name: &str) -> (i64, i64, usize) {
    let partition = &topics.get(name).unwrap().partitions[0];
    let read = partition.read(Offset(0), 1 << 20, Reader::OfCommitted).unwrap();
    let aborted = read.batches.unwrap().map_or(0, |batches| batches.aborted.len());
    (read.extent.stable_end.get(), read.extent.end.get(), aborted)
}

const HELD_BACK: (i64, i64, usize) = (0, 2, 0);
const COMMITTED: (i64, i64, usize) = (3, 3, 0);
const ABORTED: (i64, i64, usize) = (3, 3, 1);

fn open_in(place: &Place, named: &[&str]) -> Topics {
    let topics = place.open();
    for name in named {
        create(&topics, name);
    }
    topics
}

#[track_caller]
fn check(status: i8, epoch: i16, want: (i64, i64, usize), left: (i8, i16)) {
    for clean in [true, false] {
        let place = Place::new();
        let topics = open_in(&place, &["orders", "more", STATE]);
        say(&topics, 5, 2);
        for name in ["orders", "more"] {
            leave_open(&topics.get(name).unwrap().partitions[0]);
            assert_eq!(seen(&topics, name), HELD_BACK);
        }
        say(&topics, status, epoch);
        let mut topics = topics;
        // What has ended stays as it is.
        for _ in 0..2 {
            match clean {
                true => topics.close().unwrap(),
                false => drop(topics),
            }
            topics = place.open();
            for name in ["more", "orders"] {
                assert_eq!(seen(&topics, name), want, "{status} {clean}");
            }
            assert_eq!(said(&topics), left, "{status} {clean}");
        }
    }
}

#[test]
fn what_the_coordinator_had_decided_is_carried_out() {
    check(TransactionValue::PREPARES_TO_COMMIT, 4, COMMITTED, (2, 4));
    check(TransactionValue::PREPARES_TO_ABORT, 4, ABORTED, (3, 4));
}

#[test]
fn what_was_under_way_is_aborted_and_its_producer_kept_from_committing_it_elsewhere() {
    check(TransactionValue::ONGOING, 3, ABORTED, (3, 4));
}

#[test]
fn what_no_coordinator_knows_of_is_aborted() {
    check(5, 9, ABORTED, (5, 9));
    let place = Place::new();
    let topics = open_in(&place, &["orders"]);
    leave_open(&topics.get("orders").unwrap().partitions[0]);
    topics.close().unwrap();
    assert_eq!(seen(&place.open(), "orders"), ABORTED);
}

/// What a power loss or a clean stop leaves of producer 7's transaction in epoch `epoch`.
#[track_caller]
fn check_committed(
    epoch: i16,
    clean: bool,
    said: (i16, TransactionValue),
    want: (i64, i64, usize),
) {
    let place = Place::new();
    let topics = open_in(&place, &["orders", STATE]);
    leave_open_in(&topics.get("orders").unwrap().partitions[0], epoch);
    let (epoch, like) = said;
    say_more(&topics, TransactionValue::COMMITTED, epoch, |value| {
        value.producer_id = like.producer_id;
        value.last_update = like.last_update;
        value.previous_producer_id = like.previous_producer_id;
        value.client_transaction_version = like.client_transaction_version;
    });
    let mut topics = topics;
    for clean in [clean, false, true] {
        match clean {
            true => topics.close().unwrap(),
            false => drop(topics),
        }
        topics = place.open();
        assert_eq!(seen(&topics, "orders"), want, "{epoch} {clean} {like:?}");
    }
}

/// Whatever the times say, and however often the directory was stopped, in either way.
#[test]
fn what_was_committed_in_an_epoch_that_others_share_does_not_commit_them() {
    for last_update in [Timestamp(5), Timestamp(now().get() + 60_000)] {
        let like =
            TransactionValue { producer_id: ProducerId(7), last_update, ..Default::default() };
        for clean in [true, false] {
            check_committed(3, clean, (3, like.clone()), HELD_BACK);
        }
    }
}

#[test]
fn what_was_committed_in_the_last_epoch_of_a_producer_is_committed() {
    let like = |producer_id, previous_producer_id| TransactionValue {
        producer_id,
        previous_producer_id,
        client_transaction_version: 2,
        ..TransactionValue::default()
    };
    let rotated = like(ProducerId(8), Some(ProducerId(7)));
    check_committed(i16::MAX - 1, false, (0, rotated.clone()), COMMITTED);
    // Another has committed since.
    check_committed(i16::MAX - 1, false, (1, rotated.clone()), ABORTED);
    check_committed(3, false, (0, rotated), ABORTED);
}
