//! A result, and its exporters: pure functions, one a format.
//! Never knows: how it was measured, the terminal.

pub mod json;
pub mod table;

use super::gate::Verdict;
use super::host::Host;
use super::measure::Measured;
use super::plan::{Acks, Pace, Plan, Workload};
use super::verify::Account;

/// The bytes are those of the payload: what a compressor makes of them is the client's affair.
const RATES: &str = "records/s and bytes/s (keys and values, uncompressed)";

/// The part of a rate that may be missing: the last record's own latency is in the window too.
const RATE_KEPT: f64 = 0.95;

/// All that a run found out.
#[derive(Clone, Debug)]
pub struct Report {
    pub plan: Plan,
    pub measured: Measured,
    pub account: Account,
    pub verdicts: Vec<Verdict>,
    pub setting: Setting,
}

/// Where, when and with what.
#[derive(Clone, Debug)]
pub struct Setting {
    /// When the run began, RFC 3339.
    pub started: String,
    /// As typed, without secrets.
    pub command: Vec<String>,
    /// None: an ephemeral built-in broker.
    pub brokers: Option<String>,
    pub topic: String,
    pub kaw: String,
    pub librdkafka: String,
    pub host: Host,
}

impl Report {
    /// What the figures stand for, in a sentence each.
    pub fn meanings(&self) -> Vec<String> {
        match self.plan.workload {
            Workload::Consume => {
                vec![format!("{RATES} count from the first fetch to the last record")]
            }
            Workload::Produce { pace } => {
                let mut meanings = vec![
                    latency(pace, self.plan.load.acks),
                    format!("{RATES} count from the first send to the last delivery report"),
                ];
                meanings.extend(self.shortfall(pace));
                meanings
            }
        }
    }

    /// A rate that was not kept says more about the client than about the broker.
    fn shortfall(&self, pace: Pace) -> Option<String> {
        let reached = self.measured.window.records_per_s();
        match pace {
            Pace::Rate(asked) if reached < asked * RATE_KEPT => {
                Some(format!("of {asked} records/s asked for, {reached:.0} were reached"))
            }
            Pace::Rate(_) | Pace::Unbounded => None,
        }
    }
}

fn latency(pace: Pace, acks: Acks) -> String {
    let (from, queue) = match pace {
        Pace::Rate(_) => ("when a send was due", ""),
        Pace::Unbounded => {
            ("the call that sends", "; without --rate it is mostly the wait in a full queue")
        }
    };
    let to = match acks {
        Acks::None => "the delivery report (acks=0: written to the socket)",
        Acks::Leader | Acks::All => "the delivery report",
    };
    format!("latency is from {from} to {to}{queue}")
}

#[cfg(test)]
mod tests;
