//! What goes into the batches that a workload makes itself.

use crate::bench::plan::{Batch, Compression};
use crate::record::Codec;

/// What goes around a key and a value in a batch, at most: lengths, deltas and a byte of flags.
const AROUND_BYTES_MAX: usize = 32;

/// Whether a batch takes one record more; an empty one takes any.
pub fn has_room(batch: Batch, (records, filled): (i32, usize), size: usize) -> bool {
    records == 0
        || match batch {
            Batch::Bytes(max) => filled + size + AROUND_BYTES_MAX <= max,
            Batch::Records(max) => records.unsigned_abs() < max,
        }
}

pub fn codec(compression: Compression) -> Codec {
    match compression {
        Compression::None => Codec::None,
        Compression::Gzip => Codec::Gzip,
        Compression::Snappy => Codec::Snappy,
        Compression::Lz4 => Codec::Lz4,
        Compression::Zstd => Codec::Zstd,
    }
}
