//! A producer's transactions: calls that wait for an answer.

use std::time::Duration;

use rdkafka_sys as rd;

use super::admin::milliseconds;
use super::{Native, Undone, told};

/// Finishes what an earlier producer of the same id has left, and shuts it out.
pub fn init_transactions(native: &Native, wait: Duration) -> Result<(), Undone> {
    // SAFETY: the client is alive; an error is ours to free.
    unsafe { told(rd::rd_kafka_init_transactions(native.as_ptr(), milliseconds(wait))) }
}

pub fn begin_transaction(native: &Native) -> Result<(), Undone> {
    // SAFETY: as above.
    unsafe { told(rd::rd_kafka_begin_transaction(native.as_ptr())) }
}

pub fn commit_transaction(native: &Native, wait: Duration) -> Result<(), Undone> {
    // SAFETY: as above.
    unsafe { told(rd::rd_kafka_commit_transaction(native.as_ptr(), milliseconds(wait))) }
}

pub fn abort_transaction(native: &Native, wait: Duration) -> Result<(), Undone> {
    // SAFETY: as above.
    unsafe { told(rd::rd_kafka_abort_transaction(native.as_ptr(), milliseconds(wait))) }
}
