//! `kaw bench`: plan, schedule, workloads, verification, measurement, reports.
//! Never knows: clap, the broker, the log.

pub mod gate;
pub mod host;
pub mod measure;
pub mod payload;
pub mod plan;
pub mod report;
pub mod schedule;
pub mod verify;
