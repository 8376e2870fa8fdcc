//! Transactions: all that is sent between two steps is there, or none of it.

use std::time::{Duration, Instant};

use super::{Producer, Undone};
use crate::client::sys;

impl Producer {
    /// Shuts out earlier producers of the same `transactional.id`, and begins the first one. A step
    /// may take so long.
    pub fn begin_transactions(&mut self, wait: Duration) -> Result<(), Undone> {
        self.transactions = Some(wait);
        sys::init_transactions(self.sender.native(), wait)?;
        sys::begin_transaction(self.sender.native())
    }

    /// With nothing in flight: commits.
    pub fn commit(&mut self) -> Result<(), Undone> {
        let wait = self.transactions.expect("transactions were begun");
        let deadline = Instant::now() + wait;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match sys::commit_transaction(self.sender.native(), left) {
                Err(undone) if undone.is_retriable && Instant::now() < deadline => {}
                result => return result,
            }
        }
    }

    /// Begins the next one.
    pub fn begin_next(&mut self) -> Result<(), Undone> {
        sys::begin_transaction(self.sender.native())
    }

    /// Nothing that was sent since the last step is to be there.
    pub fn abort(&mut self) -> Result<(), Undone> {
        let wait = self.transactions.expect("transactions were begun");
        sys::abort_transaction(self.sender.native(), wait)
    }
}
