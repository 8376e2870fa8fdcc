//! `kaw log repair`: takes damage out of logs; nothing is deleted.

mod patient;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;

use super::super::stdio::{line, print};
use super::super::{Exit, Global, note};
use super::catalogue;
use super::data::{Data, Options};
use super::place::Partition;
use crate::log::inspect::{self, Finding, Mode, Name, Severity};
use crate::quantity::counted;
use crate::record::{Offset, Timestamp};

use patient::Patient;

/// Say how damaged files would be mended, or mend them with --yes; nothing is deleted
///
/// Good batches stay. What is damaged is kept beside the log, under the file's name with .damaged
/// behind it, and the offsets that are lost are not given to other records. Without --yes nothing
/// is changed, and the exit code is 3 if there is something to mend.
#[derive(clap::Args, Debug)]
pub struct Repair {
    /// A data directory, or the directory of a partition
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Do it
    #[arg(short, long)]
    yes: bool,
    /// Offsets may be missing, as in a compacted topic; a data directory's own topics are known
    #[arg(long)]
    compacted: bool,
}

impl Repair {
    pub fn run(&self, global: &Global) -> anyhow::Result<Exit> {
        let mode = if self.yes { Mode::Do } else { Mode::Say };
        let mut patient = Patient::admit(&self.dir, mode)?;
        let mut steps = 0;
        if let Some(data) = &patient.data {
            steps += self.mend_top(data)?;
        }
        let (catalogue, others): (Vec<_>, Vec<_>) =
            patient.partitions.clone().into_iter().partition(|dir| catalogue::is_own(dir));
        if !patient.begins_catalogue_anew() {
            steps += self.mend_all(&patient, &catalogue, mode)?;
        }
        if patient.has_catalogue() {
            steps += patient.mend_catalogue(mode)?;
        }
        steps += self.mend_all(&patient, &others, mode)?;
        self.conclude(global, &patient, steps)
    }

    fn mend_all(&self, of: &Patient, dirs: &[PathBuf], mode: Mode) -> anyhow::Result<usize> {
        let options = Options { compacted: self.compacted, records: false };
        let mut steps = 0;
        for dir in dirs {
            let repair = inspect::repair(dir, &of.expected(dir, options), mode, now())?;
            let said: String = repair.steps.iter().map(|step| line(&step.to_string())).collect();
            print(&said)?;
            steps += repair.steps.len();
            if let (Some(data), Some(end)) = (&of.data, repair.end) {
                note_end(&data.dir, dir, end)?;
            }
        }
        Ok(steps)
    }

    fn conclude(&self, global: &Global, patient: &Patient, steps: usize) -> anyhow::Result<Exit> {
        if !self.yes {
            let damage = self.look_again(patient)?;
            return Ok(match (damage.is_empty(), steps) {
                (true, 0) => {
                    note(global, "nothing to mend");
                    Exit::Done
                }
                (false, 0) => {
                    let said: String =
                        damage.iter().map(|finding| line(&finding.to_string())).collect();
                    print(&said)?;
                    note(
                        global,
                        "what is damaged cannot be mended, and has to be restored by hand",
                    );
                    Exit::Unmet
                }
                _ => {
                    let steps = things(steps);
                    note(global, &format!("{steps} to mend; --yes does it, and deletes nothing"));
                    Exit::Unmet
                }
            });
        }
        let (left, steps) = (self.look_again(patient)?, things(steps));
        let said: String = left.iter().map(|finding| line(&finding.to_string())).collect();
        print(&said)?;
        match left.is_empty() {
            true => {
                note(global, &format!("{steps} mended; no damage is left"));
                Ok(Exit::Done)
            }
            false => {
                note(global, &format!("{steps} mended; what is left has to be restored by hand"));
                Ok(Exit::Unmet)
            }
        }
    }

    /// What is damaged now. An error: something cannot be read.
    fn look_again(&self, patient: &Patient) -> anyhow::Result<Vec<Finding>> {
        let data = patient.data.as_ref().map(|data| Data::look_own(&data.dir)).transpose()?;
        let options = Options { compacted: self.compacted, records: false };
        let mut left = Vec::new();
        for dir in &patient.partitions {
            let expected = match &data {
                Some(data) => data.expected(dir, options),
                None => patient.expected(dir, options),
            };
            left.extend(inspect::verify(dir, &expected)?.findings.into_list());
        }
        left.extend(data.into_iter().flat_map(|data| data.findings.into_list()));
        if let Some(unread) = left.iter().find(|finding| finding.severity == Severity::Unread) {
            anyhow::bail!("{unread}");
        }
        left.retain(|finding| finding.severity == Severity::Damage);
        Ok(left)
    }

    /// Texts at the top that cannot be read are set aside: brokers do without them.
    fn mend_top(&self, data: &Data) -> anyhow::Result<usize> {
        let mut done: Vec<&Path> = Vec::new();
        for finding in data.findings.list() {
            let path = &finding.path;
            let is_top = path.parent() == Some(&*data.dir);
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let replaceable = matches!(Name::parse(&name), Name::Offsets | Name::Json);
            // A line about a partition that is gone is no damage of the file.
            let unreadable = finding.byte.is_some() || !is_readable(path);
            let is_one = is_top && replaceable && unreadable && !done.contains(&&**path);
            if !is_one || finding.severity != Severity::Damage {
                continue;
            }
            print(&line(&format!("{}: set aside ({})", path.display(), finding.what)))?;
            done.push(path);
            if self.yes {
                inspect::set_aside(path)
                    .with_context(|| format!("cannot rename {}", path.display()))?;
            }
        }
        Ok(done.len())
    }
}

fn things(steps: usize) -> String {
    counted(i64::try_from(steps).unwrap_or(i64::MAX), "thing")
}

/// Whether a text at the top is a file that says something.
fn is_readable(path: &Path) -> bool {
    match inspect::read_small(path) {
        Ok(bytes) if path.extension().is_none() && path.ends_with(".kafka_cleanshutdown") => {
            serde_json::from_slice::<serde_json::Value>(&bytes).is_ok()
        }
        Ok(_) => true,
        Err(_) => false,
    }
}

/// The checkpoint at the top says where the log ends now.
fn note_end(data: &Path, dir: &Path, end: Offset) -> anyhow::Result<()> {
    let Some(partition) = Partition::of(dir) else { return Ok(()) };
    for name in ["recovery-point-offset-checkpoint", "replication-offset-checkpoint"] {
        let path = data.join(name);
        let Ok(bytes) = inspect::read_small(&path) else { continue };
        let Ok(mut lines) = inspect::offsets(&bytes) else { continue };
        let own = lines
            .iter_mut()
            .find(|line| line.topic == partition.topic && line.partition == partition.partition);
        let Some(own) = own.filter(|own| own.offset != end) else { continue };
        own.offset = end;
        let mut text = format!("0\n{}\n", lines.len());
        for line in &lines {
            text += &format!("{} {} {}\n", line.topic, line.partition, line.offset);
        }
        inspect::replace(&path, text.as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
