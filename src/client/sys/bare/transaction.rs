//! One transaction of a producer. Each call names itself where it fails, as kcat does.

use rdkafka_sys as rd;

use super::super::Native;
use super::{Milliseconds, told};

/// The steps of a transaction.
pub struct Transaction<'a>(pub &'a Native);

impl Transaction<'_> {
    pub fn init(&self, wait: Milliseconds) -> Result<(), String> {
        // SAFETY: the client is alive; the error is ours.
        unsafe { told(rd::rd_kafka_init_transactions(self.0.as_ptr(), wait.0)) }
    }

    pub fn begin(&self) -> Result<(), String> {
        // SAFETY: as above.
        unsafe { told(rd::rd_kafka_begin_transaction(self.0.as_ptr())) }
    }

    /// With nothing in flight: reports are events, which a commit does not take.
    pub fn commit(&self, wait: Milliseconds) -> Result<(), String> {
        // SAFETY: as above.
        unsafe { told(rd::rd_kafka_commit_transaction(self.0.as_ptr(), wait.0)) }
    }

    /// As `commit`.
    pub fn abort(&self, wait: Milliseconds) -> Result<(), String> {
        // SAFETY: as above.
        unsafe { told(rd::rd_kafka_abort_transaction(self.0.as_ptr(), wait.0)) }
    }
}
