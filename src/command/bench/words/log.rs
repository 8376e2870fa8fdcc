//! `kaw bench log`.

use super::{LoadArgs, ResultArgs, Usage, from_1_to, measured, warmup};
use crate::bench::plan::{Batch, Durability, Engine, Extent, Load, Pace, Plan, Workload};
use crate::quantity;

#[derive(clap::Args, Clone, Debug)]
pub struct LogArgs {
    #[command(flatten)]
    load: LoadArgs,
    /// Threads that append; with fsync, one wait for the disk serves all who came meanwhile
    #[arg(long, value_name = "N", default_value = "1", value_parser = from_1_to(1000))]
    producers: u32,
    /// Bytes of the records in a batch, before compression
    #[arg(long, value_name = "BYTES", default_value = "16KiB", value_parser = quantity::bytes)]
    batch_bytes: u64,
    /// Records in a batch, instead of bytes
    #[arg(long, value_name = "N", conflicts_with = "batch_bytes")]
    #[arg(value_parser = from_1_to(10_000_000))]
    batch_records: Option<u32>,
    /// Appended before the figures begin, N records or a time [default: a tenth of the load]
    #[arg(long, value_name = "N|TIME", value_parser = warmup)]
    warmup: Option<Extent>,
    #[command(flatten)]
    pub result: ResultArgs,
}

impl LogArgs {
    pub fn plan(&self) -> Result<Plan, Usage> {
        let batch = match self.batch_records {
            Some(records) => Batch::Records(records),
            None => Batch::Bytes(usize::try_from(self.batch_bytes).unwrap_or(usize::MAX)),
        };
        let load = Load { producers: self.producers, ..self.load.load()? };
        if BATCH_BYTES_MAX < batch.bytes(load.record_size) {
            return Err(Usage(format!("--batch-bytes takes {BATCH_BYTES_MAX} at most")));
        }
        let durability = self.result.durability.unwrap_or(Durability::Os);
        let measured = measured(self.load.records, self.load.duration, Pace::Unbounded);
        Ok(Plan {
            workload: Workload::Log(Engine { durability, batch }),
            seed: self.load.seed,
            settings: Vec::new(),
            load,
            warmup: self.warmup.unwrap_or(measured.tenth()),
            measured,
        })
    }
}

/// As Kafka's limit for a request (socket.request.max.bytes).
const BATCH_BYTES_MAX: usize = 100 << 20;
