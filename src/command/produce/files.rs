//! The files that `produce` writes about itself.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::trail::Fate;

/// A checkpoint that is larger is none.
const CHECKPOINT_BYTES_MAX: u64 = 1 << 20;

/// A place in the input: which of the inputs, which of its bytes, after how many records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// From 0.
    pub input: usize,
    pub byte: u64,
    pub records: u64,
}

/// JSON lines about records.
pub struct Lines {
    path: PathBuf,
    file: BufWriter<File>,
}

/// Whether an earlier run's file is gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    Anew,
    After,
}

impl Lines {
    pub fn open(path: &Path, begin: Begin) -> anyhow::Result<Lines> {
        let mut options = OpenOptions::new();
        match begin {
            Begin::Anew => options.write(true).create(true).truncate(true),
            Begin::After => options.append(true).create(true),
        };
        let file = options.open(path).with_context(|| cannot_write(path))?;
        Ok(Lines { path: path.to_owned(), file: BufWriter::new(file) })
    }

    pub fn report(&mut self, number: u64, topic: &str, fate: &Fate) -> anyhow::Result<()> {
        let line = match fate {
            Fate::Delivered { place, timestamp } => json!({
                "record": number,
                "topic": topic,
                "partition": place.partition.get(),
                "offset": place.offset.map(|offset| offset.get()),
                "timestamp": timestamp.map(|timestamp| timestamp.get()),
                "error": null,
            }),
            Fate::Failed { why } => json!({
                "record": number,
                "topic": topic,
                "partition": null,
                "offset": null,
                "timestamp": null,
                "error": why,
            }),
        };
        self.write(&line)
    }

    /// Input that is not text is written as base64; what was too large to be kept is not there.
    pub fn reject(
        &mut self,
        number: u64,
        mark: &Mark,
        why: &str,
        bytes: Option<&[u8]>,
    ) -> anyhow::Result<()> {
        let mut line = json!({"record": number, "byte": mark.byte, "error": why});
        let (name, input) = match bytes.map(|bytes| (std::str::from_utf8(bytes), bytes)) {
            Some((Ok(text), _)) => ("input", json!(text)),
            Some((Err(_), bytes)) => ("input_base64", json!(STANDARD.encode(bytes))),
            None => ("input", Value::Null),
        };
        line[name] = input;
        self.write(&line)
    }

    fn write(&mut self, line: &Value) -> anyhow::Result<()> {
        writeln!(self.file, "{line}").with_context(|| cannot_write(&self.path))
    }

    pub fn flush(&mut self) -> anyhow::Result<()> {
        self.file.flush().with_context(|| cannot_write(&self.path))
    }
}

/// How far a run has come, in a file.
pub struct Checkpoint {
    path: PathBuf,
    saved: Saved,
    is_new: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Saved {
    topic: String,
    inputs: Vec<String>,
    done: Mark,
}

impl Checkpoint {
    /// Reads what an earlier run has left there, if it was of the same command.
    pub fn open(path: &Path, topic: &str, inputs: &[String]) -> anyhow::Result<Checkpoint> {
        let shown = path.display();
        let new =
            || Saved { topic: topic.to_owned(), inputs: inputs.to_vec(), done: Mark::default() };
        let no_checkpoint =
            || anyhow::anyhow!("{shown} is no checkpoint of kaw's; --resume would overwrite it");
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(no_checkpoint());
        }
        let saved = match File::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("cannot read {shown}")),
            Ok(file) => {
                let mut text = Vec::new();
                let read = file.take(CHECKPOINT_BYTES_MAX).read_to_end(&mut text);
                read.with_context(|| format!("cannot read {shown}"))?;
                Some(serde_json::from_slice::<Saved>(&text).map_err(|_| no_checkpoint())?)
            }
        };
        if let Some(saved) = &saved
            && (saved.topic != topic || saved.inputs != inputs)
        {
            bail!(
                "{shown} is of another run (topic {}, {}); remove it to begin anew",
                saved.topic,
                saved.inputs.join(" ")
            );
        }
        let is_new = saved.is_none();
        let mut checkpoint =
            Checkpoint { path: path.to_owned(), saved: saved.unwrap_or_else(new), is_new };
        if is_new {
            // That it cannot be written is said before anything is sent.
            checkpoint.write()?;
        }
        Ok(checkpoint)
    }

    /// How an earlier run's other files are gone on with.
    pub fn begin(&self) -> Begin {
        if self.is_new { Begin::Anew } else { Begin::After }
    }

    pub fn done(&self) -> Mark {
        self.saved.done
    }

    pub fn save(&mut self, done: Mark) -> anyhow::Result<()> {
        if self.saved.done == done {
            return Ok(());
        }
        self.saved.done = done;
        self.write()
    }

    /// Whole or not at all, also after a power loss.
    fn write(&mut self) -> anyhow::Result<()> {
        let text = serde_json::to_string(&self.saved).expect("plain data") + "\n";
        let mut name = self.path.clone().into_os_string();
        name.push(".new");
        let new = PathBuf::from(name);
        let written = File::create(&new)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_data()))
            .and_then(|()| fs::rename(&new, &self.path));
        written.with_context(|| cannot_write(&self.path))
    }
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}
