//! Reading a log again: a torn tail is cut off; what is damaged is kept beside the log.
//! Never knows: why it is read again.

use std::io;
use std::path::Path;

use super::super::facts::{Damaged, Lost, Recovered, SetAside, Torn};
use super::super::files::{Failed, Kind, at, free_name};
use super::super::index::Index;
use super::super::pieces::{Piece, Pieces, next_good};
use super::super::read::Recent;
use super::super::segment::Segment;
use super::super::transactions::Marker;
use super::super::window::{WINDOW_BYTES, Window};
use super::super::{Disk, DiskFile, Log, Open};
use super::Start;
use crate::record::{BatchView, Offset, Timestamp};

impl<D: Disk> Log<D> {
    /// Reads every batch from here on, and ends the log where one is not good.
    pub(super) fn scan(
        &mut self,
        start: Start,
        now: Timestamp,
        recovered: &mut Recovered,
    ) -> Result<(), Failed> {
        let mut position = start.position;
        for at_segment in start.segment..self.segments.len() {
            self.load_file(at_segment)?;
            // The rest of the list is put back, or set aside, below: `note` works on the last.
            let later = self.segments.split_off(at_segment + 1);
            let file_bytes = self.segments[at_segment].bytes;
            let good = self.scan_segment(start, position, now, recovered)?;
            recovered.scanned_bytes += u64::from(good - position);
            let next = later.first().map(|next| next.base);
            let is_durable = self.end < start.durable && next.is_some_and(|next| self.end <= next);
            if good < file_bytes && is_durable {
                self.step_over(at_segment, (good, file_bytes), recovered);
            } else if good < file_bytes {
                return self.cut(start, (good, file_bytes), later, recovered);
            }
            let Some(next) = next else { break };
            let has_gap = self.end < next && start.compacted < next;
            if next < self.end || has_gap && !is_durable {
                return self.cut(start, (good, file_bytes), later, recovered);
            }
            if has_gap && good == file_bytes {
                let path = self.files.path(Kind::Log, self.segments[at_segment].base);
                recovered.lost.push(Lost { path, from: self.end, to: next });
            }
            self.finish_last_segment()?;
            self.segments.extend(later);
            self.end = next;
            self.segments[at_segment + 1].index = Some(Index::default());
            let bytes = self.segments[at_segment + 1].bytes;
            self.segments[at_segment + 1].reset();
            self.segments[at_segment + 1].bytes = bytes;
            self.recent = Recent::default();
            self.last_batch = (0, 0);
            position = 0;
        }
        Ok(())
    }

    /// Reads the batches of the last segment from `position` on; returns where good ones end.
    fn scan_segment(
        &mut self,
        start: Start,
        position: u32,
        now: Timestamp,
        recovered: &mut Recovered,
    ) -> Result<u32, Failed> {
        let at_segment = self.segments.len() - 1;
        let file = self.load_file(at_segment)?;
        let path = self.files.path(Kind::Log, self.segments[at_segment].base);
        let file_bytes = self.segments[at_segment].bytes;
        self.segments[at_segment].bytes = position;
        let mut window = Window::default();
        let mut position = position;
        while position < file_bytes {
            let left = (file_bytes - position) as usize;
            let bytes = window.batch(&*file, position, left).map_err(at(&path))?;
            let batch = bytes.and_then(|bytes| BatchView::parse(bytes).ok());
            if let Some(batch) = batch.filter(|batch| self.goes_on_with(batch, start.end)) {
                let size = batch.size() as u32;
                self.note(&batch, size, Marker::of(&batch), now);
                position += size;
                continue;
            }
            if start.durable <= self.end {
                break;
            }
            let part = (position, file_bytes);
            let next = next_good(&*file, part, self.end).map_err(at(&path))?;
            let Some(good) = next else { break };
            position = self.step_over(at_segment, (position, good), recovered);
        }
        Ok(position)
    }

    /// Whether it is good, and can be the next batch of the last segment.
    fn goes_on_with(&self, batch: &BatchView<'_>, end: Option<Offset>) -> bool {
        let segment = self.segments.last().expect("it is read");
        self.end <= batch.base_offset()
            && end.is_none_or(|end| batch.last_offset() < end)
            && batch.last_offset_delta() >= 0
            && segment.delta(batch.last_offset()).is_some()
            && batch.check_crc().is_ok()
    }

    /// Leaves damage where it is, with all that is good behind it: it was whole and durable once,
    /// and so is no sign of where the log ended. Returns where it goes on.
    fn step_over(&mut self, at_segment: usize, part: (u32, u32), to: &mut Recovered) -> u32 {
        let segment = &mut self.segments[at_segment];
        segment.skip_to(part.1);
        let path = self.files.path(Kind::Log, segment.base);
        let (position, bytes) = (part.0.into(), u64::from(part.1 - part.0));
        to.damaged.push(Damaged { path, position, bytes, offset: self.end });
        part.1
    }

    /// The log ends at `good` in its last segment. What lies behind is cut off if it holds no
    /// good batch and was not durable, and else kept beside the log.
    fn cut(
        &mut self,
        start: Start,
        (good, file_bytes): (u32, u32),
        later: Vec<Segment<D::File>>,
        recovered: &mut Recovered,
    ) -> Result<(), Failed> {
        let last = self.segments.len() - 1;
        let file = self.load_file(last)?;
        let path = self.files.path(Kind::Log, self.segments[last].base);
        let part = (good, file_bytes);
        let (batches, unsearched) = good_batches(&*file, part, self.end).map_err(at(&path))?;
        // Later segments go first: once this one ends well, nothing else tells that they are not
        // its continuation.
        let mut later_good = false;
        for segment in later.iter().rev() {
            later_good |= self.set_aside_segment(segment, recovered)?;
        }
        let bytes = u64::from(file_bytes - good);
        if batches > 0 || unsearched || later_good || self.end < start.durable {
            if bytes > 0 {
                let kept_at = self.copy_aside(&*file, &path, good, file_bytes)?;
                let position = good.into();
                let path = path.clone();
                recovered.set_aside.push(SetAside { path, position, bytes, batches, kept_at });
            }
        } else if bytes > 0 {
            recovered.torn = Some(Torn { path: path.clone(), position: good.into(), bytes });
        }
        self.files.disk.sync_dir(&self.files.dir).map_err(at(&self.files.dir))?;
        file.set_len(good.into()).map_err(at(&path))?;
        // The cut is durable before anything is written behind it: else a batch appended later
        // could, after a power loss, be followed by what was cut.
        file.sync().map_err(at(&path))?;
        self.changed = true;
        Ok(())
    }

    /// Takes a whole segment out of the log; returns whether it holds a good batch. If not, it is
    /// removed: it was never acknowledged.
    fn set_aside_segment(
        &mut self,
        segment: &Segment<D::File>,
        recovered: &mut Recovered,
    ) -> Result<bool, Failed> {
        let path = self.files.path(Kind::Log, segment.base);
        let file = self.files.open(&path, Open::Existing)?;
        let part = (0, segment.bytes);
        let (batches, unsearched) = good_batches(&*file, part, segment.base).map_err(at(&path))?;
        self.aborted.remove(&segment.base);
        for kind in [Kind::OffsetIndex, Kind::TimeIndex, Kind::TransactionIndex] {
            self.files.remove(&self.files.path(kind, segment.base))?;
        }
        if batches == 0 && !unsearched {
            self.files.remove(&path)?;
            return Ok(false);
        }
        let kept_at = self.free_name(&path, 0)?;
        self.files.disk.rename(&path, &kept_at).map_err(at(&path))?;
        let bytes = segment.bytes.into();
        recovered.set_aside.push(SetAside { path, position: 0, bytes, batches, kept_at });
        Ok(true)
    }

    fn copy_aside(
        &self,
        file: &D::File,
        path: &Path,
        from: u32,
        to: u32,
    ) -> Result<std::path::PathBuf, Failed> {
        let kept_at = self.free_name(path, from)?;
        let copied = self.copy_part(file, path, (from, to), &kept_at);
        if copied.is_err() {
            // Half a copy is none, and takes room where there may be none left.
            let _ = self.files.disk.remove(&kept_at);
        }
        copied.map(|()| kept_at)
    }

    fn copy_part(
        &self,
        file: &D::File,
        path: &Path,
        (from, to): (u32, u32),
        kept_at: &Path,
    ) -> Result<(), Failed> {
        let copy = self.files.open(kept_at, Open::OrCreate)?;
        let mut window = vec![0; WINDOW_BYTES];
        let mut position = from;
        while position < to {
            let wanted = WINDOW_BYTES.min((to - position) as usize);
            let read = file.read_at(&mut window[..wanted], position.into()).map_err(at(path))?;
            if read == 0 {
                break;
            }
            let target = u64::from(position - from);
            copy.write_at([&window[..read], &[]], target).map_err(at(kept_at))?;
            position += read as u32;
        }
        copy.sync().map_err(at(kept_at))
    }

    /// `00000000000000000000.log.damaged-4711`, or with a number behind it.
    fn free_name(&self, path: &Path, position: u32) -> Result<std::path::PathBuf, Failed> {
        let listed = self.files.disk.list(&self.files.dir).map_err(at(&self.files.dir))?;
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let taken = |name: &str| listed.iter().any(|file| file.name == name);
        Ok(self.files.named(&free_name(format!("{name}.damaged-{position}"), taken)))
    }
}

/// How many good batches lie somewhere in a part of a file, at or behind offset `expected`; and
/// whether there may be more, because the search came to no end.
fn good_batches<F: DiskFile>(
    file: &F,
    part: (u32, u32),
    expected: Offset,
) -> io::Result<(u32, bool)> {
    let mut pieces = Pieces::between(file, part, expected, None);
    let mut count = 0;
    while let Some(piece) = pieces.next_piece()? {
        count += u32::from(matches!(piece, Piece::Batch { .. }));
    }
    Ok((count, pieces.gave_up()))
}
