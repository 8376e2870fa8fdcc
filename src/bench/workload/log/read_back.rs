//! What was appended is read back and verified, whole logs from end to end.

use std::sync::PoisonError;
use std::time::Instant;

use super::Logs;
use crate::bench::Error;
use crate::bench::measure::Window;
use crate::bench::verify::Ledger;
use crate::bench::workload::Stage;
use crate::log::DiskFile;
use crate::record::{Offset, PartitionId, Scratch, batches};

/// How much of a log is read at once: what consumers ask for by default.
const READ_BYTES: u32 = 1 << 20;

/// To what a batch may decompress: those of the run are smaller.
const PLAIN_BYTES_MAX: usize = 256 << 20;

impl<'a> Logs<'a> {
    /// Reads everything back, and enters it. What is timed is the reading.
    pub(super) fn read(self) -> Result<(Window, Ledger<'a>), Error> {
        let Logs { work, partitions, sent, .. } = self;
        let mut ledger = Ledger::new(work.payloads, &sent);
        let (mut window, mut buffer) = (Window::default(), Vec::new());
        for (partition, number) in partitions.into_iter().zip(0..) {
            let mut log = partition.log.into_inner().unwrap_or_else(PoisonError::into_inner);
            let (mut from, end) = (log.start(), log.end());
            while from < end {
                if work.watch.is_stopped() {
                    return Err(Error::Stopped);
                }
                let began = Instant::now();
                let slice = log.read(from, end, READ_BYTES).map_err(Error::log)?;
                let Some(slice) = slice else { break };
                buffer.resize(buffer.len().max(slice.bytes as usize), 0);
                let into = &mut buffer[..slice.bytes as usize];
                let read = slice.file.read_at(into, slice.position).map_err(Error::System)?;
                window.time += began.elapsed();
                let read = enter(&into[..read], PartitionId(number), &mut ledger, &mut window);
                from = read.filter(|&next| from < next).unwrap_or(end);
            }
            work.watch.show(Stage::Verifying, window.records);
        }
        Ok((window, ledger))
    }
}

/// Enters the records of whole batches; up to where they go.
fn enter(
    bytes: &[u8],
    partition: PartitionId,
    ledger: &mut Ledger<'_>,
    window: &mut Window,
) -> Option<Offset> {
    let (mut end, mut scratch) = (None, Scratch::default());
    for batch in batches(bytes).map_while(Result::ok) {
        end = Some(batch.next_offset());
        let readable =
            batch.check_crc().and_then(|()| batch.records(&mut scratch, PLAIN_BYTES_MAX));
        // What cannot be read is missing in the account.
        let Ok(records) = readable else { continue };
        for entry in records.map_while(Result::ok) {
            let (key, value) = (entry.key, entry.value);
            ledger.see(partition, key, value);
            window.records += 1;
            let bytes: usize = [key, value].into_iter().flatten().map(<[u8]>::len).sum();
            window.bytes += bytes as u64;
        }
    }
    end
}
