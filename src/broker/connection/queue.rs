//! Answers on their way from a connection's reader to its writer.
//! Never knows: what is in them.
//!
//! Both are one task, which looks at the writer whenever it has looked at the reader. So nobody has
//! to be woken, and an answer leaves at once: a channel would wake the task that is running, which
//! then runs once more, or on another worker that is woken for it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

/// Bounded by the permits that the answers hold.
pub struct Queue<T> {
    owed: Mutex<VecDeque<T>>,
    closed: AtomicBool,
}

impl<T> Queue<T> {
    pub fn new() -> Queue<T> {
        Queue { owed: Mutex::default(), closed: AtomicBool::new(false) }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn push(&self, owed: T) {
        self.lock().push_back(owed);
    }

    pub fn pop(&self) -> Option<T> {
        self.lock().pop_front()
    }

    /// Nothing more comes.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// The next answer; `None` where no more comes. It wakes nobody: see above.
    pub async fn next(&self) -> Option<T> {
        std::future::poll_fn(|_| match self.pop() {
            None if !self.closed.load(Ordering::Relaxed) => Poll::Pending,
            next => Poll::Ready(next),
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_writer_of_the_same_task_gets_all_in_order_and_ends() {
        let (queue, wait) = (Queue::new(), tokio::sync::Notify::new());
        let read = async {
            for number in 0..3 {
                queue.push(number);
                queue.push(number + 10);
                // Whatever a reader waits for wakes the task, and with it the writer.
                wait.notify_one();
                wait.notified().await;
                tokio::task::yield_now().await;
            }
        };
        let mut write = std::pin::pin!(async {
            let mut written = Vec::new();
            while let Some(next) = queue.next().await {
                written.push(next);
            }
            written
        });
        tokio::select! {
            biased;
            () = read => queue.close(),
            _ = &mut write => unreachable!("it is not closed"),
        }
        assert_eq!(write.await, [0, 10, 1, 11, 2, 12]);
    }
}
