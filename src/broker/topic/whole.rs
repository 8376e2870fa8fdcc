//! Reading a log from end to end, for what its records add up to.
//! Never knows: what they say.

use super::partition::{Partition, Reader};
use crate::record::{BatchError, BatchView, batches};

/// What is read of the log at once.
const READ_BYTES: u32 = 4 << 20;

impl Partition {
    /// Shows every batch to `apply`, in order; none where there is no log on disk.
    pub fn each_batch(
        &self,
        mut apply: impl FnMut(&BatchView<'_>) -> Result<(), BatchError>,
    ) -> Result<(), String> {
        self.wake_if_on_disk().map_err(|_| "its log cannot be opened")?;
        let span = self.if_open(|log| (log.start(), log.end()));
        let Some((mut from, end)) = span else {
            // One that was taken away is not empty.
            return if self.is_gone() { Err("its log was closed".to_owned()) } else { Ok(()) };
        };
        while from < end {
            let read = self.read(from, READ_BYTES, Reader::OfAll);
            let read = read.map_err(|_| "its log was closed")?;
            let Some(found) = read.batches.map_err(|error| error.to_string())? else { break };
            let bytes = found.slice.load().map_err(|error| error.to_string())?;
            let before = from;
            for batch in batches(&bytes) {
                let batch = batch.map_err(|error| error.to_string())?;
                apply(&batch).map_err(|error| error.to_string())?;
                from = from.max(batch.next_offset());
            }
            assert!(before < from, "what was read goes on");
        }
        Ok(())
    }
}
