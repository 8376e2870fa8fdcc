//! What looking at files found: which file, where in it, what is wrong.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::record::Offset;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something is not as it was written, or not there.
    Damage,
    /// Nobody knows what it holds: the system would not give it.
    Unread,
    /// Good to know; nothing is lost.
    Note,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    pub path: PathBuf,
    /// Where in the file.
    pub byte: Option<u64>,
    /// Where in the log.
    pub offset: Option<Offset>,
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        if let Some(byte) = self.byte {
            write!(f, "byte {byte}: ")?;
        }
        if let Some(offset) = self.offset {
            write!(f, "offset {offset}: ")?;
        }
        f.write_str(&self.what)
    }
}

/// A file in which everything is wrong must not fill memory and screen.
const OF_ONE_FILE_MAX: usize = 100;

/// Collects findings, of one file a bounded number.
#[derive(Debug, Default)]
pub struct Findings {
    list: Vec<Finding>,
}

impl Findings {
    pub fn damage(&mut self, path: &Path, what: impl Into<String>) {
        self.push(Severity::Damage, path, None, None, what.into());
    }

    pub fn damage_at(&mut self, path: &Path, byte: u64, what: impl Into<String>) {
        self.push(Severity::Damage, path, Some(byte), None, what.into());
    }

    pub fn damage_of(&mut self, path: &Path, byte: u64, offset: Offset, what: impl Into<String>) {
        self.push(Severity::Damage, path, Some(byte), Some(offset), what.into());
    }

    /// Where in the log, of a file whose bytes say nothing of it.
    pub fn damage_off(&mut self, path: &Path, offset: Offset, what: impl Into<String>) {
        self.push(Severity::Damage, path, None, Some(offset), what.into());
    }

    /// A file that was not read. What the system says no to may be whole; what is no file, or far
    /// too large for what it is, is damage.
    pub fn unread(&mut self, path: &Path, error: &io::Error) {
        let severity = match error.raw_os_error() {
            Some(_) => Severity::Unread,
            None => Severity::Damage,
        };
        self.push(severity, path, None, None, format!("cannot be read: {error}"));
    }

    pub fn note(&mut self, path: &Path, what: impl Into<String>) {
        self.push(Severity::Note, path, None, None, what.into());
    }

    pub fn note_at(&mut self, path: &Path, byte: u64, what: impl Into<String>) {
        self.push(Severity::Note, path, Some(byte), None, what.into());
    }

    fn push(
        &mut self,
        severity: Severity,
        path: &Path,
        byte: Option<u64>,
        offset: Option<Offset>,
        what: String,
    ) {
        // Findings of a file come one after another.
        let of_file = self.list.iter().rev().take_while(|finding| finding.path == path).count();
        let what = match of_file.cmp(&OF_ONE_FILE_MAX) {
            std::cmp::Ordering::Less => what,
            std::cmp::Ordering::Equal => "and more of the kind from here on".to_owned(),
            std::cmp::Ordering::Greater => return,
        };
        self.list.push(Finding { severity, path: path.to_owned(), byte, offset, what });
    }

    pub fn list(&self) -> &[Finding] {
        &self.list
    }

    pub fn into_list(self) -> Vec<Finding> {
        self.list
    }

    /// Those that are to stay.
    pub fn keeping(mut self, stays: impl FnMut(&Finding) -> bool) -> Findings {
        self.list.retain(stays);
        self
    }

    pub fn append(&mut self, mut other: Findings) {
        self.list.append(&mut other.list);
    }

    pub fn is_damaged(&self) -> bool {
        self.list.iter().any(|finding| finding.severity == Severity::Damage)
    }

    /// The first file that could not be read.
    pub fn first_unread(&self) -> Option<&Finding> {
        self.list.iter().find(|finding| finding.severity == Severity::Unread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_all_wrong_is_named_a_bounded_number_of_times() {
        let mut findings = Findings::default();
        for byte in 0..1000 {
            findings.damage_of(Path::new("a"), byte, Offset(7), "wrong");
        }
        findings.note(Path::new("b"), "odd");
        assert_eq!(findings.list().len(), OF_ONE_FILE_MAX + 2);
        assert_eq!(findings.list()[3].to_string(), "a: byte 3: offset 7: wrong");
        assert!(findings.list()[OF_ONE_FILE_MAX].to_string().ends_with("from here on"));
        assert_eq!(findings.list()[OF_ONE_FILE_MAX + 1].to_string(), "b: odd");
        assert!(findings.is_damaged());
    }
}
