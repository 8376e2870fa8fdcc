use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::tests::{TOPIC_ID, contents_by, idempotent, scratch};
use super::super::{Cleanup, EPOCHS, Known, Log, RealDisk, Settings, Stamp, Trust};
use super::*;
use crate::record::{
    BatchBuilder, BatchView, Codec, LeaderEpoch, Offset, Record, Times, Timestamp,
};

/// A directory of its own, gone with the value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let top = scratch("inspect");
        std::fs::create_dir_all(&top).unwrap();
        Folder(top)
    }

    fn log(&self) -> PathBuf {
        self.0.join("t-0")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const SETTINGS: Settings = Settings {
    segment_bytes: 350,
    segment_ms: i64::MAX,
    index_interval_bytes: 100,
    index_bytes_max: 10 << 20,
    producer_expiry_ms: i64::MAX,
    cleanup: Cleanup::Delete,
    producers_max: 1000,
};

fn open(dir: &Path, known: Known) -> Log<RealDisk> {
    Log::open(RealDisk, dir, TOPIC_ID, SETTINGS, known, Timestamp(0)).unwrap().0
}

fn append(log: &mut Log<RealDisk>, epoch: i32, bytes: &[u8]) {
    let stamp = Stamp { leader_epoch: LeaderEpoch(epoch), now: Timestamp(9), times: Times::Keep };
    log.append(&BatchView::parse(bytes).unwrap(), stamp).unwrap();
}

const BATCHES: i32 = 9;

/// Three segments of several producers under three leaders; closed, or as a kill leaves it.
fn write(dir: &Path, closed: bool) -> Offset {
    let mut log = open(dir, Known::default());
    for n in 0..BATCHES {
        let batch = match n % 3 {
            0 => idempotent(4, 0, n / 3 * 2, &["a", "bcd"]),
            1 => {
                let codec = [Codec::Lz4, Codec::Zstd, Codec::Gzip][n as usize % 3];
                let mut builder = BatchBuilder::new().codec(codec);
                for value in ["one", "two", "three"] {
                    let record =
                        Record { key: Some(b"k"), value: Some(value.as_bytes()), headers: &[] };
                    builder.push(Timestamp(100 - i64::from(n)), &record);
                }
                builder.build()
            }
            _ => {
                let mut builder = BatchBuilder::new();
                let record = Record { value: Some(b"plain"), ..Record::default() };
                builder.push(Timestamp(90 + i64::from(n)), &record);
                builder.build()
            }
        };
        append(&mut log, n / 3, &batch);
    }
    let end = log.end();
    assert!(log.segments.len() > 2, "{}", log.segments.len());
    if closed {
        log.close(Timestamp(9)).unwrap();
    }
    end
}

fn clean(end: Offset) -> Expected {
    Expected {
        condition: Condition::Clean,
        topic_id: Some(TOPIC_ID),
        leader_epoch: Some(LeaderEpoch(2)),
        recovery_point: Some(end),
        high_watermark: Some(end),
        ..Expected::default()
    }
}

fn said(verified: &Verified) -> Vec<String> {
    verified.findings.list().iter().map(ToString::to_string).collect()
}

#[test]
fn a_whole_log_has_no_findings() {
    for (closed, records) in [(true, false), (true, true), (false, true)] {
        let folder = Folder::new();
        let end = write(&folder.log(), closed);
        let expected = match closed {
            true => Expected { records, ..clean(end) },
            false => Expected { records, topic_id: Some(TOPIC_ID), ..Expected::default() },
        };
        let verified = verify(&folder.log(), &expected).unwrap();
        assert_eq!(said(&verified), Vec::<String>::new());
        assert_eq!(verified.span, Some((Offset::ZERO, end)));
        assert_eq!(
            (verified.batches, verified.records),
            (u64::from(BATCHES.unsigned_abs()), end.get() as u64)
        );
    }
}

#[test]
fn epochs_that_are_missing_are_written_at_the_next_clean_stop() {
    let folder = Folder::new();
    let end = write(&folder.log(), true);
    let file = folder.log().join("leader-epoch-checkpoint");
    let before = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let missing = said(&verify(&folder.log(), &clean(end)).unwrap());
    assert!(missing.len() == 1 && missing[0].contains("is missing"), "{missing:?}");
    let known = Known { trust: Trust::Clean, recovery_point: Some(end), ..Known::default() };
    open(&folder.log(), known).close(Timestamp(9)).unwrap();
    assert_eq!(said(&verify(&folder.log(), &clean(end)).unwrap()), Vec::<String>::new());
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn a_partition_for_whose_log_there_was_no_room_lacks_nothing() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.log()).unwrap();
    let metadata = super::super::text::partition_metadata(TOPIC_ID);
    std::fs::write(folder.log().join("partition.metadata"), metadata).unwrap();
    assert_eq!(said(&verify(&folder.log(), &clean(Offset::ZERO)).unwrap()), Vec::<String>::new());
}

#[test]
fn what_an_index_says_of_what_was_cut_off_is_one_finding() {
    let folder = Folder::new();
    let settings = Settings { segment_bytes: 1 << 20, index_interval_bytes: 0, ..SETTINGS };
    let known = Known::default();
    let opened = Log::open(RealDisk, &folder.log(), TOPIC_ID, settings, known, Timestamp(0));
    let mut log = opened.unwrap().0;
    for n in 0..BATCHES {
        let mut builder = BatchBuilder::new();
        builder.push(Timestamp(i64::from(n)), &Record { value: Some(b"v"), ..Record::default() });
        append(&mut log, 0, &builder.build());
    }
    let end = log.end();
    log.close(Timestamp(9)).unwrap();
    std::fs::write(folder.log().join("00000000000000000000.log"), "").unwrap();
    let found = said(&verify(&folder.log(), &clean(end)).unwrap());
    for index in [".index: ", ".timeindex: "] {
        let of_it: Vec<_> = found.iter().filter(|line| line.contains(index)).collect();
        assert!(of_it.len() == 1 && of_it[0].ends_with("entries more"), "{found:#?}");
    }
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |entry: Entry| {
        let bytes = std::fs::read(dir.join(&entry.name)).unwrap();
        (entry.name, bytes)
    };
    list(dir).unwrap().into_iter().map(read).collect()
}

/// Every way in which one file can be damaged by one bit, or cut.
fn damaged(bytes: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> + '_ {
    let cuts =
        (0..bytes.len()).map(|length| (format!("cut to {length}"), bytes[..length].to_vec()));
    let flips = (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        (format!("bit {} of byte {}", bit % 8, bit / 8), flipped)
    });
    cuts.chain(flips)
}

/// Every record of the log, by its offset.
fn contents(dir: &Path) -> BTreeMap<i64, String> {
    let known = Known { trust: Trust::Nothing, ..Known::default() };
    let mut log = open(dir, known);
    contents_by(&mut log, 1 << 20).into_iter().collect()
}

/// Damages the log of `write` in every way, and checks that it is found and can be mended.
#[test]
fn every_flipped_bit_and_every_cut_is_found_and_mended() {
    let folder = Folder::new();
    let end = write(&folder.log(), true);
    let whole = files(&folder.log());
    let records = contents(&folder.log());
    let mut tried = 0;
    for (name, bytes) in &whole {
        for (what, damaged) in damaged(bytes) {
            let told = format!("{name}: {what}");
            restore(&folder.log(), &whole);
            std::fs::write(folder.log().join(name), &damaged).unwrap();
            let verified = verify(&folder.log(), &clean(end)).unwrap();
            tried += 1;
            if !verified.findings.is_damaged() {
                assert!(is_harmless(name, &damaged, bytes), "not found: {told}");
                continue;
            }
            // Every bit is found; of those that are mended, a part will do.
            if tried % 7 != 0 {
                continue;
            }
            mends(&folder.log(), end, &told);
            let kept = files(&folder.log());
            let is_kept =
                |(other, is): (&String, &Vec<u8>)| other.starts_with(name) && *is == damaged;
            assert!(kept.iter().any(is_kept), "{told}: not kept");
            let left = contents(&folder.log());
            let lost: Vec<_> = records.iter().filter(|(at, is)| left.get(at) != Some(is)).collect();
            let may_lose = if name.ends_with(".log") { 3 } else { 0 };
            let cut = what.starts_with("cut") && may_lose > 0;
            assert!(cut || lost.len() <= may_lose, "{told}: lost {lost:?}");
            assert!(left.iter().all(|(at, is)| records.get(at) == Some(is)), "{told}: {left:?}");
        }
    }
    assert!(5_000 < tried, "{tried}");
}

/// Afterwards nothing is found any more.
#[track_caller]
fn mends(dir: &Path, end: Offset, told: &str) {
    let before = repair(dir, &clean(end), Mode::Say, Timestamp(9)).unwrap();
    let done = repair(dir, &clean(end), Mode::Do, Timestamp(9)).unwrap();
    assert_eq!(before.steps, done.steps, "{told}");
    let again = verify(dir, &Expected { recovery_point: done.end, ..clean(end) }).unwrap();
    assert!(!again.findings.is_damaged(), "{told}: {:?}: {:?}", done.steps, said(&again));
    assert_eq!(done.end, Some(end), "{told}: no offset is given twice");
}

fn restore(dir: &Path, whole: &BTreeMap<String, Vec<u8>>) {
    for name in files(dir).into_keys().filter(|name| !whole.contains_key(name)) {
        std::fs::remove_file(dir.join(name)).unwrap();
    }
    for (name, bytes) in whole {
        std::fs::write(dir.join(name), bytes).unwrap();
    }
}

/// An index with fewer entries is slower to search and nothing else; the blank behind the last line
/// of a text says nothing; and Apache Kafka leaves epochs that begin behind the log's start.
fn is_harmless(name: &str, damaged: &[u8], whole: &[u8]) -> bool {
    let shorter = name.ends_with(".index") && damaged.len().is_multiple_of(IndexEntry::BYTES);
    let trimmed = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    let starts = |bytes: &[u8]| epochs(bytes).unwrap_or_default();
    let (is, was) = (starts(damaged), starts(whole));
    let later = name == EPOCHS && !is.is_empty() && is[1..] == was[1..] && is[0].0 == was[0].0;
    if later && was[0].1 < is[0].1 {
        return true;
    }
    shorter && whole.starts_with(damaged) || trimmed(damaged) == trimmed(whole)
}

#[test]
fn a_missing_file_or_one_that_is_none_is_found_and_mended() {
    let folder = Folder::new();
    let end = write(&folder.log(), true);
    let whole = files(&folder.log());
    let outside = folder.0.join("outside");
    for name in whole.keys() {
        for replacement in ["nothing", "a directory", "a link", "a pipe"] {
            let told = format!("{name} replaced by {replacement}");
            let path = folder.log().join(name);
            restore(&folder.log(), &whole);
            std::fs::write(&outside, b"not ours").unwrap();
            std::fs::remove_file(&path).unwrap();
            match replacement {
                "nothing" => {}
                "a directory" => std::fs::create_dir(&path).unwrap(),
                "a link" => std::os::unix::fs::symlink(&outside, &path).unwrap(),
                _ => rustix::fs::mkfifoat(rustix::fs::CWD, &path, 0o600.into()).unwrap(),
            }
            let verified = verify(&folder.log(), &clean(end)).unwrap();
            // The engine's own checkpoint and the snapshots only save it work.
            let may_miss = replacement == "nothing"
                && (name.ends_with(".snapshot") || name == "kaw-checkpoint");
            assert!(verified.findings.is_damaged() || may_miss, "not found: {told}");
            if verified.findings.is_damaged() {
                repair(&folder.log(), &clean(end), Mode::Do, Timestamp(9)).unwrap();
                let again = verify(&folder.log(), &clean(end)).unwrap();
                assert!(!again.findings.is_damaged(), "{told}: {:?}", said(&again));
            }
            assert_eq!(std::fs::read(&outside).unwrap(), b"not ours", "{told}");
            for entry in list(&folder.log()).unwrap() {
                if entry.thing == Thing::Directory {
                    std::fs::remove_dir(folder.log().join(entry.name)).unwrap();
                } else if !matches!(entry.thing, Thing::File { .. }) {
                    std::fs::remove_file(folder.log().join(entry.name)).unwrap();
                }
            }
        }
    }
}

/// Headers that promise a long batch each, none of which is there: to try them all would take the
/// square of the file's length.
#[test]
fn a_file_made_to_be_searched_for_ever_is_not() {
    let bytes = 8 << 20;
    let mut header = BatchBuilder::new();
    header.push(Timestamp(0), &Record { value: Some(b"x"), ..Record::default() });
    let mut header = header.build()[..61].to_vec();
    header[17] ^= 1;
    let mut file = Vec::with_capacity(bytes);
    while file.len() + header.len() <= bytes {
        let left = (bytes - file.len() - 12) as i32;
        header[8..12].copy_from_slice(&left.to_be_bytes());
        file.extend_from_slice(&header);
    }
    file.resize(bytes, 0);
    let folder = Folder::new();
    let path = folder.0.join("made");
    std::fs::write(&path, &file).unwrap();
    let file = RealFile::open_to_read(&path).unwrap();
    let mut pieces = Pieces::new(&file, file.len().unwrap(), Offset::ZERO, None);
    let Some(Piece::Damage(damage)) = pieces.next_piece().unwrap() else {
        panic!("it is no batch")
    };
    assert_eq!(u64::from(damage.bytes), file.len().unwrap());
    assert!(pieces.gave_up());
    assert!(pieces.next_piece().unwrap().is_none());
}

/// A kill at any step of a swap, by Apache's way and by ours: the next start ends it.
#[test]
fn what_a_kill_within_a_compaction_leaves_is_no_damage() {
    let folder = Folder::new();
    write(&folder.log(), true);
    let whole = files(&folder.log());
    let records = contents(&folder.log());
    let base = |name: &String| name.split_once('.').unwrap().0.to_owned();
    let logs: Vec<_> = whole.keys().filter(|name| name.ends_with(".log")).map(base).collect();
    let kinds = ["log", "index", "timeindex"];
    let of = |base: &String| kinds.map(|kind| format!("{base}.{kind}"));
    // The second segment is replaced by one that has the same in it, or it and the first by one.
    for replaced in [&logs[1..2], &logs[..2]] {
        let old: Vec<_> = replaced.iter().flat_map(of).collect();
        let swap = of(&replaced[0]);
        for is_apache in [true, false] {
            for steps in 0..=old.len() + swap.len() {
                restore(&folder.log(), &whole);
                let at = |name: &str| folder.log().join(name);
                stage(&folder.log(), replaced);
                for name in old.iter().take(steps) {
                    match is_apache {
                        true => std::fs::rename(at(name), at(&format!("{name}.deleted"))).unwrap(),
                        false => std::fs::remove_file(at(name)).unwrap(),
                    }
                }
                for name in swap.iter().take(steps.saturating_sub(old.len())) {
                    std::fs::rename(at(&format!("{name}.swap")), at(name)).unwrap();
                }
                let verified = verify(&folder.log(), &Expected::default()).unwrap();
                let told = said(&verified);
                assert!(!verified.findings.is_damaged(), "{steps}, {is_apache}: {told:?}");
                assert!(!told.is_empty() || steps == old.len() + swap.len() && !is_apache);
                assert_eq!(contents(&folder.log()), records, "{steps}, {is_apache}");
            }
        }
    }
    // What is not of it is damage all the same.
    restore(&folder.log(), &whole);
    stage(&folder.log(), &logs[..1]);
    std::fs::remove_file(folder.log().join(format!("{}.log", logs[2]))).unwrap();
    assert!(verify(&folder.log(), &Expected::default()).unwrap().findings.is_damaged());
}

/// Lays down what is to take the place of these segments: all that is in them.
fn stage(dir: &Path, bases: &[String]) {
    let (mut log, mut offsets, mut times) = (Vec::new(), Vec::new(), Vec::new());
    let number = |base: &String| base.parse::<u32>().unwrap();
    for base in bases {
        let read = |kind: &str| std::fs::read(dir.join(format!("{base}.{kind}"))).unwrap();
        let delta = number(base) - number(&bases[0]);
        let field = |at: &[u8]| u32::from_be_bytes(at.try_into().unwrap());
        for entry in read("index").chunks(IndexEntry::BYTES) {
            offsets.extend((field(&entry[..4]) + delta).to_be_bytes());
            offsets.extend((field(&entry[4..]) + log.len() as u32).to_be_bytes());
        }
        for entry in read("timeindex").chunks(TimedEntry::BYTES) {
            let last = times.rchunks(TimedEntry::BYTES).next().unwrap_or(&[0; 8]);
            if last[..8] < entry[..8] {
                times.extend_from_slice(&entry[..8]);
                times.extend((field(&entry[8..]) + delta).to_be_bytes());
            }
        }
        log.extend(read("log"));
    }
    for (kind, bytes) in [("log", log), ("index", offsets), ("timeindex", times)] {
        std::fs::write(dir.join(format!("{}.{kind}.swap", bases[0])), bytes).unwrap();
    }
}

/// Apache Kafka that is killed between DeleteRecords and its next checkpoint of where logs begin:
/// the records are there again, and their epochs begin where they were to begin.
#[test]
fn epochs_that_begin_behind_the_log_are_no_damage() {
    let folder = Folder::new();
    let end = write(&folder.log(), true);
    std::fs::write(folder.log().join(EPOCHS), "0\n2\n1 9\n2 12\n").unwrap();
    for condition in [Condition::Clean, Condition::Unclean] {
        let verified = verify(&folder.log(), &Expected { condition, ..clean(end) }).unwrap();
        assert!(!verified.findings.is_damaged(), "{:?}", said(&verified));
    }
}

/// All was deleted, and the broker was killed before it wrote down where the log begins.
#[test]
fn an_empty_segment_tells_where_the_log_is() {
    let folder = Folder::new();
    let end = write(&folder.log(), true);
    for name in files(&folder.log()).into_keys().filter(|name| name.starts_with("0000")) {
        std::fs::remove_file(folder.log().join(name)).unwrap();
    }
    std::fs::write(folder.log().join(format!("{:020}.log", end.get())), "").unwrap();
    let unclean = Expected { condition: Condition::Unclean, ..clean(end) };
    let verified = verify(&folder.log(), &unclean).unwrap();
    assert!(!verified.findings.is_damaged(), "{:?}", said(&verified));
}
