//! Transactions that the log ends, on a disk that fails.

use super::faulty::{Dice, FaultyDisk};
use super::*;

fn transactional(id: i64, base_sequence: i32) -> Vec<u8> {
    let producer = Producer { id: ProducerId(id), epoch: ProducerEpoch(3), base_sequence };
    let mut builder = BatchBuilder::new().producer(producer).transactional();
    builder.push(Timestamp(1), &Record { value: Some(b"t"), ..Record::default() });
    builder.build()
}

/// Records of producers 5 and 6, and one of nobody, at offsets 0 to 3.
fn undecided(disk: &FaultyDisk) -> Log<FaultyDisk> {
    let mut log = open(disk, Known::default()).0;
    for bytes in [transactional(5, 0), transactional(6, 0), batch(1, &["a"]), transactional(5, 1)] {
        append(&mut log, &bytes).unwrap();
    }
    log
}

fn end<D: Disk>(log: &mut Log<D>, id: i64, decision: Decision) -> Result<Appended, AppendError> {
    let open = log.open_transactions();
    let open = *open.iter().find(|open| open.producer == ProducerId(id)).expect("it is open");
    log.end_transaction(&open, decision, stamp(9)).expect("it is open")
}

fn of_five() -> Aborted {
    Aborted { producer: ProducerId(5), first: Offset(0), last: Offset(4), stable_end: Offset(1) }
}

#[test]
fn what_is_ended_holds_nothing_back_and_is_remembered() {
    let disk = FaultyDisk::new();
    let mut log = undecided(&disk);
    assert_eq!(log.stable_end(), Offset(0));
    end(&mut log, 5, Decision::Abort).unwrap();
    assert_eq!(log.stable_end(), Offset(1));
    end(&mut log, 6, Decision::Commit).unwrap();
    assert_eq!((log.stable_end(), log.end()), (Offset(6), Offset(6)));
    assert_eq!(log.open_transactions(), []);
    let bytes = log.read(Offset(4), Offset(6), 700).unwrap().unwrap().load().unwrap();
    let kinds: Vec<_> = batches(&bytes)
        .map(|batch| {
            let batch = batch.unwrap();
            let producer = batch.producer().unwrap();
            assert_eq!((producer.epoch, producer.base_sequence), (ProducerEpoch(3), -1));
            assert!(batch.is_transactional() && batch.is_control());
            let marker = Marker::of(&batch).unwrap();
            (producer.id.get(), marker.decision, marker.coordinator_epoch)
        })
        .collect();
    assert_eq!(kinds, [(5, Decision::Abort, Some(0)), (6, Decision::Commit, Some(0))]);
    assert_eq!(log.aborted(Offset(0), Offset(6)).unwrap(), [of_five()]);
    log.close(Timestamp(0)).unwrap();
    let path = Path::new(DIR).join("00000000000000000000.txnindex");
    let mut file = vec![0; aborted::ENTRY_BYTES];
    disk.open(&path, Open::Existing).unwrap().read_at(&mut file, 0).unwrap();
    assert_eq!(aborted::parse(&file), Some(vec![of_five()]));
}

/// Whenever the power goes: either the transaction is open still, or it is known to be aborted.
#[test]
fn a_power_loss_makes_no_aborted_record_pass_for_a_committed_one() {
    let (mut open_still, mut aborted) = (0, 0);
    for seed in 0..40 {
        for changes in 0..60 {
            let mut disk = FaultyDisk::new();
            let mut log = undecided(&disk);
            sync(&mut log);
            disk.crash_after(changes);
            let _ = live_on(&mut log);
            drop(log);
            disk.power_fails(&mut Dice(seed));
            let mut log = open(&disk, Known::default()).0;
            let known = log.aborted(Offset(0), log.end()).unwrap();
            match log.open_transactions().iter().any(|open| open.producer == ProducerId(5)) {
                true => open_still += 1,
                false => aborted += 1,
            }
            let is_open = log.open_transactions().iter().any(|open| open.first == Offset(0));
            assert_eq!(known, if is_open { vec![] } else { vec![of_five()] }, "{seed} {changes}");
        }
    }
    assert!(100 < open_still && 100 < aborted, "{open_still} {aborted}");
}

/// Ends one, and checkpoints, and rolls, and checkpoints.
fn live_on(log: &mut Log<FaultyDisk>) -> io::Result<()> {
    end(log, 5, Decision::Abort).map_err(io::Error::other)?;
    let large = "x".repeat(700);
    for value in ["b", &large, &large, "c"] {
        append(log, &batch(1, &[value])).map_err(io::Error::other)?;
        if value.len() == 1 {
            let checkpoint = log.checkpoint()?;
            checkpoint.run()?;
            log.checkpointed(&checkpoint);
        }
    }
    Ok(())
}

#[test]
fn a_marker_that_was_lost_with_what_is_missing_is_not_made_up() {
    let disk = FaultyDisk::new();
    let mut log = undecided(&disk);
    let open_of = |log: &Log<FaultyDisk>| log.open_transactions()[0];
    let open = open_of(&log);
    assert!(!may_have_lost_end_of(&mut log, &open));
    let large = "x".repeat(700);
    for value in [&large, &large, "b"] {
        append(&mut log, &batch(1, &[value])).unwrap();
    }
    assert!(!may_have_lost_end_of(&mut log, &open), "over segments");
    log.close(Timestamp(0)).unwrap();
    let segments = disk.list(Path::new(DIR)).unwrap();
    let first = segments.iter().find(|file| file.name == "00000000000000000000.log").unwrap();
    // A bit of a batch's length, and all behind it in the segment cannot be found.
    let file = disk.open(&Path::new(DIR).join(&first.name), Open::Existing).unwrap();
    let last = first.bytes - 780;
    file.write_at([&[0x7f; 20], &[]], last).unwrap();
    let known = Known { trust: Trust::Clean, ..Known::default() };
    let mut log = open_again(&disk, known);
    let open = open_of(&log);
    assert!(may_have_lost_end_of(&mut log, &open), "what is damaged");
}

fn may_have_lost_end_of(log: &mut Log<FaultyDisk>, open: &OpenTransaction) -> bool {
    log.search_end_of(open).unwrap().finds_signs(|from| log.part(from)).unwrap()
}

fn open_again(disk: &FaultyDisk, known: Known) -> Log<FaultyDisk> {
    let mut disk = disk.clone();
    disk.process_dies();
    super::open(&disk, known).0
}

/// What there is of the transaction of producer 5: whether it is open, and its markers.
fn markers(log: &mut Log<FaultyDisk>) -> (bool, usize) {
    let mut count = 0;
    let mut from = Offset::ZERO;
    while let Some(part) = log.part(from).unwrap() {
        let each = part.each(|piece| match piece {
            Piece::Batch { batch, .. } => {
                count += usize::from(Marker::of(&batch).is_some());
                std::ops::ControlFlow::Continue(())
            }
            Piece::Damage(damage) => panic!("{damage:?}"),
        });
        assert!(each.unwrap().is_continue());
        from = part.end;
    }
    (log.open_transactions().iter().any(|open| open.producer == ProducerId(5)), count)
}

/// Whichever call fails, and however much of the marker was written: it is open as before, and
/// ends when it is tried again.
#[test]
fn a_marker_that_the_disk_does_not_take_ends_nothing() {
    let kinds = [io::ErrorKind::StorageFull, io::ErrorKind::Other];
    let (mut refused, mut refused_while_rolling) = (0, 0);
    for is_full_segment in [false, true] {
        for n in 0..60 {
            for kind in kinds {
                let disk = FaultyDisk::new();
                let mut log = undecided(&disk);
                if is_full_segment {
                    append(&mut log, &batch(1, &[&"x".repeat(1000)])).unwrap();
                }
                match kind {
                    io::ErrorKind::StorageFull => disk.leave(2 * n),
                    _ => disk.fail_after(n as u64, kind),
                }
                let ended = end(&mut log, 5, Decision::Abort);
                if ended.is_err() {
                    refused += 1;
                    refused_while_rolling += usize::from(is_full_segment);
                    assert_eq!(log.stable_end(), Offset(0), "{n} {kind}");
                }
                disk.make_room();
                disk.nothing_fails();
                if ended.is_err() {
                    assert_eq!(markers(&mut log), (true, 0), "{n} {kind}");
                    end(&mut log, 5, Decision::Abort).unwrap();
                }
                assert_eq!(markers(&mut log), (false, 1), "{n} {kind}");
                log.close(Timestamp(0)).unwrap();
                let mut log = open_again(&disk, Known::default());
                assert_eq!(markers(&mut log), (false, 1), "{n} {kind}");
                assert_eq!(log.aborted(Offset(0), log.end()).unwrap().len(), 1);
            }
        }
    }
    assert!(40 < refused && 20 < refused_while_rolling, "{refused} {refused_while_rolling}");
}

/// It is what the log says, before and after its next opening.
#[test]
fn a_marker_whose_sync_failed_is_there_or_not_and_ends_it_once() {
    let (mut open_still, mut ended) = (0, 0);
    for seed in 0..40 {
        let mut disk = FaultyDisk::new();
        let mut log = undecided(&disk);
        sync(&mut log);
        end(&mut log, 5, Decision::Abort).unwrap();
        disk.syncs_fail(true);
        log.sync_target().unwrap().run().unwrap_err();
        disk.syncs_fail(false);
        assert!(matches!(end(&mut log, 6, Decision::Abort), Err(AppendError::Poisoned)));
        drop(log);
        match seed % 2 {
            0 => disk.power_fails(&mut Dice(seed)),
            _ => disk.process_dies(),
        }
        let mut log = open(&disk, Known::default()).0;
        match markers(&mut log) {
            (true, 0) => {
                open_still += 1;
                end(&mut log, 5, Decision::Abort).unwrap();
            }
            (false, 1) => ended += 1,
            other => panic!("{seed}: {other:?}"),
        }
        assert_eq!(markers(&mut log), (false, 1), "{seed}");
    }
    assert!(0 < open_still && 0 < ended, "{open_still} {ended}");
}

/// Checkpoints run without the log's lock.
#[test]
fn what_was_aborted_while_a_checkpoint_ran_is_remembered_by_the_next() {
    let disk = FaultyDisk::new();
    let mut log = undecided(&disk);
    end(&mut log, 5, Decision::Abort).unwrap();
    let checkpoint = log.checkpoint().unwrap();
    end(&mut log, 6, Decision::Abort).unwrap();
    checkpoint.run().unwrap();
    log.checkpointed(&checkpoint);
    log.close(Timestamp(0)).unwrap();
    let mut log = open_again(&disk, Known::default());
    assert_eq!(log.aborted(Offset(0), log.end()).unwrap().len(), 2);
}
