//! Which group has something due when, for the one task that sees to it.
//! Never knows: what is due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use crate::protocol::Text;

#[derive(Default)]
pub struct Alarms {
    queue: Mutex<BinaryHeap<Reverse<(Instant, Text)>>>,
    /// Rings when an alarm was set that is earlier than all others.
    bell: Notify,
}

impl Alarms {
    pub fn set(&self, at: Instant, group: Text) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = queue.peek().is_none_or(|Reverse((first, _))| at < *first);
        queue.push(Reverse((at, group)));
        if is_first {
            self.bell.notify_one();
        }
    }

    /// The next alarm and its group, when its time has come.
    pub async fn next(&self) -> (Instant, Text) {
        loop {
            match self.due_or_first() {
                Ok(due) => return due,
                Err(None) => self.bell.notified().await,
                Err(Some(first)) => tokio::select! {
                    () = self.bell.notified() => {}
                    () = tokio::time::sleep_until(first.into()) => {}
                },
            }
        }
    }

    fn due_or_first(&self) -> Result<(Instant, Text), Option<Instant>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        match queue.peek() {
            Some(Reverse((at, _))) if Instant::now() < *at => Err(Some(*at)),
            _ => queue.pop().map(|Reverse(due)| due).ok_or(None),
        }
    }
}
