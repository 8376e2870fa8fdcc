//! `kaw log dump`: what a log's files say, one thing a line.

mod batches;
mod beside;

use std::io::BufWriter;
use std::path::{Path, PathBuf};

use super::super::Exit;
use super::super::stdio::{Stdout, stdout_failed, tell};
use super::place::{Partition, Place};
use super::rows::Rows;
use crate::log::inspect::{Name, Thing, list};
use crate::record::PartitionId;

/// A write is worth its system call from about here.
const BUFFER_BYTES: usize = 256 << 10;

/// Print what files of a log hold: batches, records, index entries, producers
///
/// What cannot be read is told on stderr and left out; the exit code is 1 then. `kaw log dump
/// --records -J DIR | kaw produce -J TOPIC` saves what a partition's directory still holds, one
/// that was set aside (-stray) as well.
#[derive(clap::Args, Debug)]
pub struct Dump {
    /// Files of any kind; of a directory of a partition or of data, the batches
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Print the records instead of their batches; decoded, where the topic is one of Kafka's own
    #[arg(long)]
    records: bool,
    /// Print JSON, one object a line
    #[arg(short = 'J', long)]
    json: bool,
    /// Print columns without headings
    #[arg(long)]
    no_headers: bool,
}

/// What is dumped, and how it goes.
struct Dumping {
    rows: Rows<BufWriter<Stdout>>,
    records: bool,
    /// Something could not be read.
    failed: bool,
}

impl Dump {
    pub fn run(&self) -> anyhow::Result<Exit> {
        let out = BufWriter::with_capacity(BUFFER_BYTES, Stdout::open()?);
        let rows = Rows::new(out, self.json, !self.no_headers);
        let mut dumping = Dumping { rows, records: self.records, failed: false };
        let mut files = Vec::new();
        for path in &self.paths {
            match Place::find(path)? {
                Place::File(file) => files.push(file),
                Place::Partition(dir) => logs_of(&dir, &mut files)?,
                Place::Data(dir) | Place::Backup(dir) => {
                    for entry in list(&dir)? {
                        let is_dir = entry.thing == Thing::Directory;
                        if is_dir && Partition::parse(&entry.name).is_some() {
                            logs_of(&dir.join(entry.name), &mut files)?;
                        }
                    }
                }
            }
        }
        for file in &files {
            if files.len() > 1 && !self.json {
                let heading = format!("==> {} <==", file.display());
                dumping.rows.say(&heading).map_err(stdout_failed)?;
            }
            dumping.file(file)?;
        }
        std::io::Write::flush(&mut dumping.rows.out).map_err(stdout_failed)?;
        Ok(if dumping.failed { Exit::Refused } else { Exit::Done })
    }
}

/// The segments in a directory, in their order.
fn logs_of(dir: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = list(dir)?;
    let logs = entries.iter().filter(|entry| matches!(Name::parse(&entry.name), Name::Log(_)));
    files.extend(logs.map(|entry| dir.join(&entry.name)));
    Ok(())
}

impl Dumping {
    fn file(&mut self, path: &Path) -> anyhow::Result<()> {
        self.rows.begin();
        match kind(path) {
            Name::Log(base) => batches::dump(self, path, Some(base)),
            Name::Catalogue(..) => batches::dump(self, path, Some(crate::record::Offset::ZERO)),
            Name::SetAside | Name::LeftOver | Name::Other if is_log(path) => {
                batches::dump(self, path, None)
            }
            other => beside::dump(self, path, other),
        }
    }

    /// Something is wrong with a file; what else there is goes on.
    fn complain(&mut self, what: &str) {
        // What came before it is on its way to stdout.
        let _ = std::io::Write::flush(&mut self.rows.out);
        tell(what);
        self.failed = true;
    }
}

/// What a file is, also one that was set aside or marked.
fn kind(path: &Path) -> Name {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match Name::parse(&name) {
        Name::SetAside | Name::LeftOver => {
            let before = name.split(".damaged").next().unwrap_or_default();
            let before = before.strip_suffix(".deleted").unwrap_or(before);
            Name::parse(before)
        }
        kind => kind,
    }
}

fn is_log(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains(".log"))
}

/// The partition whose directory a file lies in; of a lone file, its directory's name and 0.
fn partition_of(path: &Path) -> Partition {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Partition::of(dir).unwrap_or_else(|| {
        let whole = std::fs::canonicalize(dir).unwrap_or_default();
        let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Partition { topic: name, partition: PartitionId(0) }
    })
}
