//! What of a log is believed without reading it again, and where reading begins.
//! Never knows: what reading finds.

use super::super::epochs::Epochs;
use super::super::facts::{Cleanup, Known, Trust};
use super::super::files::{Failed, Kind, at};
use super::super::index::Index;
use super::super::producers::Producers;
use super::super::saved::{self, Saved};
use super::super::segment::Largest;
use super::super::walk::Walk;
use super::super::{Disk, EPOCHS, Log};
use super::Start;
use crate::record::{BatchView, Offset, Timestamp};

impl<D: Disk> Log<D> {
    /// Believes what can be: the log's own checkpoint, or a clean stop of Apache Kafka's. Returns
    /// where reading begins.
    pub(super) fn believed(
        &mut self,
        saved: Option<Saved>,
        known: &Known,
        now: Timestamp,
    ) -> Result<Option<Start>, Failed> {
        if matches!(known.trust, Trust::Nothing | Trust::CleanButRead) {
            return Ok(None);
        }
        let start = saved.map(|saved| self.take_saved(saved)).transpose()?.flatten();
        if start.is_some() {
            return Ok(start);
        }
        match (known.trust, known.recovery_point) {
            (Trust::Clean, Some(end)) => self.take_clean(end, now),
            _ => Ok(None),
        }
    }

    /// Takes over the log's own checkpoint, if the files still are what it speaks of.
    fn take_saved(&mut self, saved: Saved) -> Result<Option<Start>, Failed> {
        let found = self.segments.binary_search_by_key(&saved.segment, |segment| segment.base);
        let Ok(at_segment) = found else { return Ok(None) };
        if self.segments[at_segment].bytes < saved.position || !self.fits(at_segment, &saved)? {
            return Ok(None);
        }
        let Some(index) = self.read_index_prefix(at_segment, &saved)? else { return Ok(None) };
        self.believe_before(at_segment);
        let first = self.first_time(at_segment)?;
        self.load_file(at_segment)?;
        let bytes = self.segments[at_segment].bytes;
        let segment = &mut self.segments[at_segment];
        segment.reset();
        segment.bytes = bytes;
        segment.synced = saved.position;
        segment.saved = (index.offsets.len(), index.times.len());
        segment.index = Some(index);
        segment.times.first = first;
        segment.times.largest = saved.largest;
        segment.since_entry_bytes = saved.since_entry_bytes;
        self.last_batch = (saved.last_position, saved.last_crc);
        self.checkpoint_segment = Some(saved.segment);
        self.recovery_point = saved.segment;
        (self.end, self.epochs, self.producers) = (saved.end, saved.epochs, saved.producers);
        // Only what lies before a durable checkpoint's segment is compacted.
        let compacted = saved.segment;
        let (position, durable) = (saved.position, saved.end);
        Ok(Some(Start { segment: at_segment, position, compacted, durable, end: None }))
    }

    /// The fingerprint of the last batch is where the checkpoint saw it.
    fn fits(&mut self, at_segment: usize, saved: &Saved) -> Result<bool, Failed> {
        if saved.position == 0 {
            return Ok(saved.end >= saved.segment);
        }
        let path = self.files.path(Kind::Log, saved.segment);
        let file = self.load_file(at_segment)?;
        let mut walk = Walk::new(&*file, saved.last_position, saved.position);
        let same = |batch: &BatchView<'_>| {
            batch.crc() == saved.last_crc && batch.next_offset() == saved.end
        };
        let found = walk.next().map_err(at(&path))?.is_some_and(|(_, batch)| same(&batch));
        Ok(found && walk.position() == saved.position)
    }

    fn read_index_prefix(&self, at_segment: usize, saved: &Saved) -> Result<Option<Index>, Failed> {
        let base = self.segments[at_segment].base;
        let offsets = self.files.read(&self.files.path(Kind::OffsetIndex, base))?;
        let times = self.files.read(&self.files.path(Kind::TimeIndex, base))?;
        let counts = (saved.index_entries.0 as usize, saved.index_entries.1 as usize);
        let (offsets, times) = (offsets.unwrap_or_default(), times.unwrap_or_default());
        let index = Index::decode_prefix(&offsets, &times, counts, saved.position);
        Ok(index.filter(|index| index.is_below(saved.end.get() - base.get())))
    }

    /// All before this segment is as it was left.
    pub(super) fn believe_before(&mut self, at_segment: usize) {
        for segment in &mut self.segments[..at_segment] {
            segment.synced = segment.bytes;
        }
    }

    pub(in crate::log) fn first_time(
        &mut self,
        at_segment: usize,
    ) -> Result<Option<Timestamp>, Failed> {
        let path = self.files.path(Kind::Log, self.segments[at_segment].base);
        let file = self.load_file(at_segment)?;
        let mut walk = Walk::new(&*file, 0, self.segments[at_segment].bytes);
        Ok(walk.next().map_err(at(&path))?.map(|(_, batch)| batch.max_timestamp()))
    }

    /// A clean stop: the last segment's headers must lead to `end`, and to the end of the file.
    fn take_clean(&mut self, end: Offset, now: Timestamp) -> Result<Option<Start>, Failed> {
        let last = self.segments.len() - 1;
        let Some(index) = self.read_index(last)? else { return Ok(None) };
        let file = self.load_file(last)?;
        let (base, bytes) = (self.segments[last].base, self.segments[last].bytes);
        let path = self.files.path(Kind::Log, base);
        let from = index.offsets.last().map_or(0, |entry| entry.position);
        let mut walk = Walk::new(&*file, from, bytes);
        let mut next = base;
        while let Some((place, batch)) = walk.next().map_err(at(&path))? {
            next = batch.next_offset();
            self.last_batch = (place.position, batch.crc());
        }
        let leads_there = next == end && walk.position() == bytes;
        let fits = leads_there && index.is_below(end.get() - base.get());
        let Some(epochs) = self.read_epochs()?.filter(|_| fits) else { return Ok(None) };
        (self.end, self.epochs, self.recovery_point) = (end, epochs, base);
        self.believe_before(self.segments.len());
        let times = index.times.last().copied();
        let first = self.first_time(last)?;
        let segment = &mut self.segments[last];
        segment.saved = (index.offsets.len(), index.times.len());
        segment.times.first = first;
        segment.times.largest = times.map_or(Largest::None, Largest::At);
        segment.since_entry_bytes = bytes - from;
        segment.index = Some(index);
        self.load_producers(end, now)?;
        self.changed = true;
        Ok(Some(Start { segment: last, position: bytes, compacted: end, durable: end, end: None }))
    }

    pub(super) fn read_epochs(&self) -> Result<Option<Epochs>, Failed> {
        let bytes = self.files.read(&self.files.named(EPOCHS))?;
        Ok(bytes.and_then(|bytes| Epochs::parse(&bytes)))
    }

    /// Reads again from the segment that contains the recovery point (LogLoader.recoverLog).
    pub(super) fn start_over(&mut self, known: &Known, now: Timestamp) -> Result<Start, Failed> {
        let point = match known.trust {
            Trust::Nothing | Trust::CleanButRead => Offset::ZERO,
            Trust::Clean | Trust::Unclean => known.recovery_point.unwrap_or(Offset::ZERO),
        };
        let after = self.segments.partition_point(|segment| segment.base <= point);
        let at_segment = after.saturating_sub(1);
        self.believe_before(at_segment);
        self.end = self.segments[at_segment].base;
        self.recovery_point = self.end;
        self.epochs = self.read_epochs()?.unwrap_or_default();
        self.epochs.cut_end(self.end);
        self.load_producers(self.end, now)?;
        self.load_file(at_segment)?;
        let bytes = self.segments[at_segment].bytes;
        self.segments[at_segment].reset();
        self.segments[at_segment].bytes = bytes;
        let in_doubt = known.trust != Trust::CleanButRead;
        // The names too, where there is nothing to read: an empty segment's may go.
        self.unsynced.names += u64::from(in_doubt);
        self.unsynced.metadata |= in_doubt;
        self.unsynced.new_dir |= in_doubt;
        let compacted = self.compacted_at_most(known)?;
        Ok(Start { segment: at_segment, position: 0, compacted, durable: Offset::ZERO, end: None })
    }

    /// Up to where the log may have been compacted, where no checkpoint of its own tells.
    fn compacted_at_most(&self, known: &Known) -> Result<Offset, Failed> {
        let told = known.compacted.unwrap_or(Offset::ZERO);
        if self.settings.cleanup == Cleanup::Delete {
            return Ok(told);
        }
        // kaw compacts what lies before a durable checkpoint, which would be there. Apache Kafka
        // writes down how far it came, and may since have come as far as to the last segment.
        let was_checkpointed = self.files.read(&self.files.named(saved::NAME))?.is_some();
        let anywhere = was_checkpointed || known.trust == Trust::CleanButRead;
        let durable = known.recovery_point.unwrap_or(Offset::ZERO);
        Ok(if anywhere { Offset(i64::MAX) } else { told.max(durable) })
    }

    /// The newest good snapshot up to `end`, and the headers between the two.
    fn load_producers(&mut self, end: Offset, now: Timestamp) -> Result<(), Failed> {
        let mut offsets: Vec<Offset> =
            self.snapshots.iter().copied().filter(|&offset| offset <= end).collect();
        offsets.sort();
        self.producers = Producers::default();
        let mut from = self.segments[0].base;
        while let Some(offset) = offsets.pop() {
            let bytes = self.files.read(&self.files.path(Kind::Snapshot, offset))?;
            let parsed = bytes.and_then(|bytes| Producers::parse_snapshot(&bytes, now));
            if let Some(producers) = parsed {
                (self.producers, from) = (producers, offset);
                break;
            }
        }
        self.replay_headers(from, end, now)
    }

    fn replay_headers(&mut self, from: Offset, end: Offset, now: Timestamp) -> Result<(), Failed> {
        let first = self.segments.partition_point(|segment| segment.base <= from);
        for at_segment in first.saturating_sub(1)..self.segments.len() {
            if self.segments[at_segment].base >= end || from >= end {
                break;
            }
            let path = self.files.path(Kind::Log, self.segments[at_segment].base);
            let file = self.load_file(at_segment)?;
            let mut walk = Walk::new(&*file, 0, self.segments[at_segment].bytes);
            while let Some((_, batch)) = walk.next().map_err(at(&path))? {
                if from <= batch.base_offset() && batch.base_offset() < end {
                    self.producers.observe(&batch, None, now, &self.settings);
                }
            }
        }
        Ok(())
    }
}
