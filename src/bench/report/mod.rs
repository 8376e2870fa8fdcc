//! A result, and its exporters: pure functions, one a format.
//! Never knows: how it was measured, the terminal.

pub mod json;
pub mod table;

use super::gate::Verdict;
use super::host::Host;
use super::measure::Measured;
use super::plan::Plan;
use super::verify::Account;

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
    /// What the latencies and rates stand for, in a sentence each.
    pub fn meanings(&self) -> Vec<String> {
        use super::plan::{Acks, Pace, Workload};
        let load = &self.plan.load;
        let rates = "records/s and bytes/s (keys and values before compression)";
        match self.plan.workload {
            Workload::Consume => vec![
                format!("{rates} count what reached the application in the window"),
                "the window opens at the end of the warm-up and closes at the last record".into(),
            ],
            Workload::Produce { pace } => {
                let from = match pace {
                    Pace::Rate(_) => "from when a send was due",
                    Pace::Unbounded => "from the call that sends",
                };
                let to = match load.acks {
                    Acks::None => "the delivery report (acks=0: written to the socket)",
                    Acks::Leader | Acks::All => "the delivery report",
                };
                let queue = match pace {
                    Pace::Rate(_) => "",
                    Pace::Unbounded => "; without --rate it is mostly the wait in a full queue",
                };
                vec![
                    format!("latency is {from} to {to}{queue}"),
                    format!("{rates} count from the first send of the window to its last report"),
                ]
            }
        }
    }
}

#[cfg(test)]
mod tests;
