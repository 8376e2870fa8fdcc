//! Taking batches: checked against what their producers wrote before, stamped, written at the end.
//! Never knows: when what was written is durable.

use std::path::PathBuf;

use super::files::{Kind, at};
use super::producers::Sent;
use super::segment::Coming;
use super::transactions::{Decision, Marker};
use super::{AppendError, Appended, Disk, DiskFile, Log, Outcome, Stamp};
use crate::record::{BatchView, HEADER_BYTES, Offset, Times, Timestamp};

impl<D: Disk> Log<D> {
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
    pub(super) fn mend(&mut self) -> Result<(), AppendError> {
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

    fn growing(&self) -> (PathBuf, &D::File, u32) {
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
    pub(super) fn note(
        &mut self,
        batch: &BatchView<'_>,
        size: u32,
        marker: Option<Marker>,
        now: Timestamp,
    ) {
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
}

fn duplicate(sent: &Sent, times: Times) -> Appended {
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
