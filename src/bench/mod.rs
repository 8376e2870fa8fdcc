//! `kaw bench`: plan, schedule, workloads, verification, measurement, reports.
//! Never knows: clap, the broker, the log.

pub mod measure;
pub mod payload;
pub mod plan;
pub mod schedule;
pub mod verify;
