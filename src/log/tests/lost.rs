//! Files that somebody took away or cut, and nothing is left that looks damaged: the engine and
//! `verify` say which offsets are gone, and go on saying it until `repair` accepts it.

use std::path::PathBuf;

use super::*;
use crate::log::inspect::{Condition, Expected, Mode, Severity, repair, verify};
use crate::log::{missing, saved};

/// A log on the machine's own disk, gone with the value.
struct Folder {
    top: PathBuf,
    cleanup: Cleanup,
    known: Known,
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.top);
    }
}

/// Five batches a segment, of two records each.
const BATCHES: i64 = 22;
const END: i64 = 2 * BATCHES;
const SEGMENT: i64 = 10;

impl Folder {
    fn new(cleanup: Cleanup) -> Folder {
        let top = scratch("lost");
        std::fs::create_dir_all(&top).unwrap();
        let known = Known { is_ours: true, ..Known::default() };
        let mut folder = Folder { top, cleanup, known };
        let (mut log, _) = folder.open();
        for n in 0..BATCHES {
            append(&mut log, &batch(n, &["some value", "and another"])).unwrap();
        }
        assert_eq!(log.segments.iter().map(|s| s.base.get()).collect::<Vec<_>>(), BASES);
        folder.stop(log);
        folder
    }

    fn dir(&self) -> PathBuf {
        self.top.join("t-0")
    }

    fn open(&self) -> (Log<RealDisk>, Recovered) {
        let size = batch(0, &["some value", "and another"]).len() as u32;
        let cleanup = self.cleanup;
        let bytes = size * 5 + 1;
        let settings =
            Settings { cleanup, segment_bytes: bytes, index_interval_bytes: size, ..SMALL };
        Log::open(RealDisk, &self.dir(), TOPIC_ID, settings, self.known, Timestamp(0)).unwrap()
    }

    /// As the broker does it.
    fn stop(&mut self, log: Log<RealDisk>) {
        let end = log.end();
        let is_ours = self.known.is_ours;
        let (trust, recovery_point) = (Trust::Clean, Some(end));
        self.known = Known { trust, recovery_point, is_ours, ..log.known() };
        log.close(Timestamp(0)).unwrap();
    }

    fn path(&self, base: i64, kind: &str) -> PathBuf {
        self.dir().join(format!("{base:020}.{kind}"))
    }

    fn take(&self, base: i64) {
        ["log", "index", "timeindex"]
            .iter()
            .for_each(|kind| std::fs::remove_file(self.path(base, kind)).unwrap());
    }

    fn cut(&self, base: i64, batches: u64) {
        let size = batch(0, &["some value", "and another"]).len() as u64;
        let file = std::fs::OpenOptions::new().write(true).open(self.path(base, "log")).unwrap();
        file.set_len(size * batches).unwrap();
    }

    fn expected(&self) -> Expected {
        let is_clean = self.known.trust == Trust::Clean;
        Expected {
            condition: if is_clean { Condition::Clean } else { Condition::Unclean },
            compacted: self.cleanup == Cleanup::Compact,
            topic_id: Some(TOPIC_ID),
            log_start: self.known.log_start,
            recovery_point: self.known.recovery_point,
            is_ours: self.known.is_ours,
            ..Expected::default()
        }
    }

    /// What is damage to who looks at the files.
    fn damage(&self) -> Vec<String> {
        let found = verify(&self.dir(), &self.expected()).unwrap().findings.into_list();
        let damage = found.into_iter().filter(|it| it.severity == Severity::Damage);
        damage.map(|it| it.to_string()).collect()
    }
}

const BASES: [i64; 5] = [0, SEGMENT, 2 * SEGMENT, 3 * SEGMENT, 4 * SEGMENT];

fn ranges(recovered: &Recovered) -> Vec<(i64, i64)> {
    recovered.lost.iter().map(|lost| (lost.from.get(), lost.to.get())).collect()
}

/// What is `gone` is said by the engine at every start and by `verify`, before it and after, until
/// it is accepted; and nothing else is lost by that.
#[track_caller]
fn check(cleanup: Cleanup, trust: Trust, what: impl Fn(&Folder), gone: (i64, i64)) {
    let mut folder = Folder::new(cleanup);
    folder.known.trust = trust;
    what(&folder);
    assert_ne!(folder.damage(), [""; 0], "before a start");
    let mut left = 0;
    for start in 0..3 {
        let (mut log, recovered) = folder.open();
        assert_eq!(ranges(&recovered), [gone], "start {start}");
        assert_eq!(log.end(), Offset(END), "no offset is given twice");
        left = contents(&mut log).len() as i64;
        assert_eq!(left, END - (gone.1 - gone.0), "the others are there");
        folder.stop(log);
        let damage = folder.damage().join("\n");
        let told = format!("offsets {} to {}", gone.0, gone.1 - 1);
        assert!(damage.contains(&told) && !damage.contains("index"), "start {start}: {damage}");
    }
    accepts(&mut folder, gone, left);
}

/// `repair` says what is gone, and then it is quiet.
#[track_caller]
fn accepts(folder: &mut Folder, gone: (i64, i64), left: i64) {
    let dry = repair(&folder.dir(), &folder.expected(), Mode::Say, Timestamp(0)).unwrap();
    let done = repair(&folder.dir(), &folder.expected(), Mode::Do, Timestamp(0)).unwrap();
    assert_eq!(dry.steps, done.steps);
    let said: Vec<String> = done.steps.iter().map(ToString::to_string).collect();
    let told = format!("offsets {} to {}", gone.0, gone.1 - 1);
    assert!(said.iter().any(|step| step.contains(&told)), "{said:?}");
    assert_eq!(folder.damage(), [""; 0], "{said:?}");
    let (mut log, recovered) = folder.open();
    assert_eq!((ranges(&recovered), log.end()), (vec![], Offset(END)));
    assert_eq!(contents(&mut log).len() as i64, left);
    folder.stop(log);
    assert_eq!(folder.damage(), [""; 0]);
}

const DELETE: Cleanup = Cleanup::Delete;
const COMPACT: Cleanup = Cleanup::Compact;

#[test]
fn a_first_segment_that_is_gone_is_no_later_start() {
    for cleanup in [DELETE, COMPACT] {
        for trust in [Trust::Clean, Trust::Unclean] {
            check(cleanup, trust, |folder| folder.take(0), (0, 10));
            let two = |folder: &Folder| [0, 10].iter().for_each(|&base| folder.take(base));
            check(cleanup, trust, two, (0, 20));
        }
    }
}

/// Apache Kafka moves its leader epochs in memory before it deletes, and on the disk thereafter.
#[test]
fn what_a_kill_of_apache_explains_is_no_loss() {
    let mut folder = Folder::new(DELETE);
    folder.known = Known { trust: Trust::Unclean, is_ours: false, ..folder.known };
    folder.take(0);
    assert_eq!(folder.damage(), [""; 0]);
    let (log, recovered) = folder.open();
    assert_eq!((ranges(&recovered), log.start()), (vec![], Offset(SEGMENT)));
    folder.stop(log);
    assert_eq!(folder.damage(), [""; 0]);
}

/// Nothing says that the log begins later but its own checkpoint, of which no kill takes anything;
/// what goes against it is lost.
#[test]
fn a_kill_behind_a_removal_leaves_no_damage() {
    for kept in [0, 1, 2, 3] {
        let mut folder = Folder::new(DELETE);
        let (mut log, _) = folder.open();
        let before = folder.known;
        folder.known.trust = Trust::Unclean;
        let keep = Retention { ms: None, bytes: Some(600) };
        removed(&mut log, |log| log.remove_expired(&keep, Timestamp(0))).unwrap();
        let start = log.start();
        assert!(Offset(SEGMENT) < start);
        drop(log);
        // The last of the files did not go.
        let left = ["snapshot", "txnindex", "timeindex", "index"].iter().rev().take(kept);
        left.for_each(|kind| std::fs::write(folder.path(SEGMENT, kind), [0; 24]).unwrap());
        assert_eq!(folder.damage(), [""; 0], "{kept}");
        let (log, recovered) = folder.open();
        assert_eq!((ranges(&recovered), log.start()), (vec![], start));
        drop(log);
        folder.take(start.get());
        assert_ne!(folder.damage(), [""; 0]);
        let gone = (start.get(), start.get() + SEGMENT);
        assert_eq!(ranges(&folder.open().1), [gone], "{before:?}");
    }
}

#[test]
fn a_hole_in_the_middle_is_said() {
    for trust in [Trust::Clean, Trust::Unclean] {
        check(DELETE, trust, |folder| folder.take(20), (20, 30));
        check(DELETE, trust, |folder| folder.cut(20, 3), (26, 30));
        check(DELETE, trust, |folder| folder.cut(20, 0), (20, 30));
        check(DELETE, trust, |folder| folder.cut(0, 0), (0, 10));
        check(DELETE, trust, |folder| folder.cut(0, 4), (8, 10));
        // Compaction takes batches out, but not without those of the index.
        check(COMPACT, trust, |folder| folder.cut(20, 3), (26, 30));
        check(COMPACT, trust, |folder| folder.cut(20, 0), (20, 30));
        check(COMPACT, trust, |folder| folder.cut(0, 0), (0, 10));
    }
}

#[test]
fn an_end_that_is_gone_stays_gone_after_a_start_and_a_stop() {
    for cleanup in [DELETE, COMPACT] {
        for trust in [Trust::Clean, Trust::Unclean] {
            check(cleanup, trust, |folder| folder.cut(40, 0), (40, END));
            check(cleanup, trust, |folder| folder.cut(40, 1), (42, END));
            check(cleanup, trust, |folder| folder.take(40), (40, END));
        }
    }
}

#[test]
fn a_log_of_which_nothing_is_left_is_not_an_empty_one() {
    let all = |folder: &Folder| BASES.iter().for_each(|&base| folder.take(base));
    let whole = |folder: &Folder| std::fs::remove_dir_all(folder.dir()).unwrap();
    for trust in [Trust::Clean, Trust::Unclean] {
        check(DELETE, trust, all, (0, END));
        check(COMPACT, trust, all, (0, END));
        let mut folder = Folder::new(DELETE);
        folder.known.trust = trust;
        whole(&folder);
        for start in 0..2 {
            let (log, recovered) = folder.open();
            assert_eq!((ranges(&recovered), log.end()), (vec![(0, END)], Offset(END)), "{start}");
            folder.stop(log);
        }
        accepts(&mut folder, (0, END), 0);
    }
}

/// What was deleted is not lost, nor what was compacted.
#[test]
fn what_went_by_its_own_rules_is_no_loss() {
    let sound = |folder: &mut Folder, told: &str| {
        for trust in [Trust::Clean, Trust::Unclean] {
            folder.known.trust = trust;
            assert_eq!(folder.damage(), [""; 0], "{told} {trust:?}");
            let (log, recovered) = folder.open();
            assert_eq!(ranges(&recovered), [], "{told} {trust:?}");
            folder.stop(log);
        }
    };
    let keep = Retention { ms: None, bytes: Some(600) };
    for cleanup in [DELETE, COMPACT] {
        let mut folder = Folder::new(cleanup);
        sound(&mut folder, "untouched");
        let (mut log, _) = folder.open();
        removed(&mut log, |log| log.remove_expired(&keep, Timestamp(0))).unwrap();
        assert!(Offset::ZERO < log.start());
        folder.stop(log);
        sound(&mut folder, "expired");
        let (mut log, _) = folder.open();
        removed(&mut log, |log| log.remove_before(Offset(33), Timestamp(0))).unwrap();
        folder.stop(log);
        sound(&mut folder, "deleted");
        let (mut log, _) = folder.open();
        removed(&mut log, |log| log.remove_before(Offset(END), Timestamp(0))).unwrap();
        folder.stop(log);
        sound(&mut folder, "all deleted");
    }
    // A segment may be without its last batches, or all of them, also once it is no longer so.
    let mut folder = Folder::new(COMPACT);
    // The last of four batches has the largest time, 8.
    let time = [8i64.to_be_bytes().as_slice(), &7u32.to_be_bytes()].concat();
    for (base, batches, times) in [(10, 4, time), (20, 0, vec![])] {
        folder.cut(base, batches);
        std::fs::write(folder.path(base, "index"), []).unwrap();
        std::fs::write(folder.path(base, "timeindex"), times).unwrap();
    }
    sound(&mut folder, "compacted");
    folder.cleanup = DELETE;
    folder.known.compacted = Some(Offset(30));
    let (_, recovered) = folder.open();
    assert_eq!(ranges(&recovered), []);
    // Apache Kafka deletes segments some minutes after the records in them.
    folder.known.log_start = Some(Offset(33));
    for trust in [Trust::Clean, Trust::Unclean] {
        folder.known.trust = trust;
        let (log, recovered) = folder.open();
        assert_eq!((ranges(&recovered), log.start()), (vec![], Offset(33)), "{trust:?}");
    }
    std::fs::remove_file(folder.dir().join(saved::NAME)).unwrap();
    folder.known.recovery_point = Some(Offset(5));
    folder.known.compacted = None;
    let (log, recovered) = folder.open();
    assert!(recovered.is_whole(), "{recovered:?}");
    assert_eq!((ranges(&recovered), log.end()), (vec![], Offset(END)));
}

#[test]
fn what_is_written_down_is_read_in_a_moment_however_much_it_is() {
    let folder = Folder::new(DELETE);
    let many = 300_000;
    let lines: String = (0..many).map(|n| format!("{} {}\n", 2 * n, 2 * n + 1)).collect();
    let path = folder.dir().join(missing::NAME);
    std::fs::write(&path, format!("0\n{many}\n{lines}")).unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(folder.open().1.lost.len(), many);
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
}
