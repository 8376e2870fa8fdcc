//! One record batch (magic 2, KIP-98) over borrowed bytes: read where it lies, never copied.

use std::fmt;

use super::codec::Codec;
use super::varint;
use super::{
    Header, LeaderEpoch, Offset, ProducerEpoch, ProducerId, Record, Timestamp, TimestampType,
};

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
    /// The compressed records do not decompress, or to more than the limit.
    Compression,
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

    /// The records, decompressed into `scratch` if need be, to at most `bytes_max`.
    pub fn records<'s>(
        &self,
        scratch: &'s mut Scratch,
        bytes_max: usize,
    ) -> Result<Records<'s>, BatchError>
    where
        'a: 's,
    {
        let rest = self.plain(scratch, bytes_max)?;
        let append_time = match self.timestamp_type() {
            TimestampType::CreateTime => None,
            TimestampType::LogAppendTime => Some(self.max_timestamp()),
        };
        Ok(Records {
            rest,
            left: self.count().max(0),
            base_offset: self.base_offset(),
            base_timestamp: self.base_timestamp(),
            append_time,
            headers: Vec::new(),
        })
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

/// One record with its place and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    pub offset: Offset,
    pub timestamp: Timestamp,
    pub record: Record<'a>,
}

/// The records of one batch, in order. Not an `Iterator`: a record's headers borrow from it.
pub struct Records<'s> {
    rest: &'s [u8],
    left: i32,
    base_offset: Offset,
    base_timestamp: Timestamp,
    append_time: Option<Timestamp>,
    headers: Vec<Header<'s>>,
}

impl<'s> Records<'s> {
    /// The next record. After an error there are no more.
    #[allow(clippy::should_implement_trait)] // An Iterator cannot lend from itself.
    pub fn next(&mut self) -> Option<Result<Entry<'_>, BatchError>> {
        if self.left == 0 {
            // DefaultRecordBatch.java refuses what lies behind the last record as well.
            let left_over = !std::mem::take(&mut self.rest).is_empty();
            return left_over.then_some(Err(BatchError::Record));
        }
        self.left -= 1;
        let entry = self.take().ok_or(BatchError::Record);
        if entry.is_err() {
            self.left = 0;
            self.rest = &[];
        }
        Some(entry.map(|(offset, timestamp, key, value)| {
            let record = Record { key, value, headers: &self.headers };
            Entry { offset, timestamp, record }
        }))
    }

    /// Length varint, attributes i8, timestamp delta varlong, offset delta varint, key, value,
    /// count of headers varint, headers; lengths of -1 are null.
    fn take(&mut self) -> Option<Fields<'s>> {
        let length = usize::try_from(varint::take(&mut self.rest)?).ok()?;
        let (mut body, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        let body = &mut body;
        let _attributes = body.split_off_first()?;
        let timestamp_delta = varint::take_long(body)?;
        let offset_delta = varint::take(body)?;
        let key = take_bytes(body)?;
        let value = take_bytes(body)?;
        let count = usize::try_from(varint::take(body)?).ok()?;
        self.headers.clear();
        for _ in 0..count {
            let name = take_bytes(body)??;
            let value = take_bytes(body)?;
            self.headers.push(Header { name, value });
        }
        let offset = self.base_offset.get().checked_add(i64::from(offset_delta))?;
        let created = Timestamp(self.base_timestamp.get().wrapping_add(timestamp_delta));
        let timestamp = self.append_time.unwrap_or(created);
        body.is_empty().then_some((Offset(offset), timestamp, key, value))
    }
}

/// A record without its headers: offset, timestamp, key, value.
type Fields<'s> = (Offset, Timestamp, Option<&'s [u8]>, Option<&'s [u8]>);

/// Bytes behind their length. The outer `None`: they are not there; the inner: null.
fn take_bytes<'s>(from: &mut &'s [u8]) -> Option<Option<&'s [u8]>> {
    let length = varint::take(from)?;
    if length == -1 {
        return Some(None);
    }
    let (bytes, rest) = from.split_at_checked(usize::try_from(length).ok()?)?;
    *from = rest;
    Some(Some(bytes))
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
    use super::*;
    use crate::record::BatchBuilder;

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
            assert_eq!((first.record.key, first.record.value), (None, None));
            assert_eq!(first.record.headers.len(), 3);
            assert_eq!(first.record.headers[1].value, Some(&b""[..]));
            assert_eq!(first.record.headers[2].value, Some(&b"\xff\0"[..]));
            let second = records.next().unwrap().unwrap();
            assert_eq!((second.timestamp, second.record.key), (Timestamp(900), Some(&b""[..])));
            assert_eq!(second.record.headers, []);
            let third = records.next().unwrap().unwrap();
            assert_eq!(third.record.value.unwrap().len(), 100_000);
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
                    Ok(mut records) => {
                        std::iter::from_fn(|| Some(records.next()?.is_ok())).all(|ok| ok)
                    }
                    Err(_) => false,
                };
                assert!(!all, "{codec:?} cut at {cut}");
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
            assert_eq!(error, Some(BatchError::Compression), "{codec:?}");
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
