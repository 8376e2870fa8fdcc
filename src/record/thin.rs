//! A batch without some of its records, as compaction leaves it: its offsets, its producer and its
//! sequence stay what they were, even where no record is left.

use super::batch::{
    APPEND_TIME_BIT, CODEC_BITS, CONTROL_BIT, CRC_STARTS, HEADER_BYTES, HORIZON_BIT, LENGTH_STARTS,
    TRANSACTIONAL_BIT,
};
use super::{BatchError, BatchView, Codec, Offset, Scratch, Timestamp, TimestampType, varint};

/// What compaction looks at in a record, and the record's bytes.
#[derive(Clone, Copy, Debug)]
pub struct Sketch<'a> {
    pub offset: Offset,
    pub key: Option<&'a [u8]>,
    /// A record without one says that its key is gone.
    pub has_value: bool,
    /// As the producer wrote it, whatever the batch's timestamp type.
    created: Timestamp,
    /// The record from its length on.
    whole: &'a [u8],
    /// What follows the timestamp.
    rest: &'a [u8],
}

/// The records of a batch, in order. After an error there are no more.
#[derive(Clone)]
pub struct Sketches<'s> {
    bytes: &'s [u8],
    left: i32,
    base_offset: Offset,
    base_timestamp: Timestamp,
}

impl<'a> BatchView<'a> {
    /// The records as compaction sees them, decompressed into `scratch` if need be, to at most
    /// `bytes_max`.
    pub fn sketches<'s>(
        &self,
        scratch: &'s mut Scratch,
        bytes_max: usize,
    ) -> Result<Sketches<'s>, BatchError>
    where
        'a: 's,
    {
        Ok(Sketches {
            bytes: self.plain(scratch, bytes_max)?,
            left: self.count().max(0),
            base_offset: self.base_offset(),
            base_timestamp: self.base_timestamp(),
        })
    }

    /// When the tombstones in the batch may go, or the transaction marker that it is (KIP-534).
    pub fn delete_horizon(&self) -> Option<Timestamp> {
        (self.attributes() & HORIZON_BIT != 0).then(|| self.base_timestamp())
    }
}

impl<'s> Sketches<'s> {
    fn take(&mut self) -> Option<Sketch<'s>> {
        let all = self.bytes;
        let length = usize::try_from(varint::take(&mut self.bytes)?).ok()?;
        let (mut body, after) = self.bytes.split_at_checked(length)?;
        self.bytes = after;
        let whole = &all[..all.len() - after.len()];
        let _attributes = body.split_off_first()?;
        let delta = varint::take_long(&mut body)?;
        let rest = body;
        let offset = self.base_offset.get().checked_add(varint::take(&mut body)?.into())?;
        let key = match varint::take(&mut body)? {
            -1 => None,
            length => {
                let (key, after) = body.split_at_checked(usize::try_from(length).ok()?)?;
                body = after;
                Some(key)
            }
        };
        let value_bytes = varint::take(&mut body)?;
        let fits = value_bytes < 0 || value_bytes as usize <= body.len();
        fits.then_some(Sketch {
            offset: Offset(offset),
            key,
            has_value: 0 <= value_bytes,
            created: Timestamp(self.base_timestamp.get().wrapping_add(delta)),
            whole,
            rest,
        })
    }
}

impl<'s> Iterator for Sketches<'s> {
    type Item = Result<Sketch<'s>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            let left_over = !std::mem::take(&mut self.bytes).is_empty();
            return left_over.then_some(Err(BatchError::Record));
        }
        self.left -= 1;
        let sketch = self.take().ok_or(BatchError::Record);
        if sketch.is_err() {
            (self.left, self.bytes) = (0, &[]);
        }
        Some(sketch)
    }
}

/// Appends `batch` to `out` with only the records `kept`, at least one. A `horizon` is when the
/// tombstones among them may go: from now on the batch carries it, as its base timestamp
/// (MemoryRecordsBuilder.java).
pub fn thin<'a>(
    batch: &BatchView<'_>,
    kept: impl Iterator<Item = Sketch<'a>>,
    horizon: Option<Timestamp>,
    out: &mut Vec<u8>,
) {
    let codec = batch.codec().expect("its records were read");
    let start = begin(batch, out);
    let mut plain = Vec::new();
    let records = if codec == Codec::None { &mut *out } else { &mut plain };
    let (mut count, mut newest) = (0i32, None);
    for record in kept {
        match horizon {
            None => records.extend_from_slice(record.whole),
            Some(horizon) => put_rebased(&record, horizon, records),
        }
        count += 1;
        newest = newest.max(Some(record.created));
    }
    if codec != Codec::None {
        out.extend_from_slice(&codec.compress(&plain));
    }
    let max = match batch.timestamp_type() {
        TimestampType::LogAppendTime => batch.max_timestamp(),
        TimestampType::CreateTime => newest.expect("an empty batch is an emptied one"),
    };
    let header = &mut out[start..];
    if let Some(horizon) = horizon {
        put(header, 21, &(batch.attributes() | HORIZON_BIT).to_be_bytes());
        put(header, 27, &horizon.get().to_be_bytes());
    }
    put(header, 35, &max.get().to_be_bytes());
    put(header, 57, &count.to_be_bytes());
    seal(header);
}

/// Appends `batch` to `out` without any record: it still says which offsets there were, and what
/// its producer wrote last (DefaultRecordBatch.writeEmptyHeader).
pub fn emptied(batch: &BatchView<'_>, out: &mut Vec<u8>) {
    let start = begin(batch, out);
    let header = &mut out[start..];
    let kept = APPEND_TIME_BIT | TRANSACTIONAL_BIT | CONTROL_BIT;
    put(header, 21, &(batch.attributes() & kept & !CODEC_BITS).to_be_bytes());
    put(header, 27, &(-1i64).to_be_bytes());
    put(header, 57, &0i32.to_be_bytes());
    seal(header);
}

/// Appends the header as it is; returns where it begins.
fn begin(batch: &BatchView<'_>, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&batch.bytes()[..HEADER_BYTES]);
    start
}

fn put_rebased(record: &Sketch<'_>, base: Timestamp, out: &mut Vec<u8>) {
    let delta = record.created.get().wrapping_sub(base.get());
    varint::put(out, (1 + varint::size(delta) + record.rest.len()) as i64);
    // Attributes: no bit of them has a meaning.
    out.push(0);
    varint::put(out, delta);
    out.extend_from_slice(record.rest);
}

fn put(header: &mut [u8], at: usize, bytes: &[u8]) {
    header[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Length and checksum of a batch that is otherwise done.
fn seal(batch: &mut [u8]) {
    let length = i32::try_from(batch.len() - LENGTH_STARTS).expect("no batch is that large");
    put(batch, 8, &length.to_be_bytes());
    let crc = crc32c::crc32c(&batch[CRC_STARTS..]);
    put(batch, 17, &crc.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BatchBuilder, Header, Producer, ProducerEpoch, ProducerId, Record};

    const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

    fn sample(codec: Codec) -> Vec<u8> {
        let producer = Producer { id: ProducerId(4), epoch: ProducerEpoch(1), base_sequence: 70 };
        let mut builder =
            BatchBuilder::new().codec(codec).producer(producer).base_offset(Offset(9));
        let headers = [Header { name: b"h", value: Some(b"x") }];
        for (n, key) in ["a", "b", "c", "d"].into_iter().enumerate() {
            let value = (key != "b").then_some(&b"value"[..]);
            let record = Record { key: Some(key.as_bytes()), value, headers: &headers };
            builder.push(Timestamp(1000 - 10 * n as i64), &record);
        }
        builder.build()
    }

    fn shown(bytes: &[u8]) -> Vec<String> {
        let batch = BatchView::parse(bytes).unwrap();
        batch.check_crc().unwrap();
        let mut scratch = Scratch::default();
        let records = batch.records(&mut scratch, 1 << 20).unwrap();
        let mut all = Vec::new();
        for entry in records {
            let entry = entry.unwrap();
            let key = str::from_utf8(entry.key.unwrap()).unwrap();
            let value = entry.value.map_or("-", |value| str::from_utf8(value).unwrap());
            let (offset, time) = (entry.offset, entry.timestamp);
            all.push(format!("{offset} {time} {key} {value} {}", entry.headers.count()));
        }
        all
    }

    fn thinned(bytes: &[u8], keys: &str, horizon: Option<Timestamp>) -> Vec<u8> {
        let batch = BatchView::parse(bytes).unwrap();
        let mut scratch = Scratch::default();
        let all = batch.sketches(&mut scratch, 1 << 20).unwrap().map(Result::unwrap);
        let kept = all.filter(|r| keys.as_bytes().contains(&r.key.unwrap()[0]));
        let mut out = b"before".to_vec();
        thin(&batch, kept, horizon, &mut out);
        out.split_off(6)
    }

    #[test]
    fn what_is_kept_keeps_its_place_and_time_with_every_codec() {
        for codec in CODECS {
            let bytes = sample(codec);
            let whole = BatchView::parse(&bytes).unwrap();
            for horizon in [None, Some(Timestamp(5_000_000_000))] {
                let out = thinned(&bytes, "bd", horizon);
                assert_eq!(shown(&out), ["10 990 b - 1", "12 970 d value 1"]);
                let batch = BatchView::parse(&out).unwrap();
                assert_eq!(batch.producer(), whole.producer());
                assert_eq!((batch.base_offset(), batch.last_offset()), (Offset(9), Offset(12)));
                assert_eq!((batch.max_timestamp(), batch.count()), (Timestamp(990), 2));
                assert_eq!((batch.delete_horizon(), batch.codec()), (horizon, Ok(codec)));
                // What is thinned again keeps the horizon, and times that count from it.
                let again = thinned(&out, "d", None);
                assert_eq!(shown(&again), ["12 970 d value 1"]);
                assert_eq!(BatchView::parse(&again).unwrap().delete_horizon(), horizon);
            }
        }
    }

    #[test]
    fn an_emptied_batch_still_says_what_was_there() {
        for codec in CODECS {
            let bytes = sample(codec);
            let whole = BatchView::parse(&bytes).unwrap();
            let mut out = Vec::new();
            emptied(&whole, &mut out);
            let batch = BatchView::parse(&out).unwrap();
            batch.check_crc().unwrap();
            assert_eq!((out.len(), batch.count(), batch.codec()), (61, 0, Ok(Codec::None)));
            assert_eq!(batch.producer(), whole.producer());
            assert_eq!((batch.base_offset(), batch.last_offset()), (Offset(9), Offset(12)));
            assert_eq!(batch.max_timestamp(), whole.max_timestamp());
            assert_eq!(shown(&out), Vec::<String>::new());
        }
    }

    #[test]
    fn records_that_do_not_fit_are_errors() {
        let bytes = sample(Codec::None);
        for cut in 1..bytes.len() - HEADER_BYTES {
            let mut short = bytes[..bytes.len() - cut].to_vec();
            seal(&mut short);
            let batch = BatchView::parse(&short).unwrap();
            let mut scratch = Scratch::default();
            let mut all = batch.sketches(&mut scratch, 1 << 20).unwrap();
            assert!(all.any(|record| record.is_err()), "cut by {cut}");
            assert!(all.next().is_none());
        }
    }
}
