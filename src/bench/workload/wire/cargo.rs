//! The batch that every request carries: made once, and told apart by who sends it and as what.
//! Never knows: connections.

use crate::bench::measure::Batches;
use crate::bench::payload::{Mark, Payloads};
use crate::bench::plan::{Batch, Compression, Plan};
use crate::record::{BatchBuilder, Codec, HEADER_BYTES, Record, Stencil, Timestamp};

/// What goes around a key and a value in a batch, at most: lengths, deltas and a byte of flags.
const AROUND_BYTES_MAX: usize = 32;

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

/// Whether a batch takes one record more; an empty one takes any.
fn has_room(batch: Batch, (records, filled): (i32, usize), size: usize) -> bool {
    records == 0
        || match batch {
            Batch::Bytes(max) => filled + size + AROUND_BYTES_MAX <= max,
            Batch::Records(max) => records.unsigned_abs() < max,
        }
}

fn codec(compression: Compression) -> Codec {
    match compression {
        Compression::None => Codec::None,
        Compression::Gzip => Codec::Gzip,
        Compression::Snappy => Codec::Snappy,
        Compression::Lz4 => Codec::Lz4,
        Compression::Zstd => Codec::Zstd,
    }
}
