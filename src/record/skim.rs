//! The offsets and times of a batch's records, read while they are decompressed: a few KiB may
//! inflate to a GiB, and nothing of it is held. Only Snappy's are, which packs at most 22 to one.

use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow;

use super::batch::{BatchError, HEADER_BYTES};
use super::entries::Entry;
use super::varint::{self, VARLONG_BYTES_MAX};
use super::{BatchView, Codec, Offset, Scratch, Timestamp};

/// So much is decompressed at once.
const WINDOW_BYTES: usize = 16 << 10;

/// What there is to know of a record without holding it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glimpse {
    pub offset: Offset,
    pub timestamp: Timestamp,
    pub has_key: bool,
}

impl BatchView<'_> {
    /// Shows each record in order, until `see` breaks or they have inflated to `bytes_max`. What
    /// was seen to the end is whole.
    pub fn skim(
        &self,
        bytes_max: usize,
        mut see: impl FnMut(Glimpse) -> ControlFlow<()>,
    ) -> Result<(), BatchError> {
        match self.codec()? {
            Codec::None | Codec::Snappy => {
                for entry in self.records(&mut Scratch::default(), bytes_max)? {
                    let Entry { offset, timestamp, key, .. } = entry?;
                    if see(Glimpse { offset, timestamp, has_key: key.is_some() }).is_break() {
                        break;
                    }
                }
                Ok(())
            }
            codec => {
                let stored = &self.bytes()[HEADER_BYTES..];
                let plain = codec.reader(stored)?.take((bytes_max as u64).saturating_add(1));
                let from = BufReader::with_capacity(WINDOW_BYTES, plain);
                let mut skim = Skim { from, left: 0 };
                let skimmed = skim.all(self, &mut see);
                match (skimmed, skim.from.get_ref().limit()) {
                    (Ok(ControlFlow::Continue(())) | Err(_), 0) => {
                        Err(BatchError::Inflates { bytes_max })
                    }
                    (skimmed, _) => skimmed.map(drop),
                }
            }
        }
    }
}

/// A walk over records that come as they are read.
struct Skim<R> {
    from: R,
    /// What is left of the record.
    left: usize,
}

impl<R: BufRead> Skim<R> {
    fn all(
        &mut self,
        batch: &BatchView<'_>,
        see: &mut impl FnMut(Glimpse) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, BatchError> {
        let (base, append_time) = (batch.base_offset().get(), batch.append_time());
        for _ in 0..batch.count() {
            self.left = VARLONG_BYTES_MAX;
            self.left = length(self.varint()?)?;
            self.skip(1)?;
            let created = batch.base_timestamp().get().wrapping_add(self.varint()?);
            let delta = i32::try_from(self.varint()?).map_err(|_| BatchError::Record)?;
            let offset = base.checked_add(delta.into()).ok_or(BatchError::Record)?;
            let has_key = self.part()?;
            self.part()?;
            for _ in 0..length(self.varint()?)? {
                let has_name = self.part()?;
                self.part()?;
                if !has_name {
                    return Err(BatchError::Record);
                }
            }
            if self.left != 0 {
                return Err(BatchError::Record);
            }
            let timestamp = append_time.unwrap_or(Timestamp(created));
            if see(Glimpse { offset: Offset(offset), timestamp, has_key }).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        // DefaultRecordBatch.java refuses what lies behind the last record as well.
        match self.window()?.is_empty() {
            true => Ok(ControlFlow::Continue(())),
            false => Err(BatchError::Record),
        }
    }

    fn window(&mut self) -> Result<&[u8], BatchError> {
        self.from.fill_buf().map_err(|_| BatchError::Compression)
    }

    /// Passes over a key, a value or a name; whether it is there.
    fn part(&mut self) -> Result<bool, BatchError> {
        match self.varint()? {
            -1 => Ok(false),
            bytes => self.skip(length(bytes)?).map(|()| true),
        }
    }

    fn skip(&mut self, bytes: usize) -> Result<(), BatchError> {
        self.left = self.left.checked_sub(bytes).ok_or(BatchError::Record)?;
        let mut rest = bytes;
        while rest > 0 {
            let passed = self.window()?.len().min(rest);
            if passed == 0 {
                return Err(BatchError::Record);
            }
            self.from.consume(passed);
            rest -= passed;
        }
        Ok(())
    }

    fn varint(&mut self) -> Result<i64, BatchError> {
        let window = self.window()?;
        let mut rest = window;
        if let Some(value) = varint::take_long(&mut rest) {
            let taken = window.len() - rest.len();
            self.skip(taken)?;
            return Ok(value);
        }
        // It goes on in the next window, or is none.
        let (mut bytes, mut taken) = ([0; VARLONG_BYTES_MAX], 0);
        while taken < bytes.len() {
            bytes[taken] = *self.window()?.first().ok_or(BatchError::Record)?;
            self.skip(1)?;
            taken += 1;
            if let Some(value) = varint::take_long(&mut &bytes[..taken]) {
                return Ok(value);
            }
        }
        Err(BatchError::Record)
    }
}

fn length(value: i64) -> Result<usize, BatchError> {
    i32::try_from(value).ok().and_then(|value| value.try_into().ok()).ok_or(BatchError::Record)
}
