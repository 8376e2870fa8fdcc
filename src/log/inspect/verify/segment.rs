//! One segment: its batches, and the indexes beside them.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::Expected;
use super::index::{OffsetCursor, TimeCursor};
use super::state::Pass;
use crate::log::files::{Kind, Stage};
use crate::log::inspect::{Damage, Entries, Entry, Piece, Pieces, Thing};
use crate::log::{Aborted, DiskFile, RealFile};
use crate::record::{BatchView, Glimpse, Offset, ProducerId, Scratch, Timestamp, TimestampType};

/// A transaction marker is a few bytes.
const MARKER_BYTES_MAX: usize = 1 << 16;
/// Entries of one index of aborted transactions that are compared.
const ABORTED_MAX: usize = 1 << 20;

/// The files beside the segment's log, opened before it is read.
struct Beside {
    offsets: Option<(PathBuf, RealFile)>,
    times: Option<(PathBuf, RealFile)>,
    aborted: Option<(PathBuf, RealFile)>,
}

/// Transactions that are open at once and remembered.
const OPEN_MAX: usize = 1 << 20;

/// What a batch that ends a transaction says.
struct Marker {
    is_abort: bool,
    coordinator_epoch: Option<i32>,
}

impl Pass<'_> {
    /// Checks the segment that begins with `base`, before `next`, if there is a next one.
    pub fn segment(&mut self, base: Offset, bytes: u64, next: Option<Offset>, entries: &[Entry]) {
        let path = self.dir.join(format!("{:020}{}", base.get(), Kind::Log.suffix()));
        self.verified.segments += 1;
        match self.walk(&path, base, next, entries) {
            // Removed meanwhile, as retention does.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.is_live() => {}
            Err(error) => self.findings().damage(&path, format!("cannot be read: {error}")),
            Ok(()) => self.verified.bytes += bytes,
        }
        // The next one goes on where it says, so that a gap is told once.
        self.end = next.or(self.end);
    }

    fn walk(
        &mut self,
        path: &Path,
        base: Offset,
        next: Option<Offset>,
        entries: &[Entry],
    ) -> io::Result<()> {
        let beside = self.open_beside(base, next.is_none(), entries);
        let file = RealFile::open_to_read(path)?;
        let bytes = file.len()?;
        if i32::MAX as u64 <= bytes {
            self.findings().damage_at(path, i32::MAX as u64, "a segment is never that large");
        }
        let growing = next.is_none() && self.is_live();
        let mut aborted = self.aborted(&beside, base, next)?.into_iter().peekable();
        let mut offsets = match &beside.offsets {
            Some((path, file)) => Some(OffsetCursor::offsets(path, file, base, self.findings())?),
            None => None,
        };
        let mut times = match &beside.times {
            Some((path, file)) => Some(TimeCursor::times(path, file, base, self.findings())?),
            None => None,
        };
        let mut largest = Timestamp(-1);
        let mut pieces = Pieces::new(&file, bytes, base, self.expected.limit(next));
        // Unknown behind damage.
        let mut expected = Some(base);
        while let Some(piece) = pieces.next_piece()? {
            let (position, batch) = match piece {
                Piece::Batch { position, batch } => (position, batch),
                Piece::Damage(damage) => {
                    self.damaged(path, &damage);
                    expected = None;
                    continue;
                }
            };
            self.continues(path, position, expected, batch.base_offset());
            expected = Some(batch.next_offset());
            let time = self.time(path, position, &batch);
            let findings = &mut self.verified.findings;
            if let Some(offsets) = &mut offsets {
                offsets.pass(position, &batch, findings)?;
            }
            if let Some(times) = &mut times {
                times.pass(&batch, time, largest, findings)?;
            }
            // The time of a batch that compaction has emptied says nothing of any record.
            if batch.count() > 0 {
                largest = largest.max(batch.max_timestamp());
            }
            let marker = marker(&batch);
            self.ended(path, position, &batch, marker.as_ref(), &mut aborted, &beside);
            let epoch = marker.and_then(|marker| marker.coordinator_epoch);
            self.note(path, position, &batch, epoch);
        }
        let end = pieces.position();
        if let Some(next) = next {
            self.continues(path, end, expected, next);
        }
        let is_done = next.is_some() || self.is_clean();
        self.finish_indexes(offsets, times, largest, is_done, growing)?;
        for (byte, entry) in aborted.filter(|_| !growing) {
            let (path, _) = beside.aborted.as_ref().expect("its entries are there");
            let what = "there is no marker that aborts this transaction";
            self.findings().damage_of(path, byte, entry.last, what);
        }
        Ok(())
    }

    fn finish_indexes(
        &mut self,
        offsets: Option<OffsetCursor<'_>>,
        times: Option<TimeCursor<'_>>,
        largest: Timestamp,
        is_done: bool,
        growing: bool,
    ) -> io::Result<()> {
        let findings = &mut self.verified.findings;
        if let Some(offsets) = offsets {
            offsets.finish(growing, findings, |entry| {
                format!("byte {} is behind the log's last batch", entry.position)
            })?;
        }
        if let Some(times) = times {
            if is_done {
                times.check_last(largest, findings);
            }
            times.finish(growing, findings, |entry| {
                format!("offset {} is behind the log's last batch", entry.offset)
            })?;
        }
        Ok(())
    }

    fn damaged(&mut self, path: &Path, damage: &Damage) {
        self.lose();
        let Damage { position, bytes, offset, why } = damage;
        let what = format!("{why}; {bytes} bytes are lost");
        self.findings().damage_of(path, (*position).into(), *offset, what);
    }

    /// Offsets go on from batch to batch, but where compaction took some out.
    fn continues(&mut self, path: &Path, position: u32, expected: Option<Offset>, found: Offset) {
        let Some(expected) = expected.filter(|&expected| expected != found) else { return };
        if self.expected.compacted {
            return;
        }
        let what = format!("offsets {expected} to {} are missing", found.get() - 1);
        self.findings().damage_of(path, position.into(), expected, what);
    }

    /// The largest timestamp of a batch: its header's, or what its records say, where all are
    /// read.
    fn time(&mut self, path: &Path, position: u32, batch: &BatchView<'_>) -> Timestamp {
        if !self.expected.records || batch.count() == 0 {
            return batch.max_timestamp();
        }
        match read_records(batch, self.expected.compacted) {
            Ok(largest) => largest,
            Err(what) => {
                self.findings().damage_of(path, position.into(), batch.base_offset(), what);
                batch.max_timestamp()
            }
        }
    }

    /// A transaction ended here: one that was aborted stands in the index.
    fn ended(
        &mut self,
        path: &Path,
        position: u32,
        batch: &BatchView<'_>,
        marker: Option<&Marker>,
        aborted: &mut std::iter::Peekable<std::vec::IntoIter<(u64, Aborted)>>,
        beside: &Beside,
    ) {
        while let Some((byte, entry)) =
            aborted.next_if(|(_, entry)| entry.last < batch.base_offset())
        {
            let (path, _) = beside.aborted.as_ref().expect("its entries are there");
            let what = "there is no marker that aborts this transaction";
            self.findings().damage_of(path, byte, entry.last, what);
        }
        let Some(producer) = batch.producer().filter(|_| marker.is_some()) else { return };
        let open = self.producers.as_ref().and_then(|producers| producers.get(producer.id));
        let began = open.and_then(|state| state.transaction);
        let is_abort = marker.is_some_and(|marker| marker.is_abort);
        let told = aborted.next_if(|(_, entry)| entry.last == batch.base_offset());
        match (is_abort, told) {
            (true, None) if began.is_some() && !self.expected.compacted => {
                let what = "the transaction was aborted, but is not in the .txnindex";
                self.findings().damage_of(path, position.into(), batch.base_offset(), what);
            }
            (_, None) => {}
            (is_abort, Some((byte, entry))) => {
                let Aborted { producer: id, first, .. } = entry;
                let same_first = began.is_none_or(|began| began == first);
                if !is_abort || id != producer.id || !same_first && !self.expected.compacted {
                    let (path, _) = beside.aborted.as_ref().expect("its entries are there");
                    let what = format!(
                        "it says that producer {id} aborted what it began at offset {first}"
                    ) + "; the log does not";
                    self.findings().damage_of(path, byte, entry.last, what);
                }
            }
        }
    }

    /// The entries of the index of aborted transactions, if there is one.
    fn aborted(
        &mut self,
        beside: &Beside,
        base: Offset,
        next: Option<Offset>,
    ) -> io::Result<Vec<(u64, Aborted)>> {
        let Some((path, file)) = &beside.aborted else { return Ok(Vec::new()) };
        let mut entries = Entries::<{ Aborted::BYTES }>::new(file)?;
        let odd = entries.odd_bytes();
        if odd > 0 {
            let byte = file.len()?.saturating_sub(odd);
            let what = format!("its last {odd} bytes are no whole entry");
            self.findings().damage_at(path, byte, what);
        }
        let mut all: Vec<(u64, Aborted)> = Vec::new();
        while let Some((byte, bytes)) = entries.next()? {
            let entry = Aborted::parse(&bytes).filter(|entry| {
                let last = entry.last;
                let rises = all.last().is_none_or(|(_, before)| before.last < last);
                rises
                    && base <= last
                    && next.is_none_or(|next| last < next)
                    && Offset::ZERO <= entry.first
                    && entry.stable_end.get() <= last.get().saturating_add(1)
            });
            match entry {
                Some(entry) if all.len() < ABORTED_MAX => all.push((byte, entry)),
                Some(_) => break,
                None => self.findings().damage_at(path, byte, "no transaction can be like this"),
            }
        }
        Ok(all)
    }

    /// What lies beside the log. A closed segment has both indexes.
    fn open_beside(&mut self, base: Offset, is_last: bool, entries: &[Entry]) -> Beside {
        let must = (!is_last || self.is_clean()) && !self.unfinished.is_going(base);
        let is_in_place = self.unfinished.is_in_place(base);
        let mut open = |kind: Kind, must: bool| {
            let name = format!("{:020}{}", base.get(), kind.suffix());
            let called = |name: &str| entries.iter().find(|entry| entry.name == name);
            let staged = || called(&(name.clone() + Stage::Swap.suffix())).filter(|_| is_in_place);
            let Some(found) = called(&name).or_else(staged) else {
                if must {
                    self.verified.findings.damage(&self.dir.join(&name), "is missing");
                }
                return None;
            };
            // What is no file is named already.
            let path =
                matches!(found.thing, Thing::File { .. }).then(|| self.dir.join(&found.name))?;
            match RealFile::open_to_read(&path) {
                Ok(file) => return Some((path, file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    self.verified.findings.damage(&path, format!("cannot be read: {error}"));
                }
            }
            None
        };
        Beside {
            offsets: open(Kind::OffsetIndex, must),
            times: open(Kind::TimeIndex, must),
            aborted: open(Kind::TransactionIndex, false),
        }
    }
}

/// The aborted transactions by the segments in which they ended, as the batches tell.
pub(in crate::log::inspect) fn aborted_in(
    dir: &Path,
    bases: &[Offset],
    expected: &Expected,
) -> io::Result<Vec<(Offset, Vec<Aborted>)>> {
    let mut open: BTreeMap<ProducerId, Offset> = BTreeMap::new();
    let mut all = Vec::new();
    for (at, &base) in bases.iter().enumerate() {
        let path = dir.join(format!("{:020}{}", base.get(), Kind::Log.suffix()));
        let file = RealFile::open_to_read(&path)?;
        let next = bases.get(at + 1).copied();
        let mut pieces = Pieces::new(&file, file.len()?, base, next);
        let mut aborted = Vec::new();
        while let Some(piece) = pieces.next_piece()? {
            let Piece::Batch { batch, .. } = piece else { continue };
            let Some(producer) = batch.producer() else { continue };
            let offset = batch.base_offset();
            let Some(marker) = marker(&batch) else {
                if batch.is_transactional() && open.len() < OPEN_MAX {
                    open.entry(producer.id).or_insert(offset);
                }
                continue;
            };
            // One that began before the log does is taken to have begun with it.
            let first = open.remove(&producer.id).or(expected.log_start.or(bases.first().copied()));
            if let Some(first) = first.filter(|_| marker.is_abort) {
                let stable_end = open.values().min().copied().unwrap_or(offset.plus(1));
                let (producer, last) = (producer.id, offset);
                aborted.push(Aborted { producer, first, last, stable_end });
            }
        }
        all.push((base, aborted));
    }
    Ok(all)
}

/// Reads every record of a batch; the largest timestamp among them.
fn read_records(batch: &BatchView<'_>, compacted: bool) -> Result<Timestamp, String> {
    let (mut largest, mut next) = (Timestamp(-1), batch.base_offset());
    let mut misplaced = None;
    let skimmed = batch.skim(usize::MAX, |Glimpse { offset, timestamp, .. }| {
        let fits = match compacted {
            true => next <= offset && offset <= batch.last_offset(),
            false => next == offset,
        };
        if !fits {
            misplaced = Some(offset);
            return ControlFlow::Break(());
        }
        next = offset.plus(1);
        largest = largest.max(timestamp);
        ControlFlow::Continue(())
    });
    skimmed.map_err(|error| error.to_string())?;
    if let Some(offset) = misplaced {
        return Err(format!("a record has offset {offset}, where {next} was due"));
    }
    let whole = compacted || next == batch.next_offset() || batch.count() == 0;
    match whole {
        true if batch.timestamp_type() == TimestampType::CreateTime => Ok(largest),
        true => Ok(batch.max_timestamp()),
        false => {
            Err(format!("its records end at {next}, and the batch at {}", batch.next_offset()))
        }
    }
}

/// What a batch says that ends a transaction: i16 version and i16 type (0 aborts, 1 commits) as
/// its key, i16 version and i32 coordinator epoch as its value.
fn marker(batch: &BatchView<'_>) -> Option<Marker> {
    if !batch.is_control() || batch.producer().is_none() {
        return None;
    }
    let mut scratch = Scratch::default();
    let mut records = batch.records(&mut scratch, MARKER_BYTES_MAX).ok()?;
    let record = records.next()?.ok()?;
    let kind = i16::from_be_bytes(record.key?.get(2..4)?.try_into().ok()?);
    let epoch = record.value.and_then(|value| value.get(2..6)?.try_into().ok());
    Some(Marker { is_abort: kind == 0, coordinator_epoch: epoch.map(i32::from_be_bytes) })
}
