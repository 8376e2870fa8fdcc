//! `kaw log verify`: every checksum, index and snapshot, and whether they agree.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use super::super::{Exit, Global, note};
use super::backup::{self, Kept};
use super::data::{Data, Options};
use super::place::{Place, around};
use super::shown::{show, show_json};
use crate::log::inspect::{self, Condition, Expected, Finding, Findings, Severity, Verified};
use crate::quantity;
use anyhow::Context;

/// While a broker writes, what one look finds and the next does not was on its way. So many looks,
/// and the first pause between two of them, which grows.
const LOOKS_MAX: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);

/// Check files: every checksum, index and snapshot, and whether they agree; exit code 3 on damage
///
/// Nothing is changed, and no broker is needed; one may be at work there. A backup that grows by
/// `kaw backup` is checked by this alone as a whole: let it follow each run. What a killed broker
/// left half written at a log's end is told of and is no damage. A file that cannot be read is an
/// error, exit code 1, and the others are checked.
#[derive(clap::Args, Debug)]
pub struct Verify {
    /// Data directories, backups, or directories of partitions
    #[arg(required = true, value_name = "DIR")]
    dirs: Vec<PathBuf>,
    /// Read every record too, decompressed where need be
    #[arg(long)]
    records: bool,
    /// Offsets may be missing, as in a compacted topic; a data directory's own topics are known
    #[arg(long)]
    compacted: bool,
    /// Print findings as JSON, one object a line
    #[arg(short = 'J', long)]
    json: bool,
}

/// One partition to look at.
enum Task {
    Log { dir: PathBuf, expected: Expected },
    Kept(Kept),
}

impl Task {
    fn dir(&self) -> &Path {
        match self {
            Task::Log { dir, .. } | Task::Kept(Kept { dir, .. }) => dir,
        }
    }

    fn verified(&self) -> std::io::Result<Verified> {
        match self {
            Task::Log { dir, expected } => settled(dir, expected),
            Task::Kept(kept) => backup::verify(kept),
        }
    }
}

#[derive(Default)]
struct Total {
    partitions: u64,
    segments: u64,
    records: u64,
    bytes: u64,
    damages: u64,
    unread: u64,
}

impl Verify {
    pub fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let began = Instant::now();
        let mut tasks = Vec::new();
        let mut findings = Findings::default();
        for dir in &self.dirs {
            self.plan(dir, &mut tasks, &mut findings)?;
        }
        let mut total = Total { partitions: tasks.len() as u64, ..Total::default() };
        for (dir, verified) in run_all(tasks) {
            let verified = match verified {
                // The others are looked at all the same.
                Err(error) if error.raw_os_error().is_some() => {
                    findings.unread(&dir, &error);
                    continue;
                }
                verified => verified.with_context(|| format!("cannot read {}", dir.display()))?,
            };
            total.segments += verified.segments;
            total.records += verified.records;
            total.bytes += verified.bytes;
            findings.append(verified.findings);
        }
        let findings = findings.into_list();
        let count = |severity| findings.iter().filter(|it| it.severity == severity).count() as u64;
        (total.damages, total.unread) = (count(Severity::Damage), count(Severity::Unread));
        match self.json {
            true => show_json(&findings)?,
            false => show(global, &findings)?,
        }
        note(global, &total.said(began.elapsed()));
        Ok(match (total.damages, total.unread) {
            (0, 0) => Exit::Done,
            (0, _) => Exit::Refused,
            _ => Exit::Unmet,
        })
    }

    fn plan(
        &self,
        dir: &Path,
        tasks: &mut Vec<Task>,
        findings: &mut Findings,
    ) -> anyhow::Result<()> {
        let options = Options { compacted: self.compacted, records: self.records };
        let unknown =
            Expected { compacted: self.compacted, records: self.records, ..Expected::default() };
        match Place::find(dir)? {
            Place::File(path) => {
                let what = format!("{} is a file; name its directory", path.display());
                return Err(super::super::Usage(what).into());
            }
            Place::Backup(dir) => {
                let kept = backup::partitions(&dir, self.records, findings);
                let kept = kept.with_context(|| format!("cannot read {}", dir.display()))?;
                tasks.extend(kept.into_iter().map(Task::Kept));
            }
            Place::Partition(dir) => {
                let data = around(&dir).map(|data| Data::look(&data)).transpose()?;
                let expected = data.map_or(unknown, |data| data.expected(&dir, options));
                tasks.push(Task::Log { dir, expected });
            }
            Place::Data(dir) => {
                let look = || Data::look(&dir).with_context(|| format!("{}", dir.display()));
                let mut data = look()?;
                if data.condition == Condition::Live && data.findings.is_damaged() {
                    // The broker that writes here tells nobody when it has: it can only be looked
                    // at again.
                    thread::sleep(PAUSE);
                    let again = look()?;
                    data.findings = both(data.findings, again.findings);
                }
                for dir in &data.partitions {
                    let expected = data.expected(dir, options);
                    tasks.push(Task::Log { dir: dir.clone(), expected });
                }
                findings.append(data.findings);
            }
        }
        Ok(())
    }
}

impl Total {
    fn said(&self, took: Duration) -> String {
        let rate = self.bytes as f64 / took.as_secs_f64().max(1e-9);
        let counted = |count: u64, noun| quantity::counted(i64::try_from(count).unwrap_or(0), noun);
        let mut result = match self.damages {
            0 => "no damage".to_owned(),
            some => counted(some, "damage"),
        };
        if 0 < self.unread {
            result += &format!("; {} could not be read", counted(self.unread, "file"));
        }
        format!(
            "read {}, {}, {}, {} at {}/s: {result}",
            counted(self.partitions, "partition"),
            counted(self.segments, "segment"),
            counted(self.records, "record"),
            quantity::show_bytes(self.bytes),
            quantity::show_bytes(rate as u64),
        )
    }
}

/// Looks at all of them, as many at a time as there are processors, in their order.
fn run_all(tasks: Vec<Task>) -> Vec<(PathBuf, std::io::Result<Verified>)> {
    let count = tasks.len();
    let threads = thread::available_parallelism().map_or(1, usize::from).min(count);
    let queue = Mutex::new(tasks.into_iter().enumerate());
    let done = Mutex::new(Vec::with_capacity(count));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().expect("no look panics").next();
                    let Some((at, task)) = next else { return };
                    let verified = task.verified();
                    let dir = task.dir().to_owned();
                    done.lock().expect("no look panics").push((at, dir, verified));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no look panics");
    done.sort_by_key(|(at, ..)| *at);
    done.into_iter().map(|(_, dir, verified)| (dir, verified)).collect()
}

/// One partition. While a broker writes to it, damage is what every look finds.
fn settled(dir: &Path, expected: &Expected) -> std::io::Result<Verified> {
    let look = || match inspect::verify(dir, expected) {
        // Its topic was deleted meanwhile.
        Err(error)
            if error.kind() == std::io::ErrorKind::NotFound
                && expected.condition == Condition::Live =>
        {
            Ok(Verified::default())
        }
        verified => verified,
    };
    let mut verified = look()?;
    if expected.condition != Condition::Live {
        return Ok(verified);
    }
    for round in 1..LOOKS_MAX {
        if !verified.findings.is_damaged() {
            break;
        }
        // As above: what is half written is whole a moment later, and damage stays.
        thread::sleep(PAUSE * (1 << round));
        let again = look()?;
        verified.findings = both(verified.findings, again.findings);
    }
    Ok(verified)
}

/// What two looks have found.
fn both(first: Findings, second: Findings) -> Findings {
    let key = |finding: &Finding| (finding.path.clone(), finding.byte, finding.what.clone());
    let again: HashSet<_> = second.into_list().iter().map(key).collect();
    first.keeping(|finding| again.contains(&key(finding)))
}
