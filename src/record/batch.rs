//! One record batch (magic 2, KIP-98) over borrowed bytes: read where it lies, never copied.

use std::fmt;

use super::codec::Codec;
use super::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp, TimestampType};

// 0 baseOffset i64 | 8 batchLength i32 (from 12) | 12 partitionLeaderEpoch i32 | 16 magic i8
// 17 crc u32 (of all from 21) | 21 attributes i16 | 23 lastOffsetDelta i32 | 27 baseTimestamp i64
// 35 maxTimestamp i64 | 43 producerId i64 | 51 producerEpoch i16 | 53 baseSequence i32
// 57 count i32 | 61 records

/// Everything before the records.
pub const HEADER_BYTES: usize = 61;
/// Base offset and length: what comes before the bytes that the length counts.
pub(super) const LENGTH_STARTS: usize = 12;
pub(super) const CRC_STARTS: usize = 21;

pub(super) const CODEC_BITS: i16 = 0x07;
pub(super) const APPEND_TIME_BIT: i16 = 0x08;
pub(super) const TRANSACTIONAL_BIT: i16 = 0x10;
pub(super) const CONTROL_BIT: i16 = 0x20;
/// The base timestamp is the delete horizon (KIP-534).
pub(super) const HORIZON_BIT: i16 = 0x40;

/// Why bytes are not a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// Fewer bytes than the batch says it has; a torn write looks like this.
    Short,
    /// A length that no batch can have.
    Length(i32),
    Magic(i8),
    Crc {
        stored: u32,
        computed: u32,
    },
    /// A codec number without a meaning.
    Codec(i16),
    /// The compressed records do not decompress.
    Compression,
    /// They decompress to more than they may where they are looked at.
    Inflates {
        bytes_max: usize,
    },
    /// A record's fields do not fit the bytes it has.
    Record,
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BatchError::Short => f.write_str("the batch is cut off"),
            BatchError::Length(length) => write!(f, "the batch has the impossible length {length}"),
            BatchError::Magic(magic) => write!(f, "message format {magic} is not supported"),
            BatchError::Crc { stored, computed } => {
                write!(f, "CRC mismatch: {stored:08x} is stored, {computed:08x} computed")
            }
            BatchError::Codec(number) => write!(f, "compression codec {number} does not exist"),
            BatchError::Compression => f.write_str("the compressed records cannot be read"),
            BatchError::Inflates { bytes_max } => {
                write!(f, "the compressed records take more than {bytes_max} bytes")
            }
            BatchError::Record => f.write_str("a record does not fit its batch"),
        }
    }
}

impl std::error::Error for BatchError {}

/// Who wrote a batch, for idempotence (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Producer {
    pub id: ProducerId,
    pub epoch: ProducerEpoch,
    /// The number of the first record. Control batches have -1, which counts nothing.
    pub base_sequence: i32,
}

/// One batch over borrowed bytes. Its length and magic were checked; its CRC is not until asked.
#[derive(Clone, Copy)]
pub struct BatchView<'a> {
    bytes: &'a [u8],
}

impl<'a> BatchView<'a> {
    /// The batch at the front of `bytes`, which may go on after it.
    pub fn parse(bytes: &'a [u8]) -> Result<BatchView<'a>, BatchError> {
        let size = BatchView::size_at(bytes)?;
        let bytes = bytes.get(..size).ok_or(BatchError::Short)?;
        Ok(BatchView { bytes })
    }

    /// Only the header of a batch, whose records need not be there. `bytes()` and `records()` of
    /// it are wrong by nature; `size()` counts the records too.
    pub(crate) fn parse_header(bytes: &'a [u8]) -> Result<BatchHeader<'a>, BatchError> {
        let size = BatchView::size_at(bytes)?;
        let bytes = bytes.get(..HEADER_BYTES).ok_or(BatchError::Short)?;
        Ok(BatchHeader { view: BatchView { bytes }, size })
    }

    /// The size of the batch at the front of `bytes`, of which 17 bytes must be there.
    fn size_at(bytes: &[u8]) -> Result<usize, BatchError> {
        let length: [u8; 4] =
            bytes.get(8..12).and_then(|b| b.try_into().ok()).ok_or(BatchError::Short)?;
        let length = i32::from_be_bytes(length);
        let size = usize::try_from(length).map_err(|_| BatchError::Length(length))? + LENGTH_STARTS;
        let magic = *bytes.get(16).ok_or(BatchError::Short)? as i8;
        if magic != 2 {
            return Err(BatchError::Magic(magic));
        }
        if size < HEADER_BYTES {
            return Err(BatchError::Length(length));
        }
        Ok(size)
    }

    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        self.bytes[at..at + N].try_into().expect("the header is whole")
    }

    /// The batch, no more and no less.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    pub fn base_offset(&self) -> Offset {
        Offset(i64::from_be_bytes(self.array(0)))
    }

    pub(crate) fn last_offset_delta(&self) -> i32 {
        i32::from_be_bytes(self.array(23))
    }

    pub fn last_offset(&self) -> Offset {
        Offset(self.base_offset().get().saturating_add(i64::from(self.last_offset_delta())))
    }

    /// The offset after the last one: the next batch's first.
    pub fn next_offset(&self) -> Offset {
        Offset(self.last_offset().get().saturating_add(1))
    }

    pub fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(i32::from_be_bytes(self.array(12)))
    }

    pub fn crc(&self) -> u32 {
        u32::from_be_bytes(self.array(17))
    }

    pub fn check_crc(&self) -> Result<(), BatchError> {
        let computed = crc32c::crc32c(&self.bytes[CRC_STARTS..]);
        let stored = self.crc();
        if computed == stored { Ok(()) } else { Err(BatchError::Crc { stored, computed }) }
    }

    pub(crate) fn attributes(&self) -> i16 {
        i16::from_be_bytes(self.array(21))
    }

    pub fn codec(&self) -> Result<Codec, BatchError> {
        let number = self.attributes() & CODEC_BITS;
        Codec::from_number(number).ok_or(BatchError::Codec(number))
    }

    pub fn timestamp_type(&self) -> TimestampType {
        match self.attributes() & APPEND_TIME_BIT {
            0 => TimestampType::CreateTime,
            _ => TimestampType::LogAppendTime,
        }
    }

    pub fn is_transactional(&self) -> bool {
        self.attributes() & TRANSACTIONAL_BIT != 0
    }

    /// Control batches carry markers for the log itself; consumers skip them.
    pub fn is_control(&self) -> bool {
        self.attributes() & CONTROL_BIT != 0
    }

    pub fn base_timestamp(&self) -> Timestamp {
        Timestamp(i64::from_be_bytes(self.array(27)))
    }

    pub fn max_timestamp(&self) -> Timestamp {
        Timestamp(i64::from_be_bytes(self.array(35)))
    }

    pub fn producer(&self) -> Option<Producer> {
        let id = i64::from_be_bytes(self.array(43));
        (id >= 0).then(|| Producer {
            id: ProducerId(id),
            epoch: ProducerEpoch(i16::from_be_bytes(self.array(51))),
            base_sequence: i32::from_be_bytes(self.array(53)),
        })
    }

    /// How many records the header says there are.
    pub fn count(&self) -> i32 {
        i32::from_be_bytes(self.array(57))
    }

    /// The bytes of the records, decompressed into `scratch` if need be, to at most `bytes_max`.
    pub(super) fn plain<'s>(
        &self,
        scratch: &'s mut Scratch,
        bytes_max: usize,
    ) -> Result<&'s [u8], BatchError>
    where
        'a: 's,
    {
        let stored = &self.bytes[HEADER_BYTES..];
        match self.codec()? {
            Codec::None => Ok(stored),
            codec => {
                scratch.inflated.clear();
                codec.decompress(stored, &mut scratch.inflated, bytes_max)?;
                Ok(&scratch.inflated)
            }
        }
    }

    /// How many bytes the records take before compression, and here.
    pub fn sizes(
        &self,
        scratch: &mut Scratch,
        bytes_max: usize,
    ) -> Result<(usize, usize), BatchError> {
        Ok((self.plain(scratch, bytes_max)?.len(), self.bytes.len() - HEADER_BYTES))
    }

    /// Whether the records are the same, wherever they lie and whoever wrote them.
    pub fn holds_the_same_as(&self, other: &BatchView<'_>) -> bool {
        let [own, others] = [self, other].map(|batch| {
            let codec = batch.attributes() & CODEC_BITS;
            (codec, batch.base_timestamp(), batch.count(), &batch.bytes[HEADER_BYTES..])
        });
        own == others
    }
}

impl fmt::Debug for BatchView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "batch {}..{}, {} bytes", self.base_offset(), self.next_offset(), self.size())
    }
}

/// A batch's header without its records.
pub(crate) struct BatchHeader<'a> {
    view: BatchView<'a>,
    size: usize,
}

impl<'a> BatchHeader<'a> {
    /// What the header says; its records are not there.
    pub(crate) fn fields(&self) -> &BatchView<'a> {
        &self.view
    }

    /// Header and records.
    pub(crate) fn size(&self) -> usize {
        self.size
    }
}

/// Memory for decompressed records that is used again from batch to batch.
#[derive(Default)]
pub struct Scratch {
    inflated: Vec<u8>,
}

/// The batches that lie one after another in `bytes`; ends with an error at the first that is not
/// one, so what was read so far is good.
pub fn batches(bytes: &[u8]) -> impl Iterator<Item = Result<BatchView<'_>, BatchError>> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let bytes = rest.filter(|bytes| !bytes.is_empty())?;
        let batch = BatchView::parse(bytes);
        rest = batch.as_ref().ok().map(|batch| &bytes[batch.size()..]);
        Some(batch)
    })
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::record::{BatchBuilder, Header, Record};

    const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

    fn sample(codec: Codec) -> Vec<u8> {
        let headers = [
            Header { name: b"h", value: None },
            Header { name: b"h", value: Some(b"") },
            Header { name: b"", value: Some(b"\xff\0") },
        ];
        let long = vec![b'x'; 100_000];
        let mut builder = BatchBuilder::new().codec(codec).base_offset(Offset(7));
        builder.push(Timestamp(1000), &Record { key: None, value: None, headers: &headers });
        builder.push(Timestamp(900), &Record { key: Some(b""), value: Some(b""), headers: &[] });
        builder
            .push(Timestamp(1100), &Record { key: Some(b"k"), value: Some(&long), headers: &[] });
        builder.build()
    }

    #[test]
    fn what_was_built_is_read_back_with_every_codec() {
        for codec in CODECS {
            let bytes = sample(codec);
            let batch = BatchView::parse(&bytes).unwrap();
            batch.check_crc().unwrap();
            assert_eq!((batch.base_offset(), batch.last_offset()), (Offset(7), Offset(9)));
            assert_eq!((batch.count(), batch.codec()), (3, Ok(codec)));
            assert_eq!(batch.max_timestamp(), Timestamp(1100));
            let mut scratch = Scratch::default();
            let mut records = batch.records(&mut scratch, 1 << 20).unwrap();
            let first = records.next().unwrap().unwrap();
            assert_eq!((first.offset, first.timestamp), (Offset(7), Timestamp(1000)));
            assert_eq!((first.key, first.value), (None, None));
            let mut headers = Vec::new();
            let headers = first.record(&mut headers).headers;
            assert_eq!(headers.len(), 3);
            assert_eq!(headers[1].value, Some(&b""[..]));
            assert_eq!(headers[2].value, Some(&b"\xff\0"[..]));
            let second = records.next().unwrap().unwrap();
            assert_eq!((second.timestamp, second.key), (Timestamp(900), Some(&b""[..])));
            assert_eq!(second.headers.count(), 0);
            let third = records.next().unwrap().unwrap();
            assert_eq!(third.value.unwrap().len(), 100_000);
            assert!(records.next().is_none());
        }
    }

    #[test]
    fn every_truncation_is_an_error() {
        let bytes = sample(Codec::Snappy);
        for cut in 0..bytes.len() {
            assert_eq!(BatchView::parse(&bytes[..cut]).unwrap_err(), BatchError::Short);
        }
        // The same with a length that fits: the records themselves are cut.
        for codec in CODECS {
            let whole = sample(codec);
            // The last bytes of a frame are its end mark or checksum, which readers may forgo.
            for cut in (HEADER_BYTES..whole.len() - 8).rev().step_by(101) {
                let mut bytes = whole[..cut].to_vec();
                let length = (cut - LENGTH_STARTS) as i32;
                bytes[8..12].copy_from_slice(&length.to_be_bytes());
                let batch = BatchView::parse(&bytes).unwrap();
                let mut scratch = Scratch::default();
                let all = match batch.records(&mut scratch, 1 << 20) {
                    Ok(mut records) => records.all(|record| record.is_ok()),
                    Err(_) => false,
                };
                let skimmed = batch.skim(1 << 20, |_| ControlFlow::Continue(()));
                assert!(!all && skimmed.is_err(), "{codec:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn decompression_stops_at_its_limit() {
        for codec in CODECS.into_iter().skip(1) {
            let bytes = sample(codec);
            let batch = BatchView::parse(&bytes).unwrap();
            let mut scratch = Scratch::default();
            let error = batch.records(&mut scratch, 50_000).err();
            let inflates = BatchError::Inflates { bytes_max: 50_000 };
            assert_eq!(error, Some(inflates), "{codec:?}");
            let skimmed = batch.skim(50_000, |_| ControlFlow::Continue(()));
            assert_eq!(skimmed, Err(inflates), "{codec:?}");
            assert!(scratch.inflated.capacity() <= 200_000, "{codec:?}");
        }
    }

    #[test]
    fn batches_end_at_the_first_that_is_none() {
        let mut bytes = [sample(Codec::None), sample(Codec::Gzip)].concat();
        assert_eq!(batches(&bytes).filter(Result::is_ok).count(), 2);
        bytes.extend_from_slice(&[0; 30]);
        let all: Vec<_> = batches(&bytes).collect();
        assert_eq!(all.len(), 3);
        assert!(all[2].is_err());
    }

    #[test]
    fn impossible_lengths_and_formats_are_named() {
        let mut bytes = sample(Codec::None);
        bytes[8..12].copy_from_slice(&(-5i32).to_be_bytes());
        assert_eq!(BatchView::parse(&bytes).unwrap_err(), BatchError::Length(-5));
        bytes[8..12].copy_from_slice(&48i32.to_be_bytes());
        assert_eq!(BatchView::parse(&bytes).unwrap_err(), BatchError::Length(48));
        bytes[16] = 1;
        assert_eq!(BatchView::parse(&bytes).unwrap_err(), BatchError::Magic(1));
    }
}
