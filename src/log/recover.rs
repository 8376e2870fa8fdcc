//! Opening a log: what lies on disk is believed as far as it was synced and checked, and read
//! again from there. A torn tail is cut off; what is damaged is kept beside the log.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::aborted;
use super::epochs::Epochs;
use super::facts::{Cleanup, Known, OpenError, Recovered, SetAside, Settings, Torn, Trust};
use super::files::{Failed, Files, Kind, at};
use super::index::Index;
use super::producers::Producers;
use super::read::{Reading, Recent, Walk};
use super::saved::{self, Saved};
use super::segment::{Largest, Segment};
use super::text::parse_partition_metadata;
use super::{Disk, DiskFile, EPOCHS, Listed, Log, METADATA, Open, Unsynced};
use crate::record::{BatchView, HEADER_BYTES, Offset, Scratch, Timestamp, Uuid};

/// How much is read at once when the files are read again.
const WINDOW_BYTES: usize = 1 << 20;

/// Where reading begins.
struct Start {
    segment: usize,
    position: u32,
}

impl<D: Disk> Log<D> {
    /// Opens what lies in `dir`, recovering what must be; a directory that is not there is an
    /// empty log, and is made at the first append. `topic_id` is what `partition.metadata` says
    /// or will say.
    pub fn open(
        disk: D,
        dir: &Path,
        topic_id: Uuid,
        settings: Settings,
        known: Known,
        now: Timestamp,
    ) -> Result<(Log<D>, Recovered), OpenError> {
        let files = Files { disk, dir: dir.to_owned() };
        let mut log = Log::empty(files, topic_id, settings);
        let mut recovered = Recovered::default();
        let listed = match log.files.disk.list(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                log.begin_at(known.log_start.unwrap_or(Offset::ZERO));
                return Ok((log, recovered));
            }
            listed => listed.map_err(at(dir))?,
        };
        log.take_stock(&listed, now)?;
        log.check_metadata(&listed)?;
        match log.segments.first().map(|first| first.base) {
            None => log.begin_at(known.log_start.unwrap_or(Offset::ZERO)),
            Some(first) => {
                log.begin_at(first);
                log.recover(&known, now, &mut recovered)?;
                let start = known.log_start.unwrap_or(first);
                log.start = start.clamp(log.segments[0].base, log.end);
                log.epochs.cut_start(log.start);
            }
        }
        Ok((log, recovered))
    }

    fn empty(files: Files<D>, topic_id: Uuid, settings: Settings) -> Log<D> {
        Log {
            files,
            topic_id,
            settings,
            segments: Vec::new(),
            start: Offset::ZERO,
            end: Offset::ZERO,
            durable: Offset::ZERO,
            producers: Producers::default(),
            epochs: Epochs::default(),
            aborted: BTreeMap::new(),
            snapshots: Vec::new(),
            reading: Reading::default(),
            recent: Recent::default(),
            last_batch: (0, 0),
            unsynced: Unsynced {
                metadata: false,
                names: 0,
                names_synced: 0,
                new_dir: false,
                beside: Vec::new(),
            },
            unchecked_bytes: 0,
            checkpoint_segment: None,
            half_written: false,
            syncing: Arc::default(),
            changed: false,
        }
    }

    fn begin_at(&mut self, offset: Offset) {
        (self.start, self.end, self.durable) = (offset, offset, offset);
    }

    /// Finds the segments, and removes what unfinished work left: files marked as deleted,
    /// unfinished outputs of Apache's compaction, indexes without their log.
    fn take_stock(&mut self, listed: &[Listed], now: Timestamp) -> Result<(), OpenError> {
        if let Some(swap) = listed.iter().find(|file| file.name.ends_with(".swap")) {
            return Err(OpenError::UnfinishedCompaction { path: self.files.named(&swap.name) });
        }
        for file in listed {
            if let Some((Kind::Log, base)) = Kind::parse(&file.name) {
                // Offsets into a segment are Java ints.
                let bytes = u32::try_from(file.bytes.min(i32::MAX as u64)).unwrap_or(u32::MAX);
                self.segments.push(Segment::found(base, bytes, file.modified, now));
            }
        }
        self.segments.sort_by_key(|segment| segment.base);
        for file in listed {
            let left_over = match Kind::parse(&file.name) {
                Some((Kind::Snapshot, offset)) => {
                    self.snapshots.push(offset);
                    false
                }
                Some((kind, base)) => {
                    let there = self.segments.binary_search_by_key(&base, |s| s.base).is_ok();
                    if there && kind == Kind::TransactionIndex {
                        self.load_aborted(base)?;
                    }
                    !there
                }
                None => {
                    let unfinished = [".deleted", ".cleaned", ".tmp"];
                    unfinished.iter().any(|suffix| file.name.ends_with(suffix))
                }
            };
            if left_over {
                self.files.remove(&self.files.named(&file.name))?;
            }
        }
        Ok(())
    }

    fn load_aborted(&mut self, base: Offset) -> Result<(), OpenError> {
        let path = self.files.path(Kind::TransactionIndex, base);
        let bytes = self.files.read(&path)?.unwrap_or_default();
        // Without them, aborted records would pass for committed ones.
        let aborted = aborted::parse(&bytes).ok_or(OpenError::TransactionIndex { path })?;
        self.aborted.insert(base, aborted);
        Ok(())
    }

    fn check_metadata(&mut self, listed: &[Listed]) -> Result<(), OpenError> {
        let path = self.files.named(METADATA);
        let there = listed.iter().any(|file| file.name == METADATA);
        let bytes = if there { self.files.read(&path)? } else { None };
        match bytes.as_deref().and_then(parse_partition_metadata) {
            Some(found) if found == self.topic_id => Ok(()),
            Some(found) => Err(OpenError::OtherTopic { path: self.files.dir.clone(), found }),
            // A crash came between the directory and its first sync.
            None => {
                self.unsynced.new_dir = true;
                Ok(self.write_metadata()?)
            }
        }
    }

    fn recover(
        &mut self,
        known: &Known,
        now: Timestamp,
        recovered: &mut Recovered,
    ) -> Result<(), OpenError> {
        let start = match self.believed(known, now)? {
            Some(start) => start,
            None => self.start_over(known, now)?,
        };
        // Names of files are as little known to be durable as the bytes behind this point.
        let all_believed = start.segment + 1 == self.segments.len()
            && start.position == self.segments[start.segment].bytes;
        let in_doubt = !all_believed && known.trust != Trust::CleanButRead;
        self.unsynced.names += u64::from(in_doubt);
        self.durable = self.end;
        self.scan(start, now, recovered)?;
        if known.trust == Trust::CleanButRead {
            self.believe_before(self.segments.len());
            self.durable = self.end;
        }
        Ok(())
    }

    /// Believes what can be: the log's own checkpoint, or a clean stop of Apache Kafka's. Returns
    /// where reading begins.
    fn believed(&mut self, known: &Known, now: Timestamp) -> Result<Option<Start>, Failed> {
        if matches!(known.trust, Trust::Nothing | Trust::CleanButRead) {
            return Ok(None);
        }
        let bytes = self.files.read(&self.files.named(saved::NAME))?;
        let saved = bytes.and_then(|bytes| Saved::decode(&bytes, now));
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
        (self.end, self.epochs, self.producers) = (saved.end, saved.epochs, saved.producers);
        Ok(Some(Start { segment: at_segment, position: saved.position }))
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
        Ok(Index::decode_prefix(&offsets, &times, counts))
    }

    /// All before this segment is as it was left.
    fn believe_before(&mut self, at_segment: usize) {
        for segment in &mut self.segments[..at_segment] {
            segment.synced = segment.bytes;
        }
    }

    fn first_time(&mut self, at_segment: usize) -> Result<Option<Timestamp>, Failed> {
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
        let Some(epochs) = self.read_epochs()?.filter(|_| next == end && walk.position() == bytes)
        else {
            return Ok(None);
        };
        (self.end, self.epochs) = (end, epochs);
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
        Ok(Some(Start { segment: last, position: bytes }))
    }

    fn read_epochs(&self) -> Result<Option<Epochs>, Failed> {
        let bytes = self.files.read(&self.files.named(EPOCHS))?;
        Ok(bytes.and_then(|bytes| Epochs::parse(&bytes)))
    }

    /// Reads again from the segment that contains the recovery point (LogLoader.recoverLog).
    fn start_over(&mut self, known: &Known, now: Timestamp) -> Result<Start, Failed> {
        let point = match known.trust {
            Trust::Nothing | Trust::CleanButRead => Offset::ZERO,
            Trust::Clean | Trust::Unclean => known.recovery_point.unwrap_or(Offset::ZERO),
        };
        let after = self.segments.partition_point(|segment| segment.base <= point);
        let at_segment = after.saturating_sub(1);
        self.believe_before(at_segment);
        self.end = self.segments[at_segment].base;
        self.epochs = self.read_epochs()?.unwrap_or_default();
        self.epochs.cut_end(self.end);
        self.load_producers(self.end, now)?;
        self.load_file(at_segment)?;
        let bytes = self.segments[at_segment].bytes;
        self.segments[at_segment].reset();
        self.segments[at_segment].bytes = bytes;
        let in_doubt = known.trust != Trust::CleanButRead;
        self.unsynced.metadata |= in_doubt;
        self.unsynced.new_dir |= in_doubt;
        Ok(Start { segment: at_segment, position: 0 })
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

    /// Reads every batch from here on, and ends the log where one is not good.
    fn scan(
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
            let good = self.scan_segment(at_segment, position, now)?;
            recovered.scanned_bytes += u64::from(good - position);
            if good < file_bytes {
                return self.cut(good, file_bytes, later, recovered);
            }
            let Some(next) = later.first().map(|next| next.base) else { break };
            if next < self.end || next > self.end && self.settings.cleanup == Cleanup::Delete {
                return self.cut(good, file_bytes, later, recovered);
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
        at_segment: usize,
        position: u32,
        now: Timestamp,
    ) -> Result<u32, Failed> {
        let file = self.load_file(at_segment)?;
        let path = self.files.path(Kind::Log, self.segments[at_segment].base);
        let file_bytes = self.segments[at_segment].bytes;
        self.segments[at_segment].bytes = position;
        let mut window = Window::default();
        let mut position = position;
        while position < file_bytes {
            let left = (file_bytes - position) as usize;
            let Some(bytes) = window.batch(&*file, position, left).map_err(at(&path))? else {
                break;
            };
            let Ok(batch) = BatchView::parse(bytes) else { break };
            let fits = self.end <= batch.base_offset()
                && batch.last_offset_delta() >= 0
                && self.segments[at_segment].delta(batch.last_offset()).is_some();
            if !fits || batch.check_crc().is_err() {
                break;
            }
            let size = batch.size() as u32;
            self.note(&batch, size, coordinator_epoch(&batch), now);
            position += size;
        }
        Ok(position)
    }

    /// The log ends at `good` in its last segment. What lies behind is cut off if it holds no
    /// good batch, and else kept beside the log.
    fn cut(
        &mut self,
        good: u32,
        file_bytes: u32,
        later: Vec<Segment<D::File>>,
        recovered: &mut Recovered,
    ) -> Result<(), Failed> {
        let last = self.segments.len() - 1;
        let file = self.load_file(last)?;
        let path = self.files.path(Kind::Log, self.segments[last].base);
        let batches = good_batches(&*file, good, file_bytes, self.end).map_err(at(&path))?;
        // Later segments go first: once this one ends well, nothing else tells that they are not
        // its continuation.
        let mut later_good = false;
        for segment in later.iter().rev() {
            later_good |= self.set_aside_segment(segment, recovered)?;
        }
        let bytes = u64::from(file_bytes - good);
        if batches > 0 || later_good {
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
        let batches = good_batches(&*file, 0, segment.bytes, segment.base).map_err(at(&path))?;
        self.aborted.remove(&segment.base);
        for kind in [Kind::OffsetIndex, Kind::TimeIndex, Kind::TransactionIndex] {
            self.files.remove(&self.files.path(kind, segment.base))?;
        }
        if batches == 0 {
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
        let copy = self.files.open(&kept_at, Open::OrCreate)?;
        let mut window = vec![0; WINDOW_BYTES];
        let mut position = from;
        while position < to {
            let wanted = WINDOW_BYTES.min((to - position) as usize);
            let read = file.read_at(&mut window[..wanted], position.into()).map_err(at(path))?;
            if read == 0 {
                break;
            }
            let target = u64::from(position - from);
            copy.write_at([&window[..read], &[]], target).map_err(at(&kept_at))?;
            position += read as u32;
        }
        copy.sync().map_err(at(&kept_at))?;
        Ok(kept_at)
    }

    /// `00000000000000000000.log.damaged-4711`, or with a number behind it.
    fn free_name(&self, path: &Path, position: u32) -> Result<std::path::PathBuf, Failed> {
        let listed = self.files.disk.list(&self.files.dir).map_err(at(&self.files.dir))?;
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let base = format!("{name}.damaged-{position}");
        let taken = |name: &str| listed.iter().any(|file| file.name == name);
        let numbered = (1..).map(|number| format!("{base}.{number}"));
        let mut names = std::iter::once(base.clone()).chain(numbered);
        let free = names.find(|name| !taken(name)).expect("numbers do not end");
        Ok(self.files.named(&free))
    }
}

/// Bytes of a file, read in big pieces.
#[derive(Default)]
struct Window {
    bytes: Vec<u8>,
    start: u32,
}

impl Window {
    /// The batch at `position`, of which `left` bytes at most are there. `None`: it is not whole.
    fn batch<F: DiskFile>(
        &mut self,
        file: &F,
        position: u32,
        left: usize,
    ) -> io::Result<Option<&[u8]>> {
        let header = self.slice(file, position, HEADER_BYTES, left)?;
        let Ok(size) = BatchView::parse_header(header).map(|header| header.size()) else {
            return Ok(None);
        };
        let bytes = self.slice(file, position, size, left)?;
        Ok((bytes.len() == size).then_some(bytes))
    }

    /// `wanted` bytes, or as many of them as are `left`.
    fn slice<F: DiskFile>(
        &mut self,
        file: &F,
        position: u32,
        wanted: usize,
        left: usize,
    ) -> io::Result<&[u8]> {
        let wanted = wanted.min(left);
        let held = position.checked_sub(self.start).map(|skipped| skipped as usize);
        let inside = held.filter(|skipped| skipped + wanted <= self.bytes.len());
        let skipped = match inside {
            Some(skipped) => skipped,
            None => {
                self.bytes.resize(wanted.max(WINDOW_BYTES).min(left), 0);
                let read = file.read_at(&mut self.bytes, position.into())?;
                self.bytes.truncate(read);
                self.start = position;
                0
            }
        };
        let end = (skipped + wanted).min(self.bytes.len());
        Ok(&self.bytes[skipped..end])
    }
}

/// How many good batches lie somewhere between `from` and `to`, at or behind offset `expected`.
fn good_batches<F: DiskFile>(file: &F, from: u32, to: u32, expected: Offset) -> io::Result<u32> {
    let mut window = Window::default();
    let mut count = 0;
    let mut position = from;
    while position < to {
        let left = (to - position) as usize;
        let skip = {
            let ahead = window.slice(file, position, WINDOW_BYTES.min(left), left)?;
            // A header has the format's number, 2, behind its first 16 bytes.
            let magic = ahead.get(16..).and_then(|bytes| memchr::memchr(2, bytes));
            magic.unwrap_or_else(|| ahead.len().saturating_sub(16).max(1)) as u32
        };
        if skip > 0 {
            position += skip;
            continue;
        }
        let batch = window.batch(file, position, left)?.and_then(|b| BatchView::parse(b).ok());
        let good = batch.filter(|batch| {
            batch.base_offset() >= expected
                && batch.last_offset_delta() >= 0
                && batch.check_crc().is_ok()
        });
        position += good.map_or(1, |batch| batch.size() as u32);
        count += u32::from(good.is_some());
    }
    Ok(count)
}

/// What a transaction marker says of its coordinator: i16 version, i32 epoch.
fn coordinator_epoch(batch: &BatchView<'_>) -> Option<i32> {
    if !batch.is_control() || batch.producer().is_none() {
        return None;
    }
    let mut scratch = Scratch::default();
    let mut records = batch.records(&mut scratch, WINDOW_BYTES).ok()?;
    let marker = records.next()?.ok()?.record.value?;
    marker.get(2..6)?.try_into().ok().map(i32::from_be_bytes)
}
