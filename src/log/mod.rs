//! The durable log of one partition.
//! Never knows: topics, requests, clap, tokio, the clock.
//!
//! A `Log` is used under one lock per partition. What may block for long (fdatasync) is handed
//! out as a value, `SyncTarget` or `Checkpoint`, whose `run` needs no lock; the outcome is then
//! reported back. Appends and reads touch the page cache only.

mod aborted;
mod by_time;
mod clean;
mod disk;
mod epochs;
mod facts;
mod files;
mod index;
mod indexed;
pub mod inspect;
mod pieces;
mod producers;
mod read;
mod recover;
mod remove;
mod retention;
mod saved;
mod segment;
mod sync;
mod text;
mod transactions;
mod walk;
mod window;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

pub use aborted::Aborted;
pub use by_time::Newest;
pub use clean::Pace;
pub use disk::{Disk, DiskFile, Listed, Open, RealDisk, RealFile, not_regular, regular};
pub use facts::{
    AppendError, Appended, Cleanup, CompactError, Compaction, Found, Known, OpenError, Outcome,
    ReadError, Recovered, Removed, Retention, Settings, Slice, Stamp, Trust, Unchecked,
};
pub use remove::Removal;
pub use sync::{Checkpoint, Draft, SyncTarget};
pub use text::{BadLine, PartitionOffset, read_offsets, replace, write_offsets};
pub use transactions::{Decision, OpenTransaction};

use crate::record::{BatchView, HEADER_BYTES, LeaderEpoch, Offset, Times, Timestamp, Uuid};
use epochs::Epochs;
use files::{Failed, Files, Kind, at};
use producers::Producers;
use saved::Saved;
use segment::{Coming, Segment};
use sync::{Grown, Syncing};
use transactions::Marker;

/// The log of one partition. Costs a directory only once something is appended.
pub struct Log<D: Disk> {
    files: Files<D>,
    topic_id: Uuid,
    settings: Settings,
    /// In order of their base offsets; only the last one grows. None: nothing was ever appended.
    segments: Vec<Segment<D::File>>,
    start: Offset,
    end: Offset,
    producers: Producers,
    epochs: Epochs,
    /// By the base offset of the segment in which they ended.
    aborted: BTreeMap<Offset, Vec<Aborted>>,
    /// Of these segments, what is known is more than their files say.
    aborted_unsaved: BTreeSet<Offset>,
    /// The offsets of the snapshots on disk.
    snapshots: Vec<Offset>,
    /// The closed segments that were read last. They stay open.
    reading: read::Reading,
    /// Where recent batches of the last segment begin, for readers at the tail.
    recent: read::Recent,
    /// The last batch: its position in the last segment, and its CRC.
    last_batch: (u32, u32),
    unsynced: Unsynced<D::File>,
    unchecked_bytes: u64,
    /// Since when there are any.
    unchecked_since: Timestamp,
    /// In which segment the last durable checkpoint is.
    checkpoint_segment: Option<Offset>,
    /// Everything before it was compacted.
    compacted: Offset,
    /// Where a segment begins, before which all is durable. An ack is not enough for that: whoever
    /// begins there believes the indexes of what comes before, which only a checkpoint syncs.
    recovery_point: Offset,
    /// A write failed and what it left behind could not be cut off yet.
    half_written: bool,
    syncing: Arc<Syncing>,
    /// Something is not as the files say; `close` has work to do.
    changed: bool,
}

/// What is not durable yet, beside the segments' bytes.
struct Unsynced<F> {
    /// `partition.metadata`, which is not kept open: a broker may have ten thousand logs.
    metadata: bool,
    /// How many names the log made in its directory, and how many of them are durable.
    names: u64,
    names_synced: u64,
    new_dir: bool,
    /// Indexes and snapshots, which the next checkpoint relies on.
    beside: Vec<Arc<F>>,
}

impl<D: Disk> Log<D> {
    /// The first readable offset.
    pub fn start(&self) -> Offset {
        self.start
    }

    /// The next record's offset (LEO).
    pub fn end(&self) -> Offset {
        self.end
    }

    /// The end of what is decided: before the first record of any open transaction (LSO).
    pub fn stable_end(&self) -> Offset {
        let open = self.producers.first_open_transaction();
        open.map_or(self.end, |first| first.clamp(self.start, self.end))
    }

    /// The aborted transactions that what `read` returns may belong to.
    pub fn aborted(&mut self, from: Offset, end: Offset) -> Result<Vec<Aborted>, ReadError> {
        if self.aborted.is_empty() {
            return Ok(Vec::new());
        }
        let Some((at_segment, _)) = self.locate(from)? else { return Ok(Vec::new()) };
        // What is read lies in one segment.
        let end = self.segments.get(at_segment + 1).map_or(end, |next| next.base.min(end));
        let touches = |aborted: &&Aborted| from <= aborted.last && aborted.first < end;
        // One that ended in an earlier segment touches nothing here.
        let since = self.aborted.range(self.segments[at_segment].base..);
        Ok(since.flat_map(|(_, of_segment)| of_segment).filter(touches).copied().collect())
    }

    /// What the next start should know of the log.
    pub fn known(&self) -> Known {
        let unless_first = |offset: Offset| Some(offset).filter(|offset| Offset::ZERO < *offset);
        Known {
            log_start: unless_first(self.start),
            recovery_point: Some(self.recovery_point),
            compacted: unless_first(self.compacted),
            trust: Trust::default(),
        }
    }

    /// What the records take on disk.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| u64::from(segment.bytes)).sum()
    }

    /// Goes by other settings from now on.
    pub fn configure(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Takes one batch: stamps its base offset and leader epoch, and writes it with one pwritev.
    /// `batch` must have passed `record::validate`, or be one's own.
    pub fn append(&mut self, batch: &BatchView<'_>, stamp: Stamp) -> Result<Appended, AppendError> {
        self.mend()?;
        let size = u32::try_from(batch.size()).map_err(|_| AppendError::LargerThanSegment)?;
        if size > self.settings.segment_bytes {
            return Err(AppendError::LargerThanSegment);
        }
        if let Some(sent) = self.producers.check(batch)? {
            return Ok(duplicate(&sent, stamp.times));
        }
        let header = stamped(batch, self.end, stamp);
        let stamped = BatchView::parse_header(&header).expect("the header was a header before");
        let view = stamped.fields();
        self.make_room(Coming {
            bytes: size,
            last_offset: view.last_offset(),
            max_timestamp: view.max_timestamp(),
            now: stamp.now,
        })?;
        self.write(&header, &batch.bytes()[HEADER_BYTES..])?;
        self.note(view, size, Marker::of(batch), stamp.now);
        self.segments.last_mut().expect("it was written to").modified = stamp.now;
        Ok(Appended {
            base_offset: view.base_offset(),
            last_offset: view.last_offset(),
            outcome: Outcome::Written,
            append_time: (stamp.times == Times::Append).then_some(stamp.now),
        })
    }

    /// Whether appends are possible; cuts off what a failed write left.
    fn mend(&mut self) -> Result<(), AppendError> {
        if self.syncing.has_failed() {
            return Err(AppendError::Poisoned);
        }
        if self.half_written {
            let (path, file, bytes) = self.growing();
            file.set_len(u64::from(bytes)).map_err(at(&path))?;
            self.half_written = false;
        }
        Ok(())
    }

    fn growing(&self) -> (std::path::PathBuf, &D::File, u32) {
        let segment = self.segments.last().expect("there is a segment to grow");
        let file = segment.file.as_deref().expect("the growing segment is open");
        (self.files.path(Kind::Log, segment.base), file, segment.bytes)
    }

    /// After this the last segment takes the batch.
    fn make_room(&mut self, coming: Coming) -> Result<(), AppendError> {
        match self.segments.last() {
            None => {
                self.make_directory()?;
                self.add_segment(coming.now)?;
            }
            // An empty one can take anything; a second would have its name.
            Some(last) if last.bytes > 0 && last.is_full_for(&coming, &self.settings) => {
                self.roll(coming.now)?;
            }
            Some(_) => {}
        }
        Ok(())
    }

    fn make_directory(&mut self) -> Result<(), Failed> {
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

    fn write_metadata(&mut self) -> Result<(), Failed> {
        let path = self.files.named(METADATA);
        let file = self.files.open(&path, Open::OrCreate)?;
        let bytes = text::partition_metadata(self.topic_id);
        file.set_len(0).and_then(|()| file.write_at([&bytes, &[]], 0)).map_err(at(&path))?;
        self.unsynced.metadata = true;
        self.unsynced.names += 1;
        Ok(())
    }

    /// An empty segment that begins at the log's end.
    fn add_segment(&mut self, now: Timestamp) -> Result<(), Failed> {
        let path = self.files.path(Kind::Log, self.end);
        let file = self.new_file(&path).inspect_err(|_| {
            // The next batch may still fit into the segment before: an empty one must not begin
            // in its middle. Where this fails too, the next opening removes it.
            let _ = self.files.remove(&path);
        })?;
        self.unsynced.names += 1;
        self.segments.push(Segment::new(self.end, file, now));
        self.recent = read::Recent::default();
        self.last_batch = (0, 0);
        Ok(())
    }

    /// What an earlier attempt may have left is no part of the log.
    fn new_file(&self, path: &std::path::Path) -> Result<Arc<D::File>, Failed> {
        let file = self.files.open(path, Open::OrCreate)?;
        if file.len().map_err(at(path))? > 0 {
            file.set_len(0).map_err(at(path))?;
        }
        Ok(file)
    }

    /// Closes the last segment and begins a new one. Nothing is synced: that is the next target's.
    fn roll(&mut self, now: Timestamp) -> Result<(), Failed> {
        self.producers.expire(now, &self.settings);
        self.finish_last_segment()?;
        self.write_snapshot()?;
        self.add_segment(now)
    }

    /// The last segment's indexes are as they will stay, and in their files.
    fn finish_last_segment(&mut self) -> Result<(), Failed> {
        let Some(last) = self.segments.len().checked_sub(1) else { return Ok(()) };
        self.segments[last].finish_index();
        self.save_index(last)
    }

    /// Brings the index files of a segment up to what is in memory.
    fn save_index(&mut self, at_segment: usize) -> Result<(), Failed> {
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
    fn write_snapshot(&mut self) -> Result<(), Failed> {
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

    fn write(&mut self, header: &[u8], rest: &[u8]) -> Result<(), AppendError> {
        let (path, file, bytes) = self.growing();
        let Err(error) = file.write_at([header, rest], u64::from(bytes)) else { return Ok(()) };
        // A part of the batch may be there; it must not be in the way of the next one, nor come
        // back after a power loss: that it was cut off must be synced as well.
        self.half_written = true;
        self.segments.last_mut().expect("it was written to").synced = 0;
        match self.mend() {
            Ok(()) | Err(_) => Err(AppendError::Disk { path, error }),
        }
    }

    /// The batch lies at the end of the last segment: everything that is known of the log follows.
    fn note(&mut self, batch: &BatchView<'_>, size: u32, marker: Option<Marker>, now: Timestamp) {
        assert!(batch.base_offset() >= self.end, "offsets rise");
        let segment = self.segments.last_mut().expect("a batch lies in a segment");
        self.last_batch = (segment.bytes, batch.crc());
        self.recent.push(batch.base_offset(), segment.bytes);
        segment.note(batch, size, self.settings.index_interval_bytes);
        self.epochs.assign(batch.leader_epoch(), batch.base_offset());
        let coordinator_epoch = marker.and_then(|marker| marker.coordinator_epoch);
        let began = self.producers.observe(batch, coordinator_epoch, now, &self.settings);
        self.end = batch.next_offset();
        if let (Some(first), Some(Decision::Abort)) = (began, marker.map(|found| found.decision)) {
            self.note_aborted(batch, first);
        }
        if self.unchecked_bytes == 0 {
            self.unchecked_since = now;
        }
        self.unchecked_bytes += u64::from(size);
        self.changed = true;
    }

    /// The epoch of the last batch.
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.epochs.latest()
    }

    /// The epoch under which the record at `offset` was appended.
    pub fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.epochs.at(offset)
    }

    /// Where an epoch ended (OffsetForLeaderEpoch): the largest epoch not above `epoch`, and the
    /// offset at which the next one began. `None`: Kafka's undefined (-1, -1).
    pub fn end_of_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        let (epoch, end) = self.epochs.end_of(epoch, self.end)?;
        Some((epoch, end.max(self.start)))
    }

    /// What must be synced so that all that was appended so far is durable. `None`: it is.
    pub fn sync_target(&self) -> Option<SyncTarget<D>> {
        let target = self.everything_unsynced();
        let nothing = target.grown.is_empty() && !target.metadata && !target.new_dir;
        // Names alone (of indexes, snapshots) are the checkpoint's, but a segment's counts.
        (!nothing).then_some(target)
    }

    fn everything_unsynced(&self) -> SyncTarget<D> {
        let grown: Vec<_> = self.segments.iter().filter_map(grown).collect();
        let names = self.unsynced.names;
        SyncTarget {
            files: self.files.clone(),
            metadata: self.unsynced.metadata,
            grown,
            names: (names != self.unsynced.names_synced).then_some(names),
            new_dir: self.unsynced.new_dir,
            end: self.end,
            syncing: Arc::clone(&self.syncing),
        }
    }

    /// `target` was synced.
    pub fn synced(&mut self, target: &SyncTarget<D>) {
        for Grown { base, bytes, .. } in &target.grown {
            // It may have been removed meanwhile.
            if let Ok(found) = self.segments.binary_search_by_key(base, |segment| segment.base) {
                let segment = &mut self.segments[found];
                // Compaction may have made it smaller.
                segment.synced = segment.synced.max(*bytes).min(segment.bytes);
            }
        }
        self.unsynced.metadata &= !target.metadata;
        self.unsynced.new_dir &= !target.new_dir;
        self.unsynced.names_synced = self.unsynced.names_synced.max(target.names.unwrap_or(0));
        self.drop_idle_files();
    }

    /// Closed segments that are durable are opened again when somebody reads them.
    fn drop_idle_files(&mut self) {
        let Some((_, closed)) = self.segments.split_last_mut() else { return };
        for segment in closed {
            if !self.reading.contains(segment.base) {
                segment.let_go();
            }
        }
    }

    /// The same of one that was read until now.
    fn drop_idle_file(&mut self, base: Offset) {
        let Some((_, closed)) = self.segments.split_last_mut() else { return };
        if let Ok(found) = closed.binary_search_by_key(&base, |segment| segment.base) {
            closed[found].let_go();
        }
    }

    /// What recovery would have to read after a crash, if anything. After a failed sync no
    /// checkpoint can change that.
    pub fn unchecked(&self) -> Option<Unchecked> {
        let last = self.segments.last()?;
        let any = 0 < self.unchecked_bytes && !self.syncing.has_failed();
        any.then_some(Unchecked {
            bytes: self.unchecked_bytes,
            since: self.unchecked_since,
            has_rolled: self.recovery_point < last.base,
        })
    }

    /// Files beside the log's own that stay open until a checkpoint has synced them: some for each
    /// segment that was closed since the last one.
    pub fn files_unchecked(&self) -> usize {
        self.unsynced.beside.len()
    }

    /// A checkpoint of the log as it is now. One at a time a log.
    pub fn checkpoint(&mut self) -> io::Result<Checkpoint<D>> {
        if self.syncing.has_failed() {
            return Err(io::Error::other(AppendError::Poisoned));
        }
        if let Some(last) = self.segments.len().checked_sub(1) {
            self.save_index(last).map_err(|failed| failed.error)?;
        }
        // A log without a segment has no directory, and nothing to remember.
        let saved = self.saved().map(|saved| {
            let epochs = (self.files.named(EPOCHS), self.epochs.file());
            let saved = (self.files.named(saved::NAME), saved.encode());
            // Recovery finds aborted transactions again only behind the checkpoint.
            self.aborted_files().chain([epochs, saved]).collect()
        });
        Ok(Checkpoint {
            target: self.everything_unsynced(),
            beside: self.unsynced.beside.clone(),
            replaced: saved.unwrap_or_default(),
            aborted: self.aborted_unsaved.clone(),
            covers_bytes: self.unchecked_bytes,
            segment: self.segments.last().map(|segment| segment.base),
        })
    }

    fn saved(&self) -> Option<Saved> {
        let last = self.segments.last()?;
        let index_entries = (u32::try_from(last.saved.0).ok()?, u32::try_from(last.saved.1).ok()?);
        Some(Saved {
            segment: last.base,
            position: last.bytes,
            end: self.end,
            last_position: self.last_batch.0,
            last_crc: self.last_batch.1,
            index_entries,
            since_entry_bytes: last.since_entry_bytes,
            largest: last.times.largest,
            epochs: self.epochs.clone(),
            producers: self.producers.clone(),
        })
    }

    /// `checkpoint` ran: what it covers is durable.
    pub fn checkpointed(&mut self, checkpoint: &Checkpoint<D>) {
        self.unsynced.beside.drain(..checkpoint.beside.len());
        self.aborted_unsaved.retain(|base| !checkpoint.aborted.contains(base));
        self.unchecked_bytes -= checkpoint.covers_bytes;
        // What came meanwhile is no older than the checkpoint, and no younger than the last of it.
        self.unchecked_since = self.segments.last().map_or(Timestamp(0), |last| last.modified);
        self.checkpoint_segment = checkpoint.segment;
        self.recovery_point = checkpoint.segment.unwrap_or(self.recovery_point);
        self.synced(&checkpoint.target);
    }

    /// Writes indexes, producer snapshot, leader epochs and checkpoint, and syncs everything.
    /// Only when every log of a data directory was closed, and those never opened were clean at
    /// start, may `.kafka_cleanshutdown` be written.
    pub fn close(self, now: Timestamp) -> io::Result<()> {
        self.finish(now)?.map_or(Ok(()), |checkpoint| checkpoint.run())
    }

    /// `close` but for the checkpoint, which is still to be run. `None`: nothing has changed.
    pub fn finish(mut self, now: Timestamp) -> io::Result<Option<Checkpoint<D>>> {
        self.mend().map_err(io::Error::other)?;
        if !self.changed || self.segments.is_empty() {
            return Ok(None);
        }
        self.producers.expire(now, &self.settings);
        self.finish_last_segment().map_err(|failed| failed.error)?;
        if self.end > Offset::ZERO {
            self.write_snapshot().map_err(|failed| failed.error)?;
        }
        self.checkpoint().map(Some)
    }
}

const METADATA: &str = "partition.metadata";
const EPOCHS: &str = "leader-epoch-checkpoint";

fn grown<F>(segment: &Segment<F>) -> Option<Grown<F>> {
    let file = segment.file.as_ref().filter(|_| segment.synced < segment.bytes)?;
    Some(Grown { base: segment.base, bytes: segment.bytes, file: Arc::clone(file) })
}

fn duplicate(sent: &producers::Sent, times: Times) -> Appended {
    Appended {
        base_offset: Offset(sent.last_offset.get() - i64::from(sent.offset_delta)),
        last_offset: sent.last_offset,
        outcome: Outcome::Duplicate,
        append_time: (times == Times::Append).then_some(sent.timestamp),
    }
}

/// The header as the log stores it. Base offset and leader epoch are outside the CRC, so that a
/// broker can stamp them (DefaultRecordBatch.java); times are inside.
fn stamped(batch: &BatchView<'_>, base_offset: Offset, stamp: Stamp) -> [u8; HEADER_BYTES] {
    let bytes = batch.bytes();
    let mut header: [u8; HEADER_BYTES] =
        bytes[..HEADER_BYTES].try_into().expect("a batch has a header");
    header[..8].copy_from_slice(&base_offset.get().to_be_bytes());
    header[12..16].copy_from_slice(&stamp.leader_epoch.get().to_be_bytes());
    let (append_time_bit, max) = match stamp.times {
        Times::Keep => return header,
        Times::Max(max) => (0, max),
        Times::Append => (8, stamp.now),
    };
    header[22] = header[22] & !8 | append_time_bit;
    header[35..43].copy_from_slice(&max.get().to_be_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&header[21..]), &bytes[HEADER_BYTES..]);
    header[17..21].copy_from_slice(&crc.to_be_bytes());
    header
}

impl From<Failed> for AppendError {
    fn from(Failed { path, error }: Failed) -> AppendError {
        AppendError::Disk { path, error }
    }
}

impl From<Failed> for ReadError {
    fn from(Failed { path, error }: Failed) -> ReadError {
        ReadError::Disk { path, error }
    }
}

impl From<Failed> for OpenError {
    fn from(Failed { path, error }: Failed) -> OpenError {
        OpenError::Disk { path, error }
    }
}
