//! Books of the coordinator's that are not whole, or cannot be read for a while.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::broker::topic::housekeeping::flush_once;

#[test]
fn what_may_have_been_committed_is_left_as_it_is() {
    let place = Place::new();
    let topics = open_in(&place, &["orders", STATE]);
    leave_open(&topics.get("orders").unwrap().partitions[0]);
    // Of a newer Kafka: it may be about anybody.
    note(&topics, b"\0\0\0\x02tx", Some(b"\0\x63"));
    topics.close().unwrap();
    let topics = place.open();
    assert_eq!(seen(&topics, "orders"), HELD_BACK);
    drop(topics);
    // As soon as it can be read, it is ended.
    let topics = place.open();
    say(&topics, TransactionValue::PREPARES_TO_COMMIT, 3);
    topics.close().unwrap();
    assert_eq!(seen(&place.open(), "orders"), COMMITTED);
}

#[test]
fn what_is_said_behind_what_cannot_be_read_may_be_about_any_of_them() {
    // The coordinator may have decided otherwise since.
    for status in [TransactionValue::ONGOING, TransactionValue::PREPARES_TO_COMMIT] {
        let place = Place::new();
        let topics = open_in(&place, &["orders", STATE]);
        leave_open(&topics.get("orders").unwrap().partitions[0]);
        say(&topics, status, 3);
        note(&topics, b"\0\0\0\x02tx", Some(b"\0\x63"));
        topics.close().unwrap();
        assert_eq!(seen(&place.open(), "orders"), HELD_BACK, "{status}");
    }
}

#[test]
fn books_that_are_closed_do_not_pass_for_empty_ones() {
    let place = Place::new();
    let topics = open_in(&place, &["orders", STATE]);
    leave_open(&topics.get("orders").unwrap().partitions[0]);
    say(&topics, TransactionValue::PREPARES_TO_COMMIT, 3);
    topics.close().unwrap();
    let topics = place.open();
    // A broker that leaves closes one log after the other, and a client may still be there.
    for partition in &topics.get(STATE).unwrap().partitions {
        drop(partition.close());
    }
    assert_eq!(seen(&topics, "orders"), HELD_BACK);
}

#[test]
fn books_of_which_something_is_missing_do_not_tell() {
    let place = Place::new();
    let topics = open_in(&place, &["orders", STATE]);
    leave_open(&topics.get("orders").unwrap().partitions[0]);
    say(&topics, TransactionValue::ONGOING, 3);
    say(&topics, TransactionValue::PREPARES_TO_COMMIT, 3);
    topics.close().unwrap();
    // The last that it said.
    let path = place.dir("__transaction_state-1").join("00000000000000000000.log");
    let bytes = fs::read(&path).unwrap();
    let first = batches(&bytes).next().unwrap().unwrap().size();
    fs::write(&path, &bytes[..first]).unwrap();
    for _ in 0..3 {
        let topics = place.open();
        assert_eq!(seen(&topics, "orders"), HELD_BACK);
        topics.close().unwrap();
    }
}

#[test]
fn what_could_not_be_ended_for_a_moment_is_ended_when_it_can_be() {
    for (status, epoch, want) in [
        (TransactionValue::PREPARES_TO_COMMIT, 4, COMMITTED),
        (TransactionValue::ONGOING, 3, ABORTED),
    ] {
        let place = Place::new();
        let topics = open_in(&place, &["orders", STATE]);
        leave_open(&topics.get("orders").unwrap().partitions[0]);
        say(&topics, status, epoch);
        topics.close().unwrap();
        let topics = place.open();
        let (books, aside) = (place.dir("__transaction_state-1"), place.dir("aside"));
        fs::rename(&books, &aside).unwrap();
        fs::write(&books, b"no directory").unwrap();
        assert_eq!(seen(&topics, "orders"), HELD_BACK);
        flush_once(&topics, false);
        assert_eq!(seen(&topics, "orders"), HELD_BACK);
        fs::remove_file(&books).unwrap();
        fs::rename(&aside, &books).unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while seen(&topics, "orders") == HELD_BACK && Instant::now() < deadline {
            flush_once(&topics, false);
            std::thread::yield_now();
        }
        assert_eq!(seen(&topics, "orders"), want, "{status}");
    }
}

/// Flips a bit of the how many-th batch of the books.
fn damage_books(place: &Place, nth: usize) {
    damage(&place.dir("__transaction_state-1"), nth, 70);
}

#[test]
fn what_was_taken_out_of_the_books_stays_missing_until_its_file_goes() {
    for clean in [true, false] {
        let place = Place::new();
        let topics = open_in(&place, &["orders", STATE]);
        leave_open(&topics.get("orders").unwrap().partitions[0]);
        say(&topics, TransactionValue::ONGOING, 3);
        say(&topics, TransactionValue::PREPARES_TO_COMMIT, 3);
        note(&topics, b"\0\0\0\x02ab", None);
        drop(topics);
        damage_books(&place, 1);
        for _ in 0..3 {
            let topics = place.open();
            assert_eq!(seen(&topics, "orders"), HELD_BACK, "{clean}");
            if clean {
                topics.close().unwrap();
            }
        }
        let kept = fs::read_dir(place.dir("__transaction_state-1")).unwrap();
        let kept = kept.map(|entry| entry.unwrap().path());
        let kept: Vec<_> = kept.filter(|path| path.to_str().unwrap().contains("damaged")).collect();
        assert_eq!(kept.len(), 1, "{kept:?}");
        fs::remove_file(&kept[0]).unwrap();
        // What is left says that it was under way.
        assert_eq!(seen(&place.open(), "orders"), ABORTED, "{clean}");
    }
}

#[test]
fn what_is_damaged_in_the_books_may_be_about_any_transaction() {
    let place = Place::new();
    let topics = open_in(&place, &["orders", "more", STATE]);
    for name in ["orders", "more"] {
        leave_open(&topics.get(name).unwrap().partitions[0]);
    }
    say(&topics, TransactionValue::ONGOING, 3);
    say(&topics, TransactionValue::PREPARES_TO_COMMIT, 3);
    note(&topics, b"\0\0\0\x02ab", None);
    topics.close().unwrap();
    damage_books(&place, 1);
    for _ in 0..3 {
        let topics = place.open();
        assert_eq!(seen(&topics, "orders"), HELD_BACK);
        topics.close().unwrap();
    }
    // What is said behind the damage is the last.
    let topics = place.open();
    say(&topics, TransactionValue::PREPARES_TO_COMMIT, 3);
    assert_eq!(seen(&topics, "more"), COMMITTED);
}

#[test]
fn books_that_were_set_aside_as_nobodys_may_say_something() {
    let place = Place::new();
    let topics = open_in(&place, &["orders"]);
    leave_open(&topics.get("orders").unwrap().partitions[0]);
    topics.close().unwrap();
    let stray = place.dir(&format!("{STATE}-1.{:032x}-stray", 7));
    fs::create_dir(&stray).unwrap();
    for _ in 0..2 {
        let topics = place.open();
        assert_eq!(seen(&topics, "orders"), HELD_BACK);
        topics.close().unwrap();
    }
    fs::remove_dir(&stray).unwrap();
    assert_eq!(seen(&place.open(), "orders"), ABORTED);
}

#[test]
fn a_log_whose_transactions_wait_for_the_books_is_not_locked_meanwhile() {
    let place = Place::new();
    let topics = open_in(&place, &["orders", STATE]);
    leave_open(&topics.get("orders").unwrap().partitions[0]);
    say(&topics, TransactionValue::PREPARES_TO_COMMIT, 4);
    topics.close().unwrap();
    let topics = place.open();
    let (orders, books) = (topics.get("orders").unwrap(), topics.get(STATE).unwrap());
    let (locked, is_locked) = mpsc::channel();
    let (unlock, unlocked) = mpsc::channel::<()>();
    let (told, answer) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            let hold = |_: &mut crate::log::Log<_>| {
                locked.send(()).unwrap();
                // Until the test lets go of it, however it ends.
                let _ = unlocked.recv();
            };
            books.partitions[0].ask(hold).unwrap();
        });
        is_locked.recv().unwrap();
        scope.spawn(|| seen(&topics, "orders"));
        let orders = orders.partitions[0].clone();
        scope.spawn(move || {
            let deadline = Instant::now() + Duration::from_secs(30);
            while orders.if_open(|_| ()).is_none() && Instant::now() < deadline {
                thread::yield_now();
            }
            told.send(orders.bytes_on_disk()).unwrap();
        });
        let answer = answer.recv_timeout(Duration::from_secs(30));
        drop(unlock);
        assert!(0 < answer.expect("it waits for the books"));
    });
    assert_eq!(seen(&topics, "orders"), COMMITTED);
}

#[test]
fn the_books_are_read_once_for_all_logs_and_on_when_they_grew() {
    let place = Place::new();
    let topics = open_in(&place, &["orders", "more", STATE]);
    for name in ["orders", "more"] {
        leave_open(&topics.get(name).unwrap().partitions[0]);
    }
    (0..50).for_each(|_| say(&topics, TransactionValue::ONGOING, 3));
    topics.close().unwrap();
    let topics = place.open();
    for (name, read) in [("orders", 50), ("more", 51)] {
        assert_eq!(seen(&topics, name), ABORTED);
        let core = &topics.get(name).unwrap().core;
        assert_eq!(core.coordination.read_count(), read, "{name}, and the fence of the first");
    }
}

/// More transactional ids than are kept for whoever asks next.
#[test]
fn what_is_said_among_very_many_is_found() {
    let place = Place::new();
    let topics = open_in(&place, &["orders", "more", STATE]);
    leave_open(&topics.get("orders").unwrap().partitions[0]);
    let other = Producer { id: ProducerId(8), epoch: ProducerEpoch(3), base_sequence: 0 };
    leave_open_of(&topics.get("more").unwrap().partitions[0], other);
    say(&topics, TransactionValue::PREPARES_TO_COMMIT, 4);
    say_of("other", &topics, TransactionValue::PREPARES_TO_COMMIT, 4, |value| {
        value.producer_id = ProducerId(8);
    });
    let ids: Vec<String> = (0..20_000).map(|n| format!("{n:0>40}")).collect();
    for ids in ids.chunks(1_000) {
        let mut batch = BatchBuilder::new();
        for id in ids {
            let value = TransactionValue { producer_id: ProducerId(9), ..Default::default() };
            let key = TransactionKey { transactional_id: id.as_str().into() };
            let record = TransactionRecord { key, value: Some(value), version: 0 };
            let (key, value) = record.encode().unwrap();
            batch.push(now(), &Record { key: Some(&key), value: value.as_deref(), headers: &[] });
        }
        put(&topics.get(STATE).unwrap().partitions[1], &batch.build());
    }
    topics.close().unwrap();
    let topics = place.open();
    for name in ["orders", "more"] {
        assert_eq!(seen(&topics, name), COMMITTED, "{name}");
    }
}
