//! `kaw bench pipe`.

use super::{LoadArgs, ResultArgs, Usage, acks, measured, warmup};
use crate::bench::plan::{Acks, Extent, Load, Pace, Plan, Workload};
use crate::bench::workload::pipe::line::HEAD_BYTES;

#[derive(clap::Args, Clone, Debug)]
pub struct PipeArgs {
    #[command(flatten)]
    load: LoadArgs,
    /// Who must have a record before it counts as delivered
    #[arg(long, value_name = "0|1|all", default_value = "all", value_parser = acks())]
    acks: Acks,
    /// Lines that go through before the figures begin, N or for a time
    /// [default: a tenth of the load]
    #[arg(long, value_name = "N|TIME", value_parser = warmup)]
    warmup: Option<Extent>,
    #[command(flatten)]
    pub result: ResultArgs,
}

impl PipeArgs {
    pub fn plan(&self) -> Result<Plan, Usage> {
        let load = Load { acks: self.acks, ..self.load.load()? };
        if load.record_size < HEAD_BYTES {
            let said = "bytes at least: each line carries its number and a checksum";
            return Err(Usage(format!("--record-size takes {HEAD_BYTES} {said}")));
        }
        let measured = measured(self.load.records, self.load.duration, Pace::Unbounded);
        Ok(Plan {
            workload: Workload::Pipe,
            seed: self.load.seed,
            settings: Vec::new(),
            load,
            warmup: self.warmup.unwrap_or(measured.tenth()),
            measured,
        })
    }
}
