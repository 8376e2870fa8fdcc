//! A producer's transactions: calls that wait for an answer.

use std::ffi::c_int;
use std::time::Duration;

use rdkafka_sys as rd;

use super::{Code, Native, plain, text_of};

/// Why a step of a transaction was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undone {
    pub code: Code,
    pub why: String,
    /// The same call may be made again.
    pub is_retriable: bool,
}

/// Finishes what an earlier producer of the same id has left, and shuts it out.
pub fn init_transactions(native: &Native, wait: Duration) -> Result<(), Undone> {
    // SAFETY: the client is alive; an error is ours to free.
    unsafe { done(rd::rd_kafka_init_transactions(native.as_ptr(), milliseconds(wait))) }
}

pub fn begin_transaction(native: &Native) -> Result<(), Undone> {
    // SAFETY: as above.
    unsafe { done(rd::rd_kafka_begin_transaction(native.as_ptr())) }
}

pub fn commit_transaction(native: &Native, wait: Duration) -> Result<(), Undone> {
    // SAFETY: as above.
    unsafe { done(rd::rd_kafka_commit_transaction(native.as_ptr(), milliseconds(wait))) }
}

pub fn abort_transaction(native: &Native, wait: Duration) -> Result<(), Undone> {
    // SAFETY: as above.
    unsafe { done(rd::rd_kafka_abort_transaction(native.as_ptr(), milliseconds(wait))) }
}

/// # Safety
/// The error must be null or ours to free.
unsafe fn done(error: *mut rd::rd_kafka_error_t) -> Result<(), Undone> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: it is the caller's promise.
    unsafe {
        let undone = Undone {
            code: Code(plain::rd_kafka_error_code(error)),
            why: text_of(rd::rd_kafka_error_string(error)),
            is_retriable: rd::rd_kafka_error_is_retriable(error) != 0,
        };
        rd::rd_kafka_error_destroy(error);
        Err(undone)
    }
}

fn milliseconds(wait: Duration) -> c_int {
    c_int::try_from(wait.as_millis()).unwrap_or(c_int::MAX)
}
