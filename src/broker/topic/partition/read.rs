//! What readers get of a partition.
//! Never knows: who reads.

use std::io;

use super::{Partition, Unusable};
use crate::broker::topic::Slice;
use crate::log::{Aborted, Log, Part, ReadError, RealDisk, RealFile};
use crate::record::Offset;

/// Where a log begins and ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    pub start: Offset,
    pub end: Offset,
    /// Before the first undecided transaction.
    pub stable_end: Offset,
}

impl Extent {
    pub fn of(log: &Log<RealDisk>) -> Extent {
        let stable_end = log.stable_end();
        Extent { start: log.start(), end: log.end(), stable_end }
    }
}

/// Whether records of transactions that are not decided are read too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    OfAll,
    OfCommitted,
}

/// What a read found.
pub struct Read {
    pub extent: Extent,
    pub batches: Result<Option<Batches>, ReadError>,
}

pub struct Batches {
    pub slice: Slice,
    /// Transactions whose records in the slice count for nothing.
    pub aborted: Vec<Aborted>,
}

impl Partition {
    /// What lies in the log from `from` on, to be read without its lock. It is not opened for it.
    pub fn part(&self, from: Offset) -> Result<Option<Part<RealFile>>, ReadError> {
        let closed = || io::Error::other("its log was closed");
        let closed = || Err(ReadError::Disk { path: self.dir(), error: closed() });
        self.if_open(|log| log.part(from)).unwrap_or_else(closed)
    }

    /// Batches from `from` on, and where the log lies.
    pub fn read(&self, from: Offset, bytes_max: u32, to: Reader) -> Result<Read, Unusable> {
        self.with(|log| {
            let extent = Extent::of(log);
            let end = match to {
                Reader::OfAll => extent.end,
                Reader::OfCommitted => extent.stable_end,
            };
            let batches = match extent.start <= from && from <= extent.end {
                true => read(log, from, end.max(from), bytes_max, to),
                false => {
                    let (log_start, log_end) = (extent.start, extent.end);
                    Err(ReadError::OutOfRange { log_start, log_end })
                }
            };
            Read { extent, batches }
        })
    }
}

fn read(
    log: &mut Log<RealDisk>,
    from: Offset,
    end: Offset,
    bytes_max: u32,
    to: Reader,
) -> Result<Option<Batches>, ReadError> {
    let Some(slice) = log.read(from, end, bytes_max)? else { return Ok(None) };
    let aborted = match to {
        Reader::OfAll => Vec::new(),
        Reader::OfCommitted => log.aborted(from, end)?,
    };
    Ok(Some(Batches { slice, aborted }))
}
