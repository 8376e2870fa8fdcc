//! Logs that may have lost the end of a transaction.

use super::*;
use crate::log::inspect::{self, Condition, Expected};

/// The marker that commits it.
fn commit(partition: &Partition) {
    let producer = Producer { id: ProducerId(7), epoch: ProducerEpoch(3), base_sequence: -1 };
    let mut marker = BatchBuilder::new().producer(producer).transactional().control();
    let record = Record { key: Some(&[0, 0, 0, 1]), value: Some(&[0; 6]), headers: &[] };
    marker.push(now(), &record);
    put(partition, &marker.build());
}

#[test]
fn what_was_committed_before_a_repair_took_its_marker_out_is_not_aborted() {
    // Of the marker: its producer, and what it decides.
    for byte in [50, 60 + 8] {
        let place = Place::new();
        let topics = open_in(&place, &["orders", STATE]);
        let id = topics.get("orders").unwrap().id();
        let orders = topics.get("orders").unwrap().partitions[0].clone();
        leave_open(&orders);
        commit(&orders);
        append_to(&orders);
        // Its application was started anew since.
        say(&topics, 0, 4);
        assert_eq!(seen(&topics, "orders"), (4, 4, 0));
        topics.close().unwrap();

        let dir = place.dir("orders-0");
        damage(&dir, 2, byte);
        let expected = Expected {
            condition: Condition::Clean,
            topic_id: Some(id),
            recovery_point: Some(Offset(4)),
            ..Expected::default()
        };
        inspect::repair(&dir, &expected, inspect::Mode::Do, now()).unwrap();
        let topics = place.open();
        let (_, end, aborted) = seen(&topics, "orders");
        assert_eq!((end, aborted), (4, 0), "{byte}: aborted what was committed");
    }
}

#[test]
fn a_kill_behind_the_end_of_a_transaction_leaves_no_damage() {
    let place = Place::new();
    let topics = open_in(&place, &["orders"]);
    let id = topics.get("orders").unwrap().id();
    leave_open(&topics.get("orders").unwrap().partitions[0]);
    topics.close().unwrap();
    let topics = place.open();
    assert_eq!(seen(&topics, "orders"), ABORTED);
    drop(topics);
    for condition in [Condition::Live, Condition::Unclean] {
        let recovery_point = Some(Offset(2));
        let expected =
            Expected { condition, topic_id: Some(id), recovery_point, ..Expected::default() };
        let verified = inspect::verify(&place.dir("orders-0"), &expected).unwrap();
        let said: Vec<_> = verified.findings.list().iter().map(ToString::to_string).collect();
        assert!(!verified.findings.is_damaged(), "{condition:?}: {said:?}");
    }
}

/// A kill of Apache's, and a bit that has flipped since in the marker.
#[test]
fn what_was_committed_before_its_marker_was_set_aside_is_not_aborted() {
    for clean in [true, false] {
        let place = Place::new();
        let topics = open_in(&place, &["orders", STATE]);
        let orders = topics.get("orders").unwrap().partitions[0].clone();
        leave_open(&orders);
        commit(&orders);
        append_to(&orders);
        // Its application was started anew since.
        say(&topics, 0, 4);
        drop((topics, orders));
        damage(&place.dir("orders-0"), 2, 61);
        for _ in 0..3 {
            let topics = place.open();
            assert_eq!(seen(&topics, "orders"), HELD_BACK, "{clean}");
            if clean {
                topics.close().unwrap();
            }
        }
    }
}
