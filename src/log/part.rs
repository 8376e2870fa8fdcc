//! The files of a log, to be read from end to end without its lock.
//! Never knows: what is looked for in them.

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use super::files::{Kind, at};
use super::pieces::{Piece, Pieces};
use super::{Disk, DiskFile, Log, ReadError};
use crate::record::Offset;

/// A segment as it is now, or the end of it. It stays readable, whatever becomes of it.
pub struct Part<F> {
    pub path: PathBuf,
    file: Arc<F>,
    pub base: Offset,
    position: u32,
    bytes: u32,
    /// Where the next one begins.
    pub next: Option<Offset>,
    /// Where the log ends, or the next one begins.
    pub end: Offset,
}

impl<D: Disk> Log<D> {
    /// The segment in which `from` lies, of its last one only what lies from there on, as far as
    /// that is known without a search. `None`: there is nothing from there on.
    pub fn part(&mut self, from: Offset) -> Result<Option<Part<D::File>>, ReadError> {
        let after = self.segments.partition_point(|segment| segment.base <= from);
        let at_segment = after.saturating_sub(1);
        if self.end <= from || self.segments.is_empty() {
            return Ok(None);
        }
        let file = self.load_file(at_segment)?;
        let segment = &self.segments[at_segment];
        let next = self.segments.get(at_segment + 1).map(|next| next.base);
        Ok(Some(Part {
            path: self.files.path(Kind::Log, segment.base),
            file,
            base: segment.base,
            position: if next.is_none() { self.recent.position(from).unwrap_or(0) } else { 0 },
            bytes: segment.bytes,
            next,
            end: next.unwrap_or(self.end),
        }))
    }

    /// What was taken out of the log because it was damaged: nobody knows what it said.
    pub fn set_aside(&self) -> Result<Vec<Aside>, ReadError> {
        let listed = match self.files.disk.list(&self.files.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            listed => listed.map_err(at(&self.files.dir))?,
        };
        let parse = |name: &str| {
            let (base, position) = parse_aside(name)?;
            Some(Aside { path: self.files.named(name), base, position })
        };
        Ok(listed.iter().filter_map(|file| parse(&file.name)).collect())
    }
}

impl<F: DiskFile> Part<F> {
    /// Shows what lies in it, in order, until `see` has seen enough; whether it had. By the
    /// checksums: one bit makes a batch another one.
    pub fn each(
        &self,
        mut see: impl FnMut(Piece<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ReadError> {
        let span = (self.position, self.bytes);
        let mut pieces = Pieces::between(&*self.file, span, self.base, self.next);
        let next = |error| ReadError::from(at(&self.path)(error));
        while let Some(piece) = pieces.next_piece().map_err(next)? {
            if see(piece).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// A file beside a log, with what was taken out of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aside {
    pub path: PathBuf,
    pub base: Offset,
    /// From where in the segment.
    pub position: u32,
}

/// `00000000000000001200.log.damaged-4711`, perhaps with a number behind it.
fn parse_aside(name: &str) -> Option<(Offset, u32)> {
    let (log, rest) = name.split_once(".damaged")?;
    let Some((Kind::Log, base)) = Kind::parse(log) else { return None };
    let position = rest.strip_prefix('-').unwrap_or("0").split('.').next()?;
    Some((base, position.parse().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_aside_is_told_by_its_name() {
        let check = |name: &str, want: Option<(i64, u32)>| {
            let want = want.map(|(base, position)| (Offset(base), position));
            assert_eq!(parse_aside(name), want, "{name}");
        };
        check("00000000000000001200.log.damaged-4711", Some((1200, 4711)));
        check("00000000000000001200.log.damaged-4711.2", Some((1200, 4711)));
        check("00000000000000001200.log.damaged", Some((1200, 0)));
        check("00000000000000001200.log.damaged.1", Some((1200, 0)));
        check("00000000000000001200.index.damaged", None);
        check("00000000000000001200.log", None);
        check("kaw-checkpoint.damaged", None);
    }
}
