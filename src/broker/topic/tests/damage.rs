//! A broker's start on a data directory of which one file is not as it was left: cut off, a bit of
//! it flipped, empty, gone, or something else in its place.
//!
//! The start is refused with the file's name; or the broker serves, and what is missing was named
//! or shows to whoever reads. It never panics or hangs, and nothing outside is touched.
//!
//! `KAW_SEED=n` takes another sample than every test run, and `KAW_TIMES=all` takes all there are:
//! every cut and every flipped bit of every file.

mod newer;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::super::*;
use crate::broker::Durability;
use crate::broker::config::Settings;
use crate::broker::group::Groups;
use crate::broker::home::{Claim, Home, temporary_dir};
use crate::protocol::group_record::{GroupRecord, OffsetCommitKey, OffsetCommitValue};
use crate::record::{
    BatchBuilder, BatchView, Offset, PartitionId, Producer, ProducerEpoch, ProducerId, Record,
    Times, Timestamp, batches,
};

/// So many of a kind of damage to one file in every test run.
const SAMPLE: usize = 4;
/// A start that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug)]
enum Damage {
    Cut(u64),
    Bit(u64),
    Gone,
    Directory,
    /// To a copy of the file, outside.
    Link,
    LinkToItself,
    Pipe,
}

/// How the directory was left.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Left {
    Cleanly,
    Killed,
}

/// Values by topic, partition and offset.
type Records = BTreeMap<(String, PartitionId, Offset), Vec<u8>>;

/// What came of a start.
enum Start {
    Refused(String),
    Serves(Records),
}

const JUMPS: &str = "jumps";

/// A directory that goes with the test.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        // Where there is memory to write to, a sync costs nothing.
        let memory = Path::new("/dev/shm");
        let fresh = temporary_dir().unwrap();
        if !memory.is_dir() {
            return Place(fresh);
        }
        fs::remove_dir(&fresh).unwrap();
        let dir = memory.join(fresh.file_name().unwrap());
        fs::create_dir(&dir).unwrap();
        Place(dir)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What the broker has said.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The group that has committed.
const GROUP: &str = "readers";

fn opened(dir: &Path) -> Result<(Box<Home>, Arc<Topics>), String> {
    let home = match Home::claim(dir).map_err(|error| error.to_string())? {
        Claim::Won(home) => home,
        Claim::Held(_) => panic!("nobody else is there"),
    };
    home.conf().map_err(|error| error.to_string())?;
    let one = ("offsets.topic.num.partitions".to_owned(), "1".to_owned());
    let settings = Settings::parse(&[one]).unwrap();
    let topics = Topics::open(dir.to_owned(), home.identity(), settings, Durability::Os);
    Ok((home, Arc::new(topics.map_err(|error| error.to_string())?)))
}

/// Three closed segments and one that grows, with a producer and an aborted transaction.
fn fill(topics: &Topics) {
    // An entry of the indexes for each batch.
    let configs = [("segment.ms", "1000"), ("index.interval.bytes", "0")]
        .map(|(key, value)| (key.into(), value.into()));
    let topic = |name: &str| NewTopic {
        name: name.into(),
        partitions: Some(1),
        configs: configs.clone().into_iter().collect(),
    };
    for created in topics.create(&[topic("orders"), topic("quiet")]) {
        created.unwrap_or_else(|error| panic!("{error}"));
    }
    let begun = now().get();
    for number in 0..12 {
        let producer = Producer {
            id: ProducerId(7),
            epoch: ProducerEpoch(0),
            base_sequence: if number < 10 { number } else { -1 },
        };
        let batch = BatchBuilder::new().producer(producer);
        let batch = if 7 < number { batch.transactional() } else { batch };
        let (mut batch, record) = match number {
            // An abort; the second one is of nothing.
            10.. => (batch.control(), (&[0, 0, 0, 0][..], &[0, 0, 0, 0, 0, 0][..])),
            _ => (batch, (&b"key"[..], &b"some value"[..])),
        };
        // A segment for each three.
        let time = Timestamp(begun + i64::from(number) + i64::from(number / 3) * 2000);
        let (key, value) = (Some(record.0), Some(record.1));
        batch.push(time, &Record { key, value, headers: &[] });
        let batch = batch.build();
        for name in ["orders", "quiet"] {
            if name == "orders" || number == 0 {
                put(topics, name, &batch);
            }
        }
    }
}

fn put(topics: &Topics, name: &str, batch: &[u8]) {
    let partition = topics.get(name).unwrap().partitions[0].clone();
    let batch = BatchView::parse(batch).unwrap();
    partition.append(&batch, Times::Keep, now()).unwrap().unwrap();
}

fn commit(groups: &Groups, offset: i64) {
    let key =
        OffsetCommitKey { group: GROUP.into(), topic: "orders".into(), partition: PartitionId(0) };
    let value = OffsetCommitValue {
        offset: Offset(offset),
        committed_at: now(),
        ..OffsetCommitValue::default()
    };
    groups.store().append(GROUP, &[GroupRecord::Offset(key, value)], now()).unwrap();
}

/// What the group has committed, as a record of its own kind.
fn committed(groups: &Groups) -> Option<((String, PartitionId, Offset), Vec<u8>)> {
    groups.with(GROUP, |group, _| {
        let value = group.offsets.get("orders", PartitionId(0))?;
        Some(((GROUP.to_owned(), PartitionId(0), value.offset), Vec::new()))
    })?
}

/// A snapshot of the first half of the catalogue, as Apache Kafka writes it, and the one with which
/// its format tool begins.
fn add_checkpoints(dir: &Path) {
    let catalogue = dir.join("__cluster_metadata-0");
    let bytes = fs::read(catalogue.join("00000000000000000000.log")).unwrap();
    let all: Vec<_> = batches(&bytes).map(Result::unwrap).collect();
    let half = &all[..all.len().div_ceil(2)];
    let end = half.last().unwrap().next_offset();
    let content = half.iter().flat_map(|batch| batch.bytes().to_vec()).collect();
    write_checkpoint(&catalogue, end, content);
    fs::write(dir.join("bootstrap.checkpoint"), &bytes).unwrap();
}

/// The file ends with a batch that says so.
fn write_checkpoint(catalogue: &Path, end: Offset, mut content: Vec<u8>) {
    let mut footer = BatchBuilder::new().control();
    let key = [0, 0, 0, 4];
    footer.push(now(), &Record { key: Some(&key), value: Some(&[0; 3]), headers: &[] });
    let mut footer = footer.build();
    footer[..8].copy_from_slice(&end.get().to_be_bytes());
    content.extend(footer);
    let name = format!("{:020}-{:010}.checkpoint", end.get(), 1);
    fs::write(catalogue.join(name), content).unwrap();
}

fn make(dir: &Path, left: Left) -> Records {
    // Of a clean stop before, there is what only such a stop writes.
    let (home, topics) = opened(dir).unwrap();
    topics.close().unwrap();
    drop((topics, home));
    let (_home, topics) = opened(dir).unwrap();
    fill(&topics);
    let groups = Groups::open(topics.clone());
    (1..4).for_each(|offset| commit(&groups, offset));
    let mut records = read(&topics, &Lines::default());
    records.extend(committed(&Groups::open(topics.clone())));
    match left {
        Left::Cleanly => topics.close().unwrap(),
        Left::Killed => {
            for topic in topics.all() {
                topic.partitions[0].make_durable().unwrap();
                topic.partitions[0].checkpoint().unwrap();
            }
            topics.write_checkpoints().unwrap();
        }
    }
    drop((groups, topics));
    add_checkpoints(dir);
    records
}

/// All records that can be read, by a reader that begins at each. What a reader fails at is in the
/// lines: an error, or what is no batch; and that offsets jump, which few readers heed.
fn read(topics: &Topics, lines: &Lines) -> Records {
    let mut records = Records::new();
    for topic in topics.all() {
        for partition in &topic.partitions {
            let name = format!("{}-{}", topic.name(), partition.id);
            let mut to_lines = lines.clone();
            let mut see = |what: &dyn fmt::Display| {
                io::Write::write_all(&mut to_lines, format!("{name} {what}\n").as_bytes()).unwrap();
            };
            let Ok(extent) = partition.ask(|log| Extent::of(log)) else { continue };
            let mut next = extent.start;
            while next < extent.end {
                let found = match partition.read(next, 1, Reader::OfAll).unwrap().batches {
                    Ok(Some(found)) => found.slice.load(),
                    Ok(None) => break,
                    Err(error) => {
                        see(&error);
                        next = Offset(next.get() + 1);
                        continue;
                    }
                };
                let before = next;
                for batch in batches(&found.unwrap()) {
                    let Ok(batch) = batch else {
                        see(&"has no batch where one was");
                        break;
                    };
                    if batch.check_crc().is_err() {
                        see(&"has a batch whose checksum does not fit");
                    }
                    if batch.base_offset() != next {
                        see(&format_args!("{JUMPS} from {next} to {}", batch.base_offset()));
                    }
                    let key = (topic.name().to_string(), partition.id, batch.base_offset());
                    let bytes = batch.bytes()[21..].to_vec();
                    records.insert(key, bytes);
                    next = batch.next_offset();
                }
                if next <= before {
                    break;
                }
            }
        }
    }
    records
}

/// Starts a broker and stops it, in a thread that may hang.
fn started(dir: &Path) -> (Start, String) {
    let (done, result) = mpsc::channel();
    let dir = dir.to_owned();
    let run = thread::spawn(move || {
        let lines = Lines::default();
        let writer = lines.clone();
        let collector =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        let start = tracing::subscriber::with_default(collector, || match opened(&dir) {
            Err(refusal) => Start::Refused(refusal),
            Ok((_home, topics)) => {
                let groups = Groups::open(topics.clone());
                let mut records = read(&topics, &lines);
                records.extend(committed(&groups));
                // A log that cannot be opened makes it no clean stop, which has been said.
                _ = topics.close();
                Start::Serves(records)
            }
        });
        _ = done.send((start, lines.text()));
    });
    match result.recv_timeout(LIMIT) {
        Ok(found) => found,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            std::panic::resume_unwind(run.join().expect_err("it sent nothing"))
        }
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(files(&path)),
            path => found.push(path),
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        match entry.path() {
            path if path.is_dir() => copy(&path, &target),
            path => drop(fs::copy(path, target).unwrap()),
        }
    }
}

fn damage(path: &Path, damage: Damage, outside: &Path) {
    let bytes = fs::read(path).unwrap();
    if !matches!(damage, Damage::Cut(_) | Damage::Bit(_)) {
        fs::remove_file(path).unwrap();
    }
    match damage {
        Damage::Cut(at) => fs::write(path, &bytes[..at as usize]).unwrap(),
        Damage::Bit(bit) => {
            let mut bytes = bytes;
            bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
            fs::write(path, bytes).unwrap();
        }
        Damage::Gone => {}
        Damage::Directory => fs::create_dir(path).unwrap(),
        Damage::Link => symlink(outside, path).unwrap(),
        Damage::LinkToItself => symlink(path, path).unwrap(),
        Damage::Pipe => {
            let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
            let kind = rustix::fs::FileType::Fifo;
            rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, 0).unwrap();
        }
    }
}

/// Marsaglia's xorshift.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// What is done to a file of so many bytes.
fn damages(bytes: u64, dice: &mut Dice, is_all: bool) -> Vec<Damage> {
    let mut all =
        vec![Damage::Gone, Damage::Directory, Damage::Link, Damage::LinkToItself, Damage::Pipe];
    if bytes == 0 {
        return all;
    }
    all.push(Damage::Cut(0));
    if is_all {
        all.extend((1..bytes).map(Damage::Cut));
        all.extend((0..bytes * 8).map(Damage::Bit));
        return all;
    }
    all.push(Damage::Cut(bytes - 1));
    all.extend((0..SAMPLE).map(|_| Damage::Cut(dice.below(bytes))));
    all.extend((0..SAMPLE).map(|_| Damage::Bit(dice.below(bytes * 8))));
    all
}

/// What is wrong with how the broker takes it, if anything is.
fn judged(
    template: &Path,
    name: &Path,
    spoil: impl FnOnce(&Path, &Path),
    want: &Records,
) -> Result<&'static str, String> {
    let place = Place::new();
    let (dir, outside) = (place.0.join("data"), place.0.join("outside"));
    copy(template, &dir);
    let path = dir.join(name);
    fs::copy(&path, &outside).unwrap();
    let before = fs::read(&outside).unwrap();
    spoil(&path, &outside);
    let (start, lines) = started(&dir);
    if fs::read(&outside).unwrap() != before {
        return Err("a file outside was written to".to_owned());
    }
    // A file is named by itself, or by the partition that it is of.
    let names: Vec<String> = name.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    // Offsets are outside of a batch's checksum, and a segment that was cut behind a batch looks
    // whole: only how they jump tells.
    let is_log = name.extension().is_some_and(|end| end == "log");
    let lines = lines.lines().filter(|line| is_log || !line.contains(JUMPS));
    let lines = lines.collect::<Vec<_>>().join("\n");
    let is_named = |text: &str| names.iter().any(|name| text.contains(name.as_str()));
    // What meta.properties says, it says of the directory: another format, another node.
    let is_of_all = |text: &str| {
        names == ["meta.properties"] && text.contains(&format!("directory {}", dir.display()))
    };
    match start {
        Start::Refused(text) if is_named(&text) || is_of_all(&text) => Ok("refused"),
        Start::Refused(text) => Err(format!("refused without a name: {text}")),
        Start::Serves(records) if records == *want => Ok("whole"),
        Start::Serves(records) => {
            let lost = want.keys().find(|key| records.get(*key) != want.get(*key));
            let new = records.keys().find(|key| !want.contains_key(*key));
            match is_named(&lines) {
                true => Ok("named"),
                false => Err(format!("{lost:?} or {new:?} not as it was, silently: {lines}")),
            }
        }
    }
}

#[test]
fn whatever_becomes_of_a_file_is_refused_mended_or_named() {
    let number = |name: &str| std::env::var(name).ok();
    let seed = number("KAW_SEED").map_or(1, |seed| seed.parse().unwrap());
    let is_all = number("KAW_TIMES").is_some_and(|times| times == "all");
    let mut dice = Dice(seed ^ 0x9e37_79b9_7f4a_7c15);
    let (mut outcomes, mut wrong) = (BTreeMap::<&str, u32>::new(), Vec::new());
    for left in [Left::Cleanly, Left::Killed] {
        let template = Place::new();
        let want = make(&template.0, left);
        assert_eq!(want.len(), 17);
        for path in files(&template.0) {
            let name = path.strip_prefix(&template.0).unwrap();
            let bytes = fs::metadata(&path).unwrap().len();
            for done in damages(bytes, &mut dice, is_all) {
                let spoil = |path: &Path, outside: &Path| damage(path, done, outside);
                match judged(&template.0, name, spoil, &want) {
                    Ok(outcome) => *outcomes.entry(outcome).or_default() += 1,
                    Err(why) => wrong.push(format!("{left:?} {} {done:?}: {why}", name.display())),
                }
            }
        }
    }
    println!("starts on a damaged file: {outcomes:?}, KAW_SEED={seed}");
    assert!(wrong.is_empty(), "KAW_SEED={seed}: {}\n{}", wrong.len(), wrong.join("\n"));
}

/// What the disk loses of a segment that was closed is nothing that recovery may take for a torn
/// end, with all that came after it.
#[test]
fn what_is_damaged_in_a_closed_segment_takes_nothing_else_with_it_after_a_kill() {
    let template = Place::new();
    let want = {
        let (_home, topics) = opened(&template.0).unwrap();
        fill(&topics);
        super::super::housekeeping::flush_once(&topics, true);
        read(&topics, &Lines::default())
    };
    let points = fs::read_to_string(template.0.join("recovery-point-offset-checkpoint")).unwrap();
    assert!(points.contains("orders 0 9\n"), "{points}");
    for (name, lost) in [("00000000000000000003.log", 4), ("00000000000000000009.log", 10)] {
        for own_checkpoint in [true, false] {
            let place = Place::new();
            let (dir, outside) = (place.0.join("data"), place.0.join("outside"));
            copy(&template.0, &dir);
            let log = dir.join("orders-0").join(name);
            let batch = fs::metadata(&log).unwrap().len() / 3;
            damage(&log, Damage::Bit((batch + 70) * 8), &outside);
            if !own_checkpoint {
                fs::remove_file(dir.join("orders-0/00000000000000000009.index")).unwrap();
            }
            let (start, lines) = started(&dir);
            let Start::Serves(found) = start else { panic!("{lines}") };
            let changed = |key: &&_| found.get(*key) != want.get(*key);
            let of: Vec<i64> = want.keys().filter(changed).map(|key| key.2.get()).collect();
            assert_eq!(of, [lost], "{lines}");
            assert!(!lines.contains("set aside"), "{lines}");
        }
    }
}

#[test]
fn a_partition_whose_directory_is_gone_is_named_and_goes_on_where_it_was() {
    for left in [Left::Cleanly, Left::Killed] {
        let place = Place::new();
        make(&place.0, left);
        fs::remove_dir_all(place.0.join("orders-0")).unwrap();
        // Not even a broker that nobody asks for it forgets how far it came.
        opened(&place.0).unwrap().1.close().unwrap();
        let (start, lines) = started(&place.0);
        let Start::Serves(found) = start else { panic!("{lines}") };
        let count = |topic: &str| found.keys().filter(|key| key.0 == topic).count();
        assert_eq!((count("orders"), count("quiet")), (0, 1));
        let lost = "offsets that were durable are gone";
        assert!(lines.contains(lost) && lines.contains("from=0 to=12"), "{left:?} {lines}");
        let (_home, topics) = opened(&place.0).unwrap();
        let mut batch = BatchBuilder::new();
        batch.push(now(), &Record { key: None, value: Some(b"new"), headers: &[] });
        put(&topics, "orders", &batch.build());
        let records = read(&topics, &Lines::default());
        assert!(records.contains_key(&("orders".into(), PartitionId(0), Offset(12))));
        topics.close().unwrap();
        let again = started(&place.0).1;
        assert!(again.contains("kaw-missing from=0 to=12"), "until it is accepted: {again}");

        let id = topics.get("orders").unwrap().id();
        drop(topics);
        let (_home, topics) = opened(&place.0).unwrap();
        let dirs = topics.delete(id).unwrap();
        topics.settle_deletions().unwrap();
        super::super::housekeeping::remove_all(dirs);
        let orders = NewTopic { name: "orders".into(), ..NewTopic::default() };
        topics.create(&[orders]).remove(0).unwrap_or_else(|error| panic!("{error}"));
        drop(topics);
        drop(_home);
        let (start, lines) = started(&place.0);
        assert!(matches!(start, Start::Serves(_)) && !lines.contains("missing"), "{lines}");
    }
}

#[test]
fn a_damaged_catalogue_is_refused_until_it_is_repaired_unless_its_end_is_torn() {
    let check = |left: Left, done: fn(u64) -> Damage, want: &[&str]| {
        let place = Place::new();
        let (dir, outside) = (place.0.join("data"), place.0.join("outside"));
        let records = make(&dir, left);
        let name = "__cluster_metadata-0/00000000000000000000.log";
        let log = dir.join(name);
        let done = done(fs::metadata(&log).unwrap().len());
        damage(&log, done, &outside);
        let before = files(&dir);
        match started(&dir).0 {
            Start::Refused(why) => {
                assert!(!want.is_empty() && want.iter().all(|part| why.contains(part)), "{why}");
                assert!(why.contains(name) && why.contains("`kaw log repair /"), "{why}");
                assert_eq!(files(&dir), before, "nothing is touched");
            }
            Start::Serves(found) => assert!(want.is_empty() && found == records, "{done:?}"),
        }
    };
    for left in [Left::Cleanly, Left::Killed] {
        check(left, |_| Damage::Bit(100 * 8), &["byte 0: CRC mismatch"]);
    }
    check(Left::Cleanly, |bytes| Damage::Cut(bytes - 1), &["byte "]);
}
