//! What the figures of a case stand for, in words.

use super::super::plan::{Acks, Direction, Durability, Engine, Pace, Plan, Wire, Workload};
use super::document::Figure;

/// The bytes are those of the payload: what a compressor makes of them is the client's affair.
const RATES: &str = "records/s and bytes/s (keys and values, uncompressed)";

/// The part of a rate that may be missing: the last record's own latency is in the window too.
const RATE_KEPT: f64 = 0.95;

/// A sentence each. `reached` has the records a second.
pub fn notes(plan: &Plan, reached: Option<&Figure>) -> Vec<String> {
    match plan.workload {
        Workload::Consume => {
            vec![format!("{RATES} count from the first fetch to the last record")]
        }
        Workload::Wire(wire) => of_wire(wire, plan.load.acks, reached),
        Workload::Log(engine) => of_log(engine),
        Workload::Pipe => vec![
            format!(
                "{RATES} count from the first line written to kaw produce to the last that \
                     kaw consume printed"
            ),
            "client is both processes together".to_owned(),
        ],
        Workload::EndToEnd { rate } => {
            let mut notes = vec![
                "latency is from when a send was due until the consumer has the record, both in \
                 this process"
                    .to_owned(),
                format!("{RATES} count from the first send to the last record read"),
            ];
            let pace = Pace::Rate(rate);
            notes.extend(reached.and_then(|reached| shortfall(pace, reached.median)));
            notes
        }
        Workload::Produce { pace } => {
            let mut notes = vec![
                latency(pace, plan.load.acks),
                format!("{RATES} count from the first send to the last delivery report"),
            ];
            notes.extend(reached.and_then(|reached| shortfall(pace, reached.median)));
            notes
        }
    }
}

fn of_wire(wire: Wire, acks: Acks, reached: Option<&Figure>) -> Vec<String> {
    let from = match wire.pace {
        Pace::Rate(_) => "when a request was due",
        Pace::Unbounded => "when a request was made",
    };
    let to = match (wire.direction, acks) {
        (Direction::Produce, Acks::None) => "when it was written to the socket (acks=0)",
        _ => "its answer",
    };
    let mut notes = vec![
        format!("latency is of requests, from {from} to {to}"),
        format!("{RATES} count from the first request to the last answer"),
        "every request carries the same records, under a producer and sequence of its own; \
         verified are checksum, content, order and offset of each batch"
            .to_owned(),
    ];
    notes.extend(reached.and_then(|reached| shortfall(wire.pace, reached.median)));
    notes
}

fn of_log(engine: Engine) -> Vec<String> {
    let until = match engine.durability {
        Durability::Os => "it is in the page cache",
        Durability::Fsync => "it is durable",
    };
    vec![
        format!("latency is that of a batch, from the append until {until}"),
        format!("{RATES} count while batches are appended; they are made before"),
    ]
}

/// A rate that was not kept says more about the client than about the broker.
fn shortfall(pace: Pace, reached: f64) -> Option<String> {
    match pace {
        Pace::Rate(asked) if reached < asked * RATE_KEPT => {
            Some(format!("of {asked} records/s asked for, {reached:.0} were reached"))
        }
        Pace::Rate(_) | Pace::Unbounded => None,
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
