//! The records of a batch against what the batch says of them.

use std::ops::ControlFlow;

use crate::record::{BatchView, Glimpse, Timestamp, TimestampType};

/// Reads every record of a batch; the largest timestamp among them.
pub(super) fn read_records(batch: &BatchView<'_>, compacted: bool) -> Result<Timestamp, String> {
    let (mut largest, mut next) = (Timestamp(-1), batch.base_offset());
    let mut misplaced = None;
    let skimmed = batch.skim(usize::MAX, |Glimpse { offset, timestamp, .. }| {
        let fits = match compacted {
            true => next <= offset && offset <= batch.last_offset(),
            false => next == offset,
        };
        if !fits {
            misplaced = Some(offset);
            return ControlFlow::Break(());
        }
        next = offset.plus(1);
        largest = largest.max(timestamp);
        ControlFlow::Continue(())
    });
    skimmed.map_err(|error| error.to_string())?;
    if let Some(offset) = misplaced {
        return Err(format!("a record has offset {offset}, where {next} was due"));
    }
    let whole = compacted || next == batch.next_offset() || batch.count() == 0;
    match whole {
        true if batch.timestamp_type() == TimestampType::CreateTime => Ok(largest),
        true => Ok(batch.max_timestamp()),
        false => {
            Err(format!("its records end at {next}, and the batch at {}", batch.next_offset()))
        }
    }
}
