//! Builds one record batch, or makes a batch of a log one that a producer sends.

use super::batch::{
    CONTROL_BIT, CRC_STARTS, HEADER_BYTES, LENGTH_STARTS, Producer, TRANSACTIONAL_BIT,
};
use super::{Codec, Offset, Record, Timestamp, varint};

/// Records on their way into one batch. Offsets count on from the base offset.
pub struct BatchBuilder {
    base_offset: Offset,
    codec: Codec,
    producer: Option<Producer>,
    flags: i16,
    base_timestamp: Option<Timestamp>,
    max_timestamp: Timestamp,
    count: i32,
    records: Vec<u8>,
}

impl BatchBuilder {
    /// An empty batch: not compressed, of no producer, at offset 0 (the log stamps the real one).
    pub fn new() -> BatchBuilder {
        BatchBuilder {
            base_offset: Offset::ZERO,
            codec: Codec::None,
            producer: None,
            flags: 0,
            base_timestamp: None,
            max_timestamp: Timestamp(-1),
            count: 0,
            records: Vec::new(),
        }
    }

    pub fn codec(mut self, codec: Codec) -> BatchBuilder {
        self.codec = codec;
        self
    }

    pub fn producer(mut self, producer: Producer) -> BatchBuilder {
        self.producer = Some(producer);
        self
    }

    /// The records are markers for the log itself.
    pub fn control(mut self) -> BatchBuilder {
        self.flags |= CONTROL_BIT;
        self
    }

    pub fn transactional(mut self) -> BatchBuilder {
        self.flags |= TRANSACTIONAL_BIT;
        self
    }

    #[cfg(test)]
    pub fn base_offset(mut self, base_offset: Offset) -> BatchBuilder {
        self.base_offset = base_offset;
        self
    }

    /// Adds one record behind those before it.
    pub fn push(&mut self, timestamp: Timestamp, record: &Record<'_>) {
        let base = *self.base_timestamp.get_or_insert(timestamp);
        let timestamp_delta = timestamp.get().wrapping_sub(base.get());
        let offset_delta = i64::from(self.count);
        let length = 1
            + varint::size(timestamp_delta)
            + varint::size(offset_delta)
            + sized(record.key)
            + sized(record.value)
            + varint::size(record.headers.len() as i64)
            + record.headers.iter().map(|h| sized(Some(h.name)) + sized(h.value)).sum::<usize>();
        let out = &mut self.records;
        varint::put(out, length as i64);
        out.push(0);
        varint::put(out, timestamp_delta);
        varint::put(out, offset_delta);
        put_bytes(out, record.key);
        put_bytes(out, record.value);
        varint::put(out, record.headers.len() as i64);
        for header in record.headers {
            put_bytes(out, Some(header.name));
            put_bytes(out, header.value);
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.count += 1;
    }

    /// How many records there are so far, and their bytes before they are compressed.
    pub fn filled(&self) -> (i32, usize) {
        (self.count, self.records.len())
    }

    /// The batch's bytes. It must not be empty: no batch is.
    pub fn build(self) -> Vec<u8> {
        assert!(self.count > 0, "a batch has records");
        let packed = match self.codec {
            Codec::None => None,
            codec => Some(codec.compress(&self.records)),
        };
        let records = packed.as_deref().unwrap_or(&self.records);
        let size = HEADER_BYTES + records.len();
        let producer = self.producer.map(|p| (p.id.get(), p.epoch.get(), p.base_sequence));
        let (id, epoch, base_sequence) = producer.unwrap_or((-1, -1, -1));
        let mut out = Vec::with_capacity(size);
        out.extend_from_slice(&self.base_offset.get().to_be_bytes());
        out.extend_from_slice(&((size - LENGTH_STARTS) as i32).to_be_bytes());
        out.extend_from_slice(&(-1i32).to_be_bytes());
        out.push(2);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&(self.flags | self.codec.number()).to_be_bytes());
        out.extend_from_slice(&(self.count - 1).to_be_bytes());
        let base_timestamp = self.base_timestamp.unwrap_or(Timestamp(-1));
        out.extend_from_slice(&base_timestamp.get().to_be_bytes());
        out.extend_from_slice(&self.max_timestamp.get().to_be_bytes());
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(&epoch.to_be_bytes());
        out.extend_from_slice(&base_sequence.to_be_bytes());
        out.extend_from_slice(&self.count.to_be_bytes());
        assert_eq!(out.len(), HEADER_BYTES);
        out.extend_from_slice(records);
        sum(&mut out);
        out
    }
}

/// Makes this batch, which may have lain in a log, one that this producer sends outside of any
/// transaction. Its records are as they were.
pub fn send_again(batch: &mut [u8], producer: Producer) {
    let flags = i16::from_be_bytes([batch[21], batch[22]]) & !TRANSACTIONAL_BIT;
    batch[..8].fill(0);
    batch[12..16].copy_from_slice(&(-1i32).to_be_bytes());
    batch[21..23].copy_from_slice(&flags.to_be_bytes());
    batch[43..51].copy_from_slice(&producer.id.get().to_be_bytes());
    batch[51..53].copy_from_slice(&producer.epoch.get().to_be_bytes());
    batch[53..57].copy_from_slice(&producer.base_sequence.to_be_bytes());
    sum(batch);
}

fn sum(batch: &mut [u8]) {
    let crc = crc32c::crc32c(&batch[CRC_STARTS..]);
    batch[17..CRC_STARTS].copy_from_slice(&crc.to_be_bytes());
}

fn sized(bytes: Option<&[u8]>) -> usize {
    let length = bytes.map_or(0, <[u8]>::len);
    length + varint::size(bytes.map_or(-1, |bytes| bytes.len() as i64))
}

fn put_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    varint::put(out, bytes.map_or(-1, |bytes| bytes.len() as i64));
    out.extend_from_slice(bytes.unwrap_or_default());
}
