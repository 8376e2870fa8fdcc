//! The batch that every request carries: made once, and told apart by who sends it and as what.
//! Never knows: connections.

use crate::bench::measure::Batches;
use crate::bench::payload::{Mark, Payloads};
use crate::bench::plan::{Batch, Plan};
use crate::bench::workload::batch::{codec, has_room};
use crate::record::{BatchBuilder, HEADER_BYTES, Record, Stencil, Timestamp};

pub struct Cargo {
    pub stencil: Stencil,
    /// In one batch.
    pub records: u64,
    /// Of their keys and values, before compression.
    pub bytes: u64,
    /// The whole batch, before compression.
    plain_bytes: usize,
}

impl Cargo {
    pub fn load(plan: &Plan, batch: Batch, payloads: &Payloads, now: Timestamp) -> Cargo {
        let whole = plan.measured.records.unwrap_or(u64::MAX);
        let mut builder = BatchBuilder::new().codec(codec(plan.load.compression));
        let (mut bytes, mut value) = (0, Vec::new());
        for sequence in 0..whole {
            let mark = Mark { producer: 0, sequence };
            value.clear();
            payloads.write_value(mark, &mut value);
            let key = payloads.key(mark);
            let size = key.map_or(0, <[u8]>::len) + value.len();
            if !has_room(batch, builder.filled(), size) {
                break;
            }
            builder.push(now, &Record { key, value: Some(&value), headers: &[] });
            bytes += size as u64;
        }
        let (records, filled) = builder.filled();
        Cargo {
            stencil: Stencil::new(builder.build()),
            records: u64::from(records.unsigned_abs()),
            bytes,
            plain_bytes: HEADER_BYTES + filled,
        }
    }

    pub fn batches(&self) -> Batches {
        let bytes = self.stencil.size() as f64;
        let compression = self.plain_bytes as f64 / bytes;
        Batches { records: self.records as f64, bytes, compression }
    }
}
