//! Indexes that are not as the log says. They have no checksum.

use super::faulty::FaultyDisk;
use super::*;

const RECORDS: i64 = 44;
const CLEAN: Known = Known {
    log_start: None,
    recovery_point: Some(Offset(RECORDS)),
    compacted: None,
    trust: Trust::Clean,
    is_ours: false,
};

/// Batches of two records, one at a time; a closed segment and one that grows.
fn filled(disk: &FaultyDisk) -> Log<FaultyDisk> {
    let (mut log, _) = open(disk, Known::default());
    for n in 0..RECORDS / 2 {
        append(&mut log, &batch(n, &["some value", "and another"])).unwrap();
    }
    log
}

fn closed() -> FaultyDisk {
    let disk = FaultyDisk::new();
    filled(&disk).close(Timestamp(0)).unwrap();
    disk
}

/// Killed behind a checkpoint, with acknowledged records behind it.
fn killed() -> FaultyDisk {
    let disk = FaultyDisk::new();
    let mut log = filled(&disk);
    let checkpoint = log.checkpoint().unwrap();
    checkpoint.run().unwrap();
    log.checkpointed(&checkpoint);
    append(&mut log, &batch(RECORDS, &["behind it"])).unwrap();
    sync(&mut log);
    disk
}

fn flip(disk: &FaultyDisk, path: &Path, bit: usize) {
    let mut bytes = disk.read(path).unwrap();
    bytes[bit / 8] ^= 1 << (bit % 8);
    disk.open(path, Open::Existing).unwrap().write_at([&bytes, &[]], 0).unwrap();
}

/// Whether a reader that begins at `offset` gets it, with whole batches.
fn gets(log: &mut Log<FaultyDisk>, offset: i64, bytes_max: u32) -> Result<(), ReadError> {
    let slice = log.read(Offset(offset), log.end(), bytes_max)?.expect("there is more");
    let bytes = slice.load().unwrap();
    let first = batches(&bytes).next().unwrap().unwrap();
    let held = first.base_offset().get()..=first.last_offset().get();
    assert!(held.contains(&offset), "{held:?} where {offset} was asked for");
    assert!(batches(&bytes).all(|batch| batch.is_ok()), "a batch is cut off");
    Ok(())
}

/// All that a reader may ask of the log, and then it goes on.
fn check(mut log: Log<FaultyDisk>) {
    for offset in 0..RECORDS {
        for bytes_max in [1, 500] {
            gets(&mut log, offset, bytes_max).unwrap();
        }
        let found = offset_for_timestamp(&mut log, offset / 2).unwrap();
        assert_eq!(found.offset, Offset(offset / 2 * 2));
    }
    let ages: Vec<_> = log.segments.iter().map(Segment::age_mark).collect();
    let last = |n: usize| Timestamp((log.segments[n + 1].base.get() - 1) / 2);
    assert!((0..ages.len() - 1).all(|n| ages[n] == last(n)), "{ages:?}");
    for n in 0..20 {
        append(&mut log, &batch(RECORDS + n, &["more", "and more"])).unwrap();
    }
    log.close(Timestamp(0)).unwrap();
}

#[test]
fn no_bit_of_an_index_hides_a_record() {
    for (left, known) in [(closed as fn() -> FaultyDisk, CLEAN), (killed, Known::default())] {
        let is_index = |path: &std::path::PathBuf| {
            path.extension().is_some_and(|end| end == "index" || end == "timeindex")
        };
        let indexes: Vec<_> = left().files().into_iter().filter(is_index).collect();
        assert_eq!(indexes.len(), 4);
        for path in indexes {
            let bits = left().read(&path).unwrap().len() * 8;
            assert!(bits > 0, "{path:?}");
            for bit in 0..bits {
                let mut disk = left();
                flip(&disk, &path, bit);
                disk.process_dies();
                let log = std::panic::AssertUnwindSafe(|| check(open(&disk, known).0));
                let done = std::panic::catch_unwind(log);
                assert!(done.is_ok(), "{path:?}, bit {bit}, {:?}", known.trust);
            }
        }
    }
}

/// Then it looks whole, and as if the segment were older than it is.
#[test]
fn a_time_index_that_was_cut_behind_an_entry_hides_no_record() {
    let path = Path::new(DIR).join("00000000000000000000.timeindex");
    let entries = closed().read(&path).unwrap().len() / index::TIME_ENTRY_BYTES;
    assert!(2 < entries, "{entries}");
    for left in 0..entries {
        let mut disk = closed();
        let bytes = (left * index::TIME_ENTRY_BYTES) as u64;
        disk.open(&path, Open::Existing).unwrap().set_len(bytes).unwrap();
        disk.process_dies();
        check(open(&disk, CLEAN).0);
        assert_eq!(disk.read(&path).unwrap(), closed().read(&path).unwrap(), "{left} entries");
    }
}

#[test]
fn an_index_that_lied_is_right_from_then_on() {
    let mut disk = closed();
    let path = Path::new(DIR).join("00000000000000000000.index");
    let before = disk.read(&path).unwrap();
    // Of the last entry, the offset: one lower, as 9 becomes 8.
    let entry = before.len() - index::OFFSET_ENTRY_BYTES;
    flip(&disk, &path, (entry + 3) * 8);
    assert_ne!(disk.read(&path).unwrap(), before);
    disk.process_dies();
    let (mut log, _) = open(&disk, CLEAN);
    (0..RECORDS).for_each(|offset| gets(&mut log, offset, 1).unwrap());
    assert_eq!(disk.read(&path).unwrap(), before);
}

/// As Apache Kafka once wrote them, when many batches came at once.
#[test]
fn an_entry_may_name_a_later_batch_than_the_one_at_its_position() {
    let mut disk = closed();
    let path = Path::new(DIR).join("00000000000000000000.index");
    let mut bytes = disk.read(&path).unwrap();
    let entry = bytes.len() - index::OFFSET_ENTRY_BYTES;
    bytes[entry + 3] += 2;
    disk.open(&path, Open::Existing).unwrap().write_at([&bytes, &[]], 0).unwrap();
    disk.process_dies();
    let (mut log, _) = open(&disk, CLEAN);
    (0..RECORDS).for_each(|offset| gets(&mut log, offset, 1).unwrap());
    assert_eq!(disk.read(&path).unwrap(), bytes, "it is believed");
}

/// Offset, length and format are outside the checksum, and who serves a batch does not compute it.
#[test]
fn a_header_that_is_none_is_passed_only_with_a_word() {
    let path = Path::new(DIR).join("00000000000000000000.log");
    let size = batch(0, &["some value", "and another"]).len();
    // Of the third batch: offset 4 becomes 12, or 0; the length; the format.
    let third = 2 * size * 8;
    for bit in [third + 7 * 8 + 3, third + 7 * 8 + 2, third + 8 * 8 + 6, third + 16 * 8] {
        let mut disk = closed();
        flip(&disk, &path, bit);
        disk.process_dies();
        let (mut log, _) = open(&disk, CLEAN);
        let mut passed = Vec::new();
        for offset in 0..RECORDS {
            let said = Lines::default();
            let writer = said.clone();
            let collector = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
            let slice = tracing::subscriber::with_default(collector, || {
                log.read(Offset(offset), Offset(RECORDS), 1).unwrap().unwrap()
            });
            let base = *slice.load().unwrap().first_chunk().unwrap();
            if Offset(offset) < Offset(i64::from_be_bytes(base)) {
                let said = String::from_utf8(said.0.lock().unwrap().clone()).unwrap();
                assert!(said.contains("00000000000000000000.log"), "bit {bit}, {offset}: {said}");
                passed.push(offset);
            }
        }
        assert!(passed.contains(&4) && passed.len() < 12, "bit {bit}: {passed:?}");
    }
}

/// Nothing follows the last batch that would tell; but after a clean stop the log's end is known.
#[test]
fn a_last_batch_of_another_place_gives_no_record_another_offset() {
    let base = filled(&FaultyDisk::new()).segments.last().unwrap().base;
    let path = Path::new(DIR).join(format!("{:020}.log", base.get()));
    let size = batch(0, &["some value", "and another"]).len();
    let last = (closed().read(&path).unwrap().len() - size) * 8;
    // One higher than it can be, 256 higher, far away.
    for bit in [last + 7 * 8, last + 6 * 8, last + 3 * 8] {
        let mut disk = closed();
        flip(&disk, &path, bit);
        disk.process_dies();
        let (mut log, recovered) = open(&disk, CLEAN);
        let kept = (recovered.lost[0].from, recovered.set_aside.len());
        assert_eq!(kept, (Offset(RECORDS - 2), 1), "bit {bit}");
        assert_eq!(log.end(), Offset(RECORDS), "no offset is given twice");
        (0..RECORDS - 2).for_each(|offset| gets(&mut log, offset, 1).unwrap());
        append(&mut log, &batch(RECORDS, &["more"])).unwrap();
        assert_eq!(contents(&mut log).last().unwrap(), &(RECORDS, "more".to_owned()));
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<std::sync::Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn transactions_that_ended_in_earlier_segments_are_not_looked_at() {
    let mut log = filled(&FaultyDisk::new());
    while log.segments.len() < 3 {
        append(&mut log, &batch(RECORDS, &["some value"])).unwrap();
    }
    append(&mut log, &batch(RECORDS, &["some value"])).unwrap();
    let bases: Vec<_> = log.segments.iter().map(|segment| segment.base).collect();
    let aborted = |first: i64, last: i64| {
        let (first, last) = (Offset(first), Offset(last));
        Aborted { producer: ProducerId(5), first, last, stable_end: last }
    };
    let (short, long) = (aborted(0, 1), aborted(1, bases[2].get()));
    log.aborted = BTreeMap::from([(bases[0], vec![short]), (bases[2], vec![long])]);
    let end = log.end();
    let mut of = |from: Offset| log.aborted(from, end).unwrap();
    assert_eq!(of(Offset(0)), [short, long]);
    assert_eq!(of(bases[1]), [long]);
    assert_eq!(of(bases[2]), [long]);
    assert_eq!(of(Offset(bases[2].get() + 1)), []);
}
