//! Opening a log: what lies on disk is believed as far as it was synced and checked, and read
//! again from there. A torn tail is cut off; what is damaged is kept beside the log.

mod believe;
mod lost;
mod rewrite;
mod scan;
mod swap;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

pub(super) use rewrite::mark;

use super::aborted;
use super::epochs::Epochs;
use super::facts::{Known, Lost, OpenError, Recovered, Settings, Trust};
use super::files::{Failed, Files, Kind, at};
use super::producers::Producers;
use super::read::{Reading, Recent};
use super::saved::{self, Saved};
use super::segment::Segment;
use super::text::parse_partition_metadata;
use super::unsynced::Unsynced;
use super::{Disk, EPOCHS, Listed, Log, METADATA};
use crate::record::{Offset, Timestamp, Uuid};

/// Where reading begins.
#[derive(Clone, Copy)]
struct Start {
    segment: usize,
    position: u32,
    /// Up to here compaction may have taken the last batches of segments away, or all is deleted;
    /// elsewhere, what is missing between two segments was lost.
    compacted: Offset,
    /// Up to here all was durable when the log was left: what is not there was not torn, but lost.
    durable: Offset,
    /// Where the log ended when it was left cleanly: no batch can reach beyond.
    end: Option<Offset>,
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
                recovered.lost.extend(log.begin_without_segments(&known, None));
                log.write_down_anew(&mut recovered)?;
                return Ok((log, recovered));
            }
            listed => log.files.ours(listed.map_err(at(dir))?)?,
        };
        let listed = match log.finish_compaction(&listed)? {
            true => log.files.ours(log.files.disk.list(dir).map_err(at(dir))?)?,
            false => listed,
        };
        log.take_stock(&listed, now, &mut recovered)?;
        log.check_metadata(&listed)?;
        // A clean stop writes what is not there, also where nobody writes before it.
        log.changed |= !listed.iter().any(|file| file.name == EPOCHS);
        match log.segments.first().map(|first| first.base) {
            None => {
                let saved = log.last_checkpoint(now)?;
                recovered.lost.extend(log.begin_without_segments(&known, saved.as_ref()));
            }
            Some(first) => {
                log.begin_at(first);
                let saved = log.recover(&known, now, &mut recovered)?;
                // One behind the end is another log's: what is before a log's start was durable
                // when it was deleted.
                let start = known.log_start.max(saved).filter(|start| *start <= log.end);
                log.start = start.unwrap_or(first).max(log.segments[0].base);
                log.compacted = known.compacted.unwrap_or(log.start);
                log.epochs.cut_start(log.segments[0].base);
            }
        }
        log.write_down(&mut recovered)?;
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
            producers: Producers::default(),
            epochs: Epochs::default(),
            aborted: BTreeMap::new(),
            aborted_unsaved: BTreeSet::new(),
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
            unchecked_since: Timestamp(0),
            checkpoint_segment: None,
            start_saved: Offset::ZERO,
            compacted: Offset::ZERO,
            recovery_point: Offset::ZERO,
            half_written: false,
            syncing: Arc::default(),
            changed: false,
        }
    }

    fn begin_at(&mut self, offset: Offset) {
        (self.start, self.end, self.recovery_point) = (offset, offset, offset);
    }

    /// No offset is given out again, whatever became of the records.
    fn begin_without_segments(&mut self, known: &Known, saved: Option<&Saved>) -> Option<Lost> {
        let start = known.log_start.unwrap_or(Offset::ZERO);
        let durable = self.durable(saved, known);
        self.begin_at(start.max(durable));
        self.lost(start, durable)
    }

    /// Finds the segments, and removes what unfinished work left: files marked as deleted, indexes
    /// without their log.
    fn take_stock(
        &mut self,
        listed: &[Listed],
        now: Timestamp,
        recovered: &mut Recovered,
    ) -> Result<(), OpenError> {
        for file in listed {
            if let Some((Kind::Log, base)) = Kind::parse(&file.name) {
                // Offsets into a segment are Java ints.
                let bytes = u32::try_from(file.bytes.min(i32::MAX as u64)).unwrap_or(u32::MAX);
                self.segments.push(Segment::found(base, bytes, file.modified, now));
            }
        }
        self.segments.sort_by_key(|segment| segment.base);
        // A roll failed after it had made the file, and the segment before it grew on.
        let last = self.segments.len().saturating_sub(1);
        let empty = |segment: &mut Segment<D::File>| segment.bytes == 0;
        let empty: Vec<_> = self.segments.extract_if(last.min(1)..last, empty).collect();
        for empty in empty {
            recovered.lost.extend(self.lost_from_empty(empty.base));
            self.files.remove(&self.files.path(Kind::Log, empty.base))?;
        }
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
                    // An empty one is of a segment that had nothing yet.
                    if !there && kind == Kind::OffsetIndex && 0 < file.bytes {
                        recovered.orphans.push(self.files.named(&file.name));
                    }
                    !there
                }
                None => {
                    let unfinished = [".deleted", ".tmp"];
                    unfinished.iter().any(|suffix| file.name.ends_with(suffix))
                }
            };
            if left_over {
                self.files.remove(&self.files.named(&file.name))?;
            }
        }
        Ok(())
    }

    fn last_checkpoint(&self, now: Timestamp) -> Result<Option<Saved>, Failed> {
        let bytes = self.files.read(&self.files.named(saved::NAME))?;
        Ok(bytes.and_then(|bytes| Saved::decode(&bytes, now)))
    }

    /// Up to where all was durable: the log's own checkpoint knows it of its own log, and the data
    /// directory's is of no later time.
    fn durable(&self, saved: Option<&Saved>, known: &Known) -> Offset {
        saved.map(|saved| saved.end).max(known.recovery_point).unwrap_or(Offset::ZERO)
    }

    fn lost(&self, end: Offset, durable: Offset) -> Option<Lost> {
        let base = self.segments.last().map_or(end, |last| last.base);
        let path = self.files.path(Kind::Log, base);
        (end < durable).then_some(Lost { path, from: end, to: durable })
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

    /// Returns where the log begins, as its own checkpoint says.
    fn recover(
        &mut self,
        known: &Known,
        now: Timestamp,
        recovered: &mut Recovered,
    ) -> Result<Option<Offset>, OpenError> {
        let saved = self.last_checkpoint(now)?;
        let saved_start = saved.as_ref().and_then(|saved| saved.start);
        let durable = self.durable(saved.as_ref(), known);
        // A segment of which a power loss has left the index alone.
        recovered.lost.retain(|lost| lost.to <= durable);
        let start = match self.believed(saved, known, now)? {
            Some(start) => start,
            None => self.start_over(known, now)?,
        };
        let end = known.recovery_point.filter(|_| known.trust == Trust::Clean);
        // What is deleted, and its file yet to go, may lack what it likes.
        let deleted = known.log_start.max(saved_start).unwrap_or(Offset::ZERO);
        let compacted = start.compacted.max(deleted);
        let end = end.filter(|end| durable <= *end);
        let start = Start { compacted, durable, end, ..start };
        // Names of files are as little known to be durable as the bytes behind this point.
        let all_believed = start.segment + 1 == self.segments.len()
            && start.position == self.segments[start.segment].bytes;
        let in_doubt = !all_believed && known.trust != Trust::CleanButRead;
        self.unsynced.names += u64::from(in_doubt);
        // A checkpoint is less than what a clean stop leaves.
        self.changed |= matches!(known.trust, Trust::Unclean | Trust::Nothing);
        recovered.lost.extend(self.lost_from_believed(start.segment, known, saved_start)?);
        self.scan(start, now, recovered)?;
        self.forget_aborted_behind_end();
        recovered.lost.extend(self.lost(self.end, durable));
        self.rewrite_if_marked(start)?;
        if self.end < durable {
            // No offset is given out again.
            self.end = durable;
            self.roll(now)?;
            self.changed = true;
        }
        if known.trust == Trust::CleanButRead {
            self.believe_before(self.segments.len());
        }
        Ok(saved_start)
    }
}
