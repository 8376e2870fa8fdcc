//! Single facts about the engine.

use super::faulty::{Dice, FaultyDisk};
use super::*;

fn fresh() -> (FaultyDisk, Log<FaultyDisk>) {
    let disk = FaultyDisk::new();
    let (log, _) = open(&disk, Known::default());
    (disk, log)
}

#[test]
fn an_idle_log_makes_no_file() {
    let (disk, mut log) = fresh();
    assert_eq!((log.start(), log.end()), (Offset(0), Offset(0)));
    assert!(log.read(Offset(0), Offset(0), 100).unwrap().is_none());
    assert!(matches!(log.read(Offset(1), Offset(1), 1), Err(ReadError::OutOfRange { .. })));
    log.close(Timestamp(0)).unwrap();
    assert!(disk.files().is_empty());
}

#[test]
fn a_warm_append_is_one_sync_and_the_first_is_four() {
    let (disk, mut log) = fresh();
    append(&mut log, &batch(1, &["a"])).unwrap();
    sync(&mut log);
    assert_eq!(disk.syncs(), 4, "partition.metadata, the log, its directory, the data directory");
    append(&mut log, &batch(2, &["b"])).unwrap();
    sync(&mut log);
    assert_eq!(disk.syncs(), 5);
    assert!(log.sync_target().is_none());
}

#[test]
fn a_full_disk_leaves_nothing_in_the_way() {
    let (disk, mut log) = fresh();
    append(&mut log, &batch(1, &["a"])).unwrap();
    disk.leave(30);
    for _ in 0..3 {
        let error = append(&mut log, &batch(2, &["lost"])).unwrap_err();
        assert!(matches!(error, AppendError::Disk { error, .. }
            if error.kind() == io::ErrorKind::StorageFull));
    }
    disk.make_room();
    append(&mut log, &batch(3, &["b"])).unwrap();
    assert_eq!(contents(&mut log), [(0, "a".into()), (1, "b".into())]);
}

#[test]
fn the_first_append_on_a_full_disk_can_be_tried_again() {
    let (disk, mut log) = fresh();
    disk.fill_up();
    assert!(append(&mut log, &batch(1, &["a"])).is_err());
    disk.leave(60);
    assert!(append(&mut log, &batch(1, &["a"])).is_err());
    disk.make_room();
    append(&mut log, &batch(1, &["a"])).unwrap();
    assert_eq!(contents(&mut log), [(0, "a".into())]);
}

#[test]
fn after_a_failed_sync_nothing_is_taken_until_it_is_opened_again() {
    let (disk, mut log) = fresh();
    append(&mut log, &batch(1, &["a"])).unwrap();
    let target = log.sync_target().unwrap();
    disk.syncs_fail(true);
    assert!(target.run().is_err());
    disk.syncs_fail(false);
    assert!(log.sync_target().unwrap().run().is_err(), "the kernel tells only the first");
    assert!(matches!(append(&mut log, &batch(2, &["b"])), Err(AppendError::Poisoned)));
    assert!(log.close(Timestamp(0)).is_err());
}

#[test]
fn what_a_failed_sync_left_in_memory_is_written_again_before_it_is_promised() {
    let (mut disk, mut log) = fresh();
    append(&mut log, &batch(1, &["a"])).unwrap();
    sync(&mut log);
    append(&mut log, &batch(2, &["b"])).unwrap();
    disk.syncs_fail(true);
    assert!(log.sync_target().unwrap().run().is_err());
    drop(log);
    // The page cache outlives the process: all looks well, and no page is to be written.
    disk.process_dies();
    let (mut log, _) = open(&disk, Known::default());
    let held = contents(&mut log);
    assert_eq!(held.len(), 2);
    sync(&mut log);
    disk.power_fails(&mut Dice(1));
    assert_eq!(contents(&mut open(&disk, Known::default()).0), held);
    assert!(!disk.files().iter().any(|path| path.ends_with("kaw-unsynced")));
}

#[test]
fn a_roll_that_fails_leaves_no_segment_behind() {
    for calls in 0..30 {
        let (mut disk, mut log) = fresh();
        append(&mut log, &batch(1, &["x".repeat(1300).as_str()])).unwrap();
        disk.fail_after(calls, io::ErrorKind::Other);
        let _ = append(&mut log, &batch(2, &["y".repeat(300).as_str()]));
        disk.nothing_fails();
        append(&mut log, &batch(3, &["small"])).unwrap();
        append(&mut log, &batch(4, &["z".repeat(300).as_str()])).unwrap();
        let held = contents(&mut log);
        log.close(Timestamp(0)).unwrap();
        disk.process_dies();
        let (mut log, recovered) = open(&disk, Known { trust: Trust::Nothing, ..Known::default() });
        assert_eq!((contents(&mut log), recovered.set_aside), (held, vec![]), "{calls}");
    }
}

#[test]
fn the_latest_time_is_that_of_a_record_that_is_still_there() {
    let (_, mut log) = fresh();
    for (time, value) in [(5, "a"), (9, "b"), (7, "c"), (6, "d")] {
        append(&mut log, &batch(time, &[value])).unwrap();
    }
    sync(&mut log);
    for (start, want) in [(0, 1), (2, 2), (3, 3)] {
        removed(&mut log, |log| log.remove_before(Offset(start), Timestamp(0))).unwrap();
        assert_eq!(offset_of_max_timestamp(&mut log).unwrap().offset, Offset(want));
    }
    removed(&mut log, |log| log.remove_before(Offset(4), Timestamp(0))).unwrap();
    assert_eq!(offset_of_max_timestamp(&mut log), None);
}

#[test]
fn a_sync_that_fails_for_a_checkpoint_counts_for_those_who_wait_for_an_ack() {
    let (disk, mut log) = fresh();
    append(&mut log, &batch(1, &["a"])).unwrap();
    let checkpoint = log.checkpoint().unwrap();
    disk.syncs_fail(true);
    assert!(checkpoint.run().is_err());
    disk.syncs_fail(false);
    assert!(log.sync_target().unwrap().run().is_err());
    assert!(matches!(append(&mut log, &batch(2, &["b"])), Err(AppendError::Poisoned)));
}

#[test]
fn a_checkpoint_that_cannot_be_written_stops_nobody() {
    let (disk, mut log) = fresh();
    append(&mut log, &batch(1, &["a"])).unwrap();
    let checkpoint = log.checkpoint().unwrap();
    disk.fill_up();
    assert!(checkpoint.run().is_err());
    disk.make_room();
    append(&mut log, &batch(2, &["b"])).unwrap();
    sync(&mut log);
    assert!(log.sync_target().is_none());
}

#[test]
fn what_a_producer_sends_twice_is_there_once() {
    let (mut disk, mut log) = fresh();
    let sent: Vec<_> = (0..7).map(|n| idempotent(5, 0, n * 2, &["x", "y"])).collect();
    for (n, bytes) in sent.iter().enumerate() {
        assert_eq!(append(&mut log, bytes).unwrap().base_offset, Offset(n as i64 * 2));
    }
    let clean = Known { trust: Trust::Clean, ..Known::default() };
    for after in [None, Some(Known::default()), Some(clean)] {
        if let Some(known) = after {
            match known.trust {
                Trust::Clean => log.close(Timestamp(0)).unwrap(),
                _ => drop(log),
            }
            disk.process_dies();
            log = open(&disk, known).0;
        }
        for (n, bytes) in sent.iter().enumerate().skip(2) {
            let again = append(&mut log, bytes).unwrap();
            assert_eq!(again.outcome, Outcome::Duplicate);
            assert_eq!(again.base_offset, Offset(n as i64 * 2));
            assert_eq!(again.last_offset, Offset(n as i64 * 2 + 1));
        }
        let too_old = append(&mut log, &sent[1]).unwrap_err();
        assert!(matches!(too_old, AppendError::OutOfOrder { expected: 14, found: 2 }));
    }
}

#[test]
fn sequences_and_epochs_are_held_as_kafka_holds_them() {
    let (_, mut log) = fresh();
    append(&mut log, &idempotent(1, 3, 17, &["any first sequence"])).unwrap();
    let gap = append(&mut log, &idempotent(1, 3, 19, &["gap"])).unwrap_err();
    assert!(matches!(gap, AppendError::OutOfOrder { expected: 18, found: 19 }));
    let fenced = append(&mut log, &idempotent(1, 2, 18, &["old epoch"])).unwrap_err();
    assert!(matches!(fenced, AppendError::Fenced));
    let restart = append(&mut log, &idempotent(1, 4, 18, &["new epoch"])).unwrap_err();
    assert!(matches!(restart, AppendError::OutOfOrder { expected: 0, .. }));
    append(&mut log, &idempotent(1, 4, 0, &["new epoch"])).unwrap();
    append(&mut log, &idempotent(2, 0, i32::MAX, &["wraps", "around"])).unwrap();
    append(&mut log, &idempotent(2, 0, 1, &["next"])).unwrap();
    let twice = append(&mut log, &idempotent(2, 0, i32::MAX, &["wraps", "around"])).unwrap();
    assert_eq!(twice.outcome, Outcome::Duplicate);
}

#[test]
fn a_torn_tail_is_cut_and_said() {
    let (mut disk, mut log) = fresh();
    append(&mut log, &batch(1, &["a"])).unwrap();
    sync(&mut log);
    let whole = log.bytes() as usize;
    append(&mut log, &batch(2, &["torn"])).unwrap();
    let path = Path::new(DIR).join("00000000000000000000.log");
    let file = disk.open(&path, Open::Existing).unwrap();
    file.set_len(whole as u64 + 70).unwrap();
    drop(log);
    disk.process_dies();
    let (mut log, recovered) = open(&disk, Known::default());
    let torn = recovered.torn.unwrap();
    assert_eq!((torn.position, torn.bytes), (whole as u64, 70));
    assert_eq!(contents(&mut log), [(0, "a".into())]);
}

/// Headers that promise a long batch each, none of which is there: to try them all would take the
/// square of the file's length.
#[test]
fn a_tail_made_to_be_searched_for_ever_is_not_and_is_kept() {
    let (mut disk, mut log) = fresh();
    append(&mut log, &batch(1, &["a"])).unwrap();
    sync(&mut log);
    let whole = log.bytes();
    drop(log);
    let path = Path::new(DIR).join("00000000000000000000.log");
    let bytes = 4 << 20;
    let mut header = batch(2, &["b"])[..61].to_vec();
    header[..8].copy_from_slice(&1i64.to_be_bytes());
    header[17] ^= 1;
    let mut tail = Vec::with_capacity(bytes);
    while tail.len() + header.len() <= bytes {
        let left = (bytes - tail.len() - 12) as i32;
        header[8..12].copy_from_slice(&left.to_be_bytes());
        tail.extend_from_slice(&header);
    }
    tail.resize(bytes, 0);
    disk.open(&path, Open::Existing).unwrap().write_at([&tail, &[]], whole).unwrap();
    disk.process_dies();
    let before = disk.read_bytes();
    let (mut log, recovered) = open(&disk, Known::default());
    let read = disk.read_bytes() - before;
    assert!(read < 64 * tail.len() as u64, "{read} bytes read of {}", tail.len());
    assert_eq!(contents(&mut log), [(0, "a".into())]);
    // Nobody knows whether there is something good in it.
    assert!(recovered.torn.is_none());
    assert_eq!(recovered.set_aside[0].bytes, tail.len() as u64);
}

#[test]
fn damage_before_good_batches_is_kept_beside_the_log() {
    let (mut disk, mut log) = fresh();
    let mut starts = Vec::new();
    for n in 0..30 {
        starts.push(log.bytes());
        append(&mut log, &batch(n, &[&format!("value {n}"), &"x".repeat(50)])).unwrap();
    }
    assert!(log.segments.len() > 1);
    sync(&mut log);
    let whole = contents(&mut log);
    drop(log);
    let path = Path::new(DIR).join("00000000000000000000.log");
    disk.damage(&path, starts[3] as usize + 80);
    disk.process_dies();
    let (mut log, recovered) = open(&disk, Known::default());
    assert_eq!(contents(&mut log), whole[..6]);
    assert!(recovered.torn.is_none());
    let kept: u64 = recovered.set_aside.iter().map(|aside| aside.bytes).sum();
    assert_eq!(kept + log.bytes(), starts[29] + (starts[29] - starts[28]));
    let batches: u32 = recovered.set_aside.iter().map(|aside| aside.batches).sum();
    assert_eq!(batches, 26);
    for aside in &recovered.set_aside {
        assert_eq!(disk.read(&aside.kept_at).unwrap().len() as u64, aside.bytes);
    }
    append(&mut log, &batch(99, &["goes on"])).unwrap();
    assert_eq!(contents(&mut log).last().unwrap(), &(6, "goes on".into()));
}

#[test]
fn recovery_reads_only_what_came_after_the_checkpoint() {
    let (mut disk, mut log) = fresh();
    for n in 0..50 {
        append(&mut log, &batch(n, &["some value"])).unwrap();
    }
    let checkpoint = log.checkpoint().unwrap();
    checkpoint.run().unwrap();
    log.checkpointed(&checkpoint);
    assert_eq!(log.unchecked_bytes, 0);
    append(&mut log, &batch(50, &["after"])).unwrap();
    let (tail, all) = (log.unchecked_bytes, contents(&mut log));
    drop(log);
    disk.power_fails(&mut Dice(1));
    disk.process_dies();
    let (mut log, recovered) = open(&disk, Known::default());
    assert!(recovered.scanned_bytes <= tail);
    assert_eq!(contents(&mut log)[..50], all[..50]);
    let (log, recovered) = open(&disk, Known { trust: Trust::Nothing, ..Known::default() });
    assert!(recovered.scanned_bytes > tail && log.sync_target().is_some());
    let (log, recovered) = open(&disk, Known { trust: Trust::CleanButRead, ..Known::default() });
    assert!(recovered.scanned_bytes > tail && log.sync_target().is_none());
}

#[test]
fn a_crash_costs_reading_what_came_after_the_checkpoint_and_little_more() {
    let mut disk = FaultyDisk::new();
    let large = Settings { segment_bytes: 1 << 20, ..SMALL };
    let opened = |disk: &FaultyDisk| {
        let known = Known::default();
        Log::open(disk.clone(), Path::new(DIR), TOPIC_ID, large, known, Timestamp(0)).unwrap()
    };
    let mut log = opened(&disk).0;
    for n in 0..3000 {
        append(&mut log, &batch(n, &["x".repeat(200).as_str()])).unwrap();
    }
    let checkpoint = log.checkpoint().unwrap();
    checkpoint.run().unwrap();
    log.checkpointed(&checkpoint);
    for n in 0..100 {
        append(&mut log, &batch(n, &["x".repeat(200).as_str()])).unwrap();
    }
    let (tail, whole) = (log.unchecked_bytes, log.bytes());
    drop(log);
    disk.process_dies();
    let before = disk.read_bytes();
    assert_eq!(opened(&disk).1.scanned_bytes, tail);
    // Beside the tail: both indexes, which are not read again but taken, and two windows of
    // headers.
    let indexes = whole / u64::from(SMALL.index_interval_bytes) * 20;
    let read = disk.read_bytes() - before;
    assert!(read < tail + indexes + (10 << 10), "{read} bytes of {whole} for a tail of {tail}");
}

#[test]
fn records_are_found_by_time() {
    let (_, mut log) = fresh();
    let times = [100, 50, 300, 200, 300, 1000, 400];
    for n in 0..70 {
        let time = times[n % 7] + (n / 7) as i64 * 10_000;
        append(&mut log, &batch(time, &[&format!("{n} {}", "x".repeat(40))])).unwrap();
    }
    let mut find = |time| offset_for_timestamp(&mut log, time).map(|f| f.offset.get());
    assert_eq!(find(0), Some(0));
    assert_eq!(find(100), Some(0));
    assert_eq!(find(101), Some(2));
    assert_eq!(find(301), Some(5));
    assert_eq!(find(1001), Some(7));
    assert_eq!(find(50_200), Some(37));
    assert_eq!(find(91_000), Some(68));
    assert_eq!(find(91_001), None);
    let max = offset_of_max_timestamp(&mut log).unwrap();
    assert_eq!((max.offset, max.timestamp), (Offset(68), Timestamp(91_000)));
}

#[test]
fn slices_are_whole_batches_of_one_segment() {
    let (_, mut log) = fresh();
    for n in 0..60 {
        append(&mut log, &batch(n, &[&format!("{n}"), "second", "third"])).unwrap();
    }
    let whole = contents_by(&mut log, u32::MAX);
    assert_eq!(whole.len(), 180);
    for bytes_max in [0, 1, 100, 101, 333, 5000] {
        assert_eq!(contents_by(&mut log, bytes_max), whole, "{bytes_max}");
    }
    for from in 0..180 {
        let slice = log.read(Offset(from), Offset(180), 1).unwrap().unwrap();
        let bytes = slice.load().unwrap();
        let batch = BatchView::parse(&bytes).unwrap();
        assert_eq!(batch.size(), bytes.len());
        assert!(batch.base_offset().get() <= from && from <= batch.last_offset().get());
        let end = from / 3 * 3;
        assert!(log.read(Offset(from), Offset(end), 1).unwrap().is_none());
    }
    let bounded = log.read(Offset(0), Offset(9), u32::MAX).unwrap().unwrap().load().unwrap();
    assert_eq!(batches(&bounded).last().unwrap().unwrap().next_offset(), Offset(9));
}

#[test]
fn records_without_times_age_from_when_they_were_written_last() {
    let (_, mut log) = fresh();
    for now in [0, 1000] {
        log.append(&BatchView::parse(&batch(-1, &["timeless"])).unwrap(), stamp(now)).unwrap();
    }
    let keep = Retention { ms: Some(10), bytes: None };
    assert_eq!(
        removed(&mut log, |log| log.remove_expired(&keep, Timestamp(1010))).unwrap(),
        Removed::default()
    );
    assert_eq!(
        removed(&mut log, |log| log.remove_expired(&keep, Timestamp(1011))).unwrap().segments,
        1
    );
}

#[test]
fn expired_segments_go_and_the_end_stays() {
    let (mut disk, mut log) = fresh();
    for n in 0..40 {
        append(&mut log, &batch(n, &["0123456789012345678901234567890123456789"])).unwrap();
    }
    let keep = Retention { ms: Some(10), bytes: None };
    let slice = log.read(Offset(0), Offset(40), 100).unwrap().unwrap();
    let first = removed(&mut log, |log| log.remove_expired(&keep, Timestamp(35))).unwrap();
    assert!(first.segments > 0 && log.start() > Offset(0));
    assert!(slice.load().is_ok(), "who reads goes on reading");
    let all_gone = removed(&mut log, |log| log.remove_expired(&keep, Timestamp(1000))).unwrap();
    assert!(all_gone.segments > 0);
    assert_eq!((log.start(), log.end(), log.bytes()), (Offset(40), Offset(40), 0));
    assert_eq!(
        removed(&mut log, |log| log.remove_expired(&keep, Timestamp(1000))).unwrap(),
        Removed::default()
    );
    log.close(Timestamp(1000)).unwrap();
    disk.process_dies();
    let (mut log, _) = open(&disk, Known::default());
    assert_eq!((log.start(), log.end()), (Offset(40), Offset(40)));
    append(&mut log, &batch(2000, &["next"])).unwrap();
    assert_eq!(contents(&mut log), [(40, "next".into())]);
}

#[test]
fn records_that_cannot_be_read_are_sought_where_their_batch_begins() {
    let (_, mut log) = fresh();
    append(&mut log, &batch(100, &["a"])).unwrap();
    let mut bad = batch(200, &["b", "c"]);
    *bad.last_mut().unwrap() = 1;
    append(&mut log, &bad).unwrap();
    append(&mut log, &batch(150, &["d"])).unwrap();
    let mut find = |time| offset_for_timestamp(&mut log, time).map(|f| f.offset.get());
    assert_eq!((find(100), find(101), find(200), find(201)), (Some(0), Some(1), Some(1), None));
    assert_eq!(offset_of_max_timestamp(&mut log).unwrap().offset, Offset(1));
    removed(&mut log, |log| log.remove_before(Offset(2), Timestamp(0))).unwrap();
    assert_eq!(offset_of_max_timestamp(&mut log).unwrap().offset, Offset(2));
}

#[test]
fn of_many_producers_the_oldest_are_forgotten() {
    let (_, mut log) = fresh();
    log.configure(Settings { producers_max: 20, ..SMALL });
    for id in 0..21 {
        append(&mut log, &idempotent(id, 0, 0, &["a"])).unwrap();
    }
    let known = |log: &Log<FaultyDisk>| {
        let mut ids: Vec<_> = log.producers.states().map(|(id, _)| id.get()).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(known(&log), (3..21).collect::<Vec<_>>());
    // Who wrote again is not the oldest any more.
    append(&mut log, &idempotent(3, 0, 1, &["a"])).unwrap();
    for id in 21..24 {
        append(&mut log, &idempotent(id, 0, 0, &["a"])).unwrap();
    }
    assert_eq!(known(&log), [3].into_iter().chain(7..24).collect::<Vec<_>>());
}

#[test]
fn append_time_is_stamped_on_every_record() {
    let (_, mut log) = fresh();
    let bytes = batch(5, &["a", "b"]);
    let view = BatchView::parse(&bytes).unwrap();
    let stamp = Stamp { leader_epoch: LeaderEpoch(4), now: Timestamp(777), times: Times::Append };
    let appended = log.append(&view, stamp).unwrap();
    assert_eq!(appended.append_time, Some(Timestamp(777)));
    let stored = log.read(Offset(0), Offset(2), 1000).unwrap().unwrap().load().unwrap();
    let stored = BatchView::parse(&stored).unwrap();
    stored.check_crc().unwrap();
    assert_eq!(stored.leader_epoch(), LeaderEpoch(4));
    let mut scratch = Scratch::default();
    let mut records = stored.records(&mut scratch, 1000).unwrap();
    assert_eq!(records.next().unwrap().unwrap().timestamp, Timestamp(777));
    let found = offset_for_timestamp(&mut log, 700).unwrap();
    assert_eq!((found.offset, found.leader_epoch), (Offset(0), LeaderEpoch(4)));
}

#[test]
fn a_directory_of_another_topic_is_refused() {
    let (disk, mut log) = fresh();
    append(&mut log, &batch(1, &["a"])).unwrap();
    drop(log);
    let other = Uuid([8; 16]);
    let opened =
        Log::open(disk, Path::new(DIR), other, SMALL, Known::default(), Timestamp(0)).err();
    assert!(matches!(opened, Some(OpenError::OtherTopic { found: TOPIC_ID, .. })));
}

/// What Apache Kafka's coordinator writes when it decides a transaction: i16 version, i16 kind.
fn marker(id: i64) -> Vec<u8> {
    let producer = Producer { id: ProducerId(id), epoch: ProducerEpoch(0), base_sequence: -1 };
    let mut builder = BatchBuilder::new().producer(producer).transactional().control();
    let (key, value) = (Some(&[0, 0, 0, 0][..]), Some(&[0; 6][..]));
    builder.push(Timestamp(1), &Record { key, value, headers: &[] });
    builder.build()
}

fn transactional(id: i64, base_sequence: i32) -> Vec<u8> {
    let producer = Producer { id: ProducerId(id), epoch: ProducerEpoch(0), base_sequence };
    let mut builder = BatchBuilder::new().producer(producer).transactional();
    builder.push(Timestamp(1), &Record { value: Some(b"t"), ..Record::default() });
    builder.build()
}

#[test]
fn what_is_not_decided_ends_what_is_stable_until_its_marker_comes() {
    let (mut disk, mut log) = fresh();
    append(&mut log, &batch(1, &["a"])).unwrap();
    append(&mut log, &transactional(5, 0)).unwrap();
    append(&mut log, &transactional(6, 0)).unwrap();
    append(&mut log, &marker(6)).unwrap();
    for clean in [false, true] {
        assert_eq!((log.stable_end(), log.end()), (Offset(1), Offset(4)), "{clean}");
        match clean {
            true => log.close(Timestamp(0)).unwrap(),
            false => drop(log),
        }
        disk.process_dies();
        log = open(&disk, Known { trust: Trust::Unclean, ..Known::default() }).0;
    }
    append(&mut log, &marker(5)).unwrap();
    assert_eq!(log.stable_end(), Offset(5));
}

#[test]
fn aborted_transactions_are_known_from_apaches_index() {
    let (mut disk, mut log) = fresh();
    append(&mut log, &transactional(5, 0)).unwrap();
    append(&mut log, &marker(5)).unwrap();
    append(&mut log, &batch(1, &["a"])).unwrap();
    log.close(Timestamp(0)).unwrap();
    let path = Path::new(DIR).join("00000000000000000000.txnindex");
    let aborted = Aborted {
        producer: ProducerId(5),
        first: Offset(0),
        last: Offset(1),
        // No other than what is written here.
        stable_end: Offset(1),
    };
    let write = |disk: &FaultyDisk, bytes: &[u8]| {
        disk.open(&path, Open::OrCreate).unwrap().write_at([bytes, &[]], 0).unwrap();
    };
    write(&disk, &aborted::file(&[aborted]));
    disk.process_dies();
    let mut log = open(&disk, Known::default()).0;
    assert_eq!(log.aborted(Offset(0), Offset(3)).unwrap(), [aborted]);
    assert_eq!(log.aborted(Offset(2), Offset(3)).unwrap(), []);
    write(&disk, b"damaged");
    let known = Known::default();
    let opened = Log::open(disk, Path::new(DIR), TOPIC_ID, SMALL, known, Timestamp(0));
    assert!(matches!(opened, Err(OpenError::TransactionIndex { .. })));
}

#[test]
fn what_could_not_be_set_aside_whole_takes_no_room() {
    let (mut disk, mut log) = fresh();
    let mut starts = Vec::new();
    for n in 0..8 {
        starts.push(log.bytes() as usize);
        append(&mut log, &batch(n, &[&"x".repeat(60)])).unwrap();
    }
    sync(&mut log);
    drop(log);
    let path = Path::new(DIR).join("00000000000000000000.log");
    disk.damage(&path, starts[3] + 80);
    disk.process_dies();
    disk.leave(100);
    for _ in 0..3 {
        let known = Known::default();
        let opened = Log::open(disk.clone(), Path::new(DIR), TOPIC_ID, SMALL, known, Timestamp(0));
        assert!(opened.is_err(), "the disk is full");
        let is_copy = |path: &std::path::PathBuf| path.to_string_lossy().contains("damaged");
        assert!(!disk.files().iter().any(is_copy), "{:?}", disk.files());
    }
}

#[test]
fn a_log_whose_files_could_not_be_opened_is_synced_later() {
    let (disk, mut log) = fresh();
    append(&mut log, &batch(1, &["a"])).unwrap();
    disk.fail_after(0, io::ErrorKind::NotFound);
    assert!(log.sync_target().unwrap().run().is_err());
    disk.nothing_fails();
    sync(&mut log);
    append(&mut log, &batch(2, &["b"])).unwrap();
}

#[test]
fn an_empty_segment_is_not_rolled_however_small_its_index_may_be() {
    let disk = FaultyDisk::new();
    let settings = Settings { index_bytes_max: 4, ..SMALL };
    let known = Known::default();
    let mut log =
        Log::open(disk, Path::new(DIR), TOPIC_ID, settings, known, Timestamp(0)).unwrap().0;
    append(&mut log, &batch(1, &["a"])).unwrap();
    removed(&mut log, |log| {
        log.remove_expired(&Retention { ms: None, bytes: Some(0) }, Timestamp(1))
    })
    .unwrap();
    append(&mut log, &batch(2, &["b"])).unwrap();
    append(&mut log, &batch(3, &["c"])).unwrap();
    assert_eq!(contents(&mut log), [(1, "b".into()), (2, "c".into())]);
    let bases: Vec<_> = log.segments.iter().map(|segment| segment.base).collect();
    assert_eq!(bases, [Offset(1), Offset(2)]);
}

/// As an import of old records: all of them have outlived their time when they come.
#[test]
fn who_writes_old_records_all_the_time_keeps_none_from_going() {
    let disk = FaultyDisk::new();
    let (mut log, _) = open(&disk, Known::default());
    let large = "x".repeat(700);
    for _ in 0..10 {
        append(&mut log, &batch(1, &[&large])).unwrap();
    }
    let keep = Retention { ms: Some(100), bytes: None };
    let mut gone = 0;
    // What Partition::remove allows itself.
    for _ in 0..3 {
        match log.remove_expired(&keep, Timestamp(1000)).unwrap() {
            Removal::Done(removed) => {
                gone += removed.segments;
                break;
            }
            Removal::After(removed, checkpoint) => {
                gone += removed.segments;
                append(&mut log, &batch(1, &["old"])).unwrap();
                checkpoint.run().unwrap();
                log.checkpointed(&checkpoint);
            }
        }
    }
    assert!(4 < gone, "{gone} of {} segments went", log.segments.len());
}

#[test]
fn what_is_to_go_makes_room_on_a_full_disk() {
    let (disk, mut log) = fresh();
    let large = "x".repeat(700);
    for n in 0..10 {
        append(&mut log, &idempotent(5, 0, n, &[&large])).unwrap();
    }
    let checkpoint = log.checkpoint().unwrap();
    checkpoint.run().unwrap();
    log.checkpointed(&checkpoint);
    disk.fill_up();
    let gone = removed(&mut log, |log| log.remove_before(Offset(8), Timestamp(0))).unwrap();
    assert_eq!((gone.segments, log.start()), (8, Offset(8)));
    append(&mut log, &idempotent(5, 0, 10, &[&large])).unwrap();
}

/// A power loss at any moment of it takes nothing, and nobody says that it did.
#[test]
fn what_went_to_make_room_is_not_called_lost() {
    let large = "x".repeat(700);
    for changes in 0.. {
        let (mut disk, mut log) = fresh();
        for n in 0..10 {
            append(&mut log, &idempotent(5, 0, n, &[&large])).unwrap();
        }
        let checkpoint = log.checkpoint().unwrap();
        checkpoint.run().unwrap();
        log.checkpointed(&checkpoint);
        let recovery_point = log.known().recovery_point;
        disk.fill_up();
        disk.crash_after(changes);
        let trimmed = removed(&mut log, |log| log.remove_before(Offset(8), Timestamp(0)));
        let was_out = disk.power_is_out();
        drop(log);
        disk.power_fails(&mut Dice(changes));
        disk.make_room();
        let known = Known { recovery_point, is_ours: true, ..Known::default() };
        let (mut log, recovered) = open(&disk, known);
        assert!(recovered.is_whole(), "after {changes} changes: {recovered:?}");
        let again = append(&mut log, &idempotent(5, 0, 9, &[&large])).unwrap();
        assert_eq!(again.outcome, Outcome::Duplicate, "after {changes} changes");
        if !was_out {
            trimmed.unwrap();
            return;
        }
    }
}
