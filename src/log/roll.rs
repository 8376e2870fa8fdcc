//! Segments that begin and end: their files, those beside them, and the directory they lie in.
//! Never knows: when what was written is durable.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::files::{Failed, Files, Kind, at};
use super::segment::Segment;
use super::{Disk, DiskFile, Log, METADATA, Open, index, read, text};
use crate::record::{Offset, Timestamp};

impl<D: Disk> Log<D> {
    pub(super) fn make_directory(&mut self) -> Result<(), Failed> {
        let Files { disk, dir } = &self.files;
        match disk.create_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => {
                made.map_err(at(dir))?;
                self.unsynced.new_dir = true;
            }
        }
        self.write_metadata()
    }

    pub(super) fn write_metadata(&mut self) -> Result<(), Failed> {
        let path = self.files.named(METADATA);
        let file = self.files.open(&path, Open::OrCreate)?;
        let bytes = text::partition_metadata(self.topic_id);
        file.set_len(0).and_then(|()| file.write_at([&bytes, &[]], 0)).map_err(at(&path))?;
        self.unsynced.metadata = true;
        self.unsynced.names += 1;
        Ok(())
    }

    /// An empty segment that begins at the log's end.
    pub(super) fn add_segment(&mut self, now: Timestamp) -> Result<(), Failed> {
        let path = self.files.path(Kind::Log, self.end);
        let index = self.files.path(Kind::OffsetIndex, self.end);
        let made = self.leave_index(&index).and_then(|()| self.new_file(&path));
        let file = made.inspect_err(|_| {
            // The next batch may still fit into the segment before: an empty one must not begin
            // in its middle. Where this fails too, the next opening removes it.
            let _ = self.files.remove(&path).and_then(|()| self.files.remove(&index));
        })?;
        self.unsynced.names += 1;
        self.segments.push(Segment::new(self.end, file, now));
        self.recent = read::Recent::default();
        self.last_batch = (0, 0);
        Ok(())
    }

    /// After a kill, Apache Kafka recovers first what has no offset index, and lets a leader epoch
    /// begin where it first meets it: behind all that the epoch wrote before
    /// (LogLoader.loadSegmentFiles, LogSegment.recover). An index may be empty; so every segment
    /// but the first has one before it has a log.
    fn leave_index(&self, path: &Path) -> Result<(), Failed> {
        match self.segments.is_empty() {
            true => Ok(()),
            false => self.files.open(path, Open::OrCreate).map(drop),
        }
    }

    /// What an earlier attempt may have left is no part of the log.
    fn new_file(&self, path: &Path) -> Result<Arc<D::File>, Failed> {
        let file = self.files.open(path, Open::OrCreate)?;
        if file.len().map_err(at(path))? > 0 {
            file.set_len(0).map_err(at(path))?;
        }
        Ok(file)
    }

    /// Closes the last segment and begins a new one. Nothing is synced: that is the next target's.
    pub(super) fn roll(&mut self, now: Timestamp) -> Result<(), Failed> {
        self.producers.expire(now, &self.settings);
        self.finish_last_segment()?;
        self.write_snapshot()?;
        self.add_segment(now)
    }

    /// The last segment's indexes are as they will stay, and in their files.
    pub(super) fn finish_last_segment(&mut self) -> Result<(), Failed> {
        let Some(last) = self.segments.len().checked_sub(1) else { return Ok(()) };
        self.segments[last].finish_index();
        self.save_index(last)
    }

    /// Brings the index files of a segment up to what is in memory.
    pub(super) fn save_index(&mut self, at_segment: usize) -> Result<(), Failed> {
        let segment = &mut self.segments[at_segment];
        let index = segment.index.as_ref().expect("a saved index is in memory");
        let parts = [
            (
                Kind::OffsetIndex,
                index.offsets_from(segment.saved.0),
                index::offsets_bytes(segment.saved.0),
            ),
            (
                Kind::TimeIndex,
                index.times_from(segment.saved.1),
                index::times_bytes(segment.saved.1),
            ),
        ];
        for (kind, bytes, position) in parts {
            let path = self.files.path(kind, segment.base);
            let file = self.files.open(&path, Open::OrCreate)?;
            let whole = position + bytes.len() as u64;
            if file.len().map_err(at(&path))? != whole || !bytes.is_empty() {
                file.set_len(position)
                    .and_then(|()| file.write_at([&bytes, &[]], position))
                    .map_err(at(&path))?;
                self.unsynced.beside.push(file);
            }
        }
        self.unsynced.names += 1;
        segment.saved = (index.offsets.len(), index.times.len());
        Ok(())
    }

    /// The producers as of the log's end, for Apache Kafka; older ones than those of the last two
    /// segments go (ProducerStateManager keeps as many).
    pub(super) fn write_snapshot(&mut self) -> Result<(), Failed> {
        let path = self.files.path(Kind::Snapshot, self.end);
        let file = self.files.open(&path, Open::OrCreate)?;
        let bytes = self.producers.snapshot();
        file.set_len(0).and_then(|()| file.write_at([&bytes, &[]], 0)).map_err(at(&path))?;
        self.unsynced.beside.push(file);
        self.unsynced.names += 1;
        self.snapshots.retain(|&offset| offset != self.end);
        self.snapshots.push(self.end);
        let kept_from = self.segments.len().saturating_sub(2);
        let kept: Vec<Offset> = self.segments[kept_from..].iter().map(|s| s.base).collect();
        for offset in
            self.snapshots.extract_if(.., |offset| *offset != self.end && !kept.contains(offset))
        {
            self.files.remove(&self.files.path(Kind::Snapshot, offset))?;
        }
        Ok(())
    }
}
