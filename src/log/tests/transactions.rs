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
    log.end_transaction(&open, decision, stamp(9))
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
    assert!(!log.may_have_lost_end_of(&open).unwrap());
    let large = "x".repeat(700);
    for value in [&large, &large, "b"] {
        append(&mut log, &batch(1, &[value])).unwrap();
    }
    assert!(!log.may_have_lost_end_of(&open).unwrap(), "over segments");
    log.close(Timestamp(0)).unwrap();
    let segments = disk.list(Path::new(DIR)).unwrap();
    let first = segments.iter().find(|file| file.name == "00000000000000000000.log").unwrap();
    // A bit of a batch's length, and all behind it in the segment cannot be found.
    let file = disk.open(&Path::new(DIR).join(&first.name), Open::Existing).unwrap();
    let last = first.bytes - 780;
    file.write_at([&[0x7f; 20], &[]], last).unwrap();
    let known = Known { trust: Trust::Clean, ..Known::default() };
    let mut log = open_again(&disk, known);
    assert!(log.may_have_lost_end_of(&open_of(&log)).unwrap(), "what is damaged");
}

fn open_again(disk: &FaultyDisk, known: Known) -> Log<FaultyDisk> {
    let mut disk = disk.clone();
    disk.process_dies();
    super::open(&disk, known).0
}
