//! One batch to be sent again and again, each time as its producer's next.

use bytes::Bytes;

use super::batch::{CRC_STARTS, HEADER_BYTES, Producer};

/// A batch whose records stay and whose header tells who sends it, and as what. Its checksum is
/// that of the header carried on over the records, which is linear: nothing of the records is
/// looked at again.
pub struct Stencil {
    header: [u8; HEADER_BYTES],
    records: Bytes,
    records_crc: u32,
    /// What each bit of a checksum becomes behind as many bytes as the records have.
    carried: [u32; 32],
}

impl Stencil {
    pub fn new(batch: Vec<u8>) -> Stencil {
        let batch = Bytes::from(batch);
        let header = *batch.first_chunk().expect("a batch has a header");
        let records = batch.slice(HEADER_BYTES..);
        let (records_crc, len) = (crc32c::crc32c(&records), records.len());
        let carried = std::array::from_fn(|bit| crc32c::crc32c_combine(1 << bit, 0, len));
        Stencil { header, records, records_crc, carried }
    }

    pub fn records(&self) -> &Bytes {
        &self.records
    }

    pub fn count(&self) -> i32 {
        i32::from_be_bytes(*self.header[57..].first_chunk().expect("a header is whole"))
    }

    /// Of header and records.
    pub fn size(&self) -> usize {
        HEADER_BYTES + self.records.len()
    }

    /// What goes before the records when this producer sends them.
    pub fn header(&self, producer: Producer) -> [u8; HEADER_BYTES] {
        let mut header = self.header;
        header[43..51].copy_from_slice(&producer.id.get().to_be_bytes());
        header[51..53].copy_from_slice(&producer.epoch.get().to_be_bytes());
        header[53..57].copy_from_slice(&producer.base_sequence.to_be_bytes());
        let crc = self.carry(crc32c::crc32c(&header[CRC_STARTS..])) ^ self.records_crc;
        header[17..CRC_STARTS].copy_from_slice(&crc.to_be_bytes());
        header
    }

    fn carry(&self, crc: u32) -> u32 {
        let bits = self.carried.iter().enumerate();
        bits.filter(|(bit, _)| crc >> bit & 1 == 1).fold(0, |sum, (_, carried)| sum ^ carried)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BatchBuilder, ProducerEpoch, ProducerId, Record, Timestamp};

    #[test]
    fn what_is_sent_is_the_batch_that_its_producer_would_build() {
        for records in [1, 2, 999] {
            let value = vec![b'v'; 100];
            let build = |producer: Option<Producer>| {
                let mut batch = BatchBuilder::new();
                if let Some(producer) = producer {
                    batch = batch.producer(producer);
                }
                let record = Record { key: None, value: Some(&value), headers: &[] };
                (0..records).for_each(|n| batch.push(Timestamp(1000 + n), &record));
                batch.build()
            };
            let stencil = Stencil::new(build(None));
            assert_eq!(i64::from(stencil.count()), records);
            for base_sequence in [0, 1, i32::MAX] {
                let (id, epoch) = (ProducerId(i64::MAX - 7), ProducerEpoch(3));
                let producer = Producer { id, epoch, base_sequence };
                let sent = [&stencil.header(producer)[..], stencil.records()].concat();
                assert_eq!(sent, build(Some(producer)));
                assert_eq!(sent.len(), stencil.size());
            }
        }
    }
}
