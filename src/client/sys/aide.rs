//! The thread that does what blocks in librdkafka.

use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Native;
use super::produce::Topic;
use super::spread::Count;
use crate::client::{Code, Error};

/// Does what blocks, on a thread of its own: first two questions, then flushes when asked.
///
/// The questions help an idempotent producer to its id. librdkafka asks for one when a broker has
/// answered, and else looks every 500 ms whether a broker is up; its first answer comes from a
/// connection that it closes at once, having learned the broker's real address. Questions of our
/// own make it look again as soon as the next connection is up.
pub struct Aide {
    orders: Arc<(Mutex<Orders>, Condvar)>,
    partitions: Count,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Orders {
    flush: bool,
    count: bool,
    /// A flush goes on right now.
    is_flushing: bool,
    is_over: bool,
}

/// One for each of the two connections.
const QUESTIONS: usize = 2;
/// How long the thread may be deaf, where brokers answer in that time.
const AIDE_WAIT: Duration = Duration::from_millis(20);
/// How long it may be deaf where they are far away.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(2);

/// How long to wait for an answer: longer, the farther away the brokers are.
///
/// What is asked again before its answer came stays under way beside it, as one of the five
/// requests that an idempotent producer may have there: five of them, and no record ever leaves.
struct Patience(Duration);

impl Patience {
    const AT_FIRST: Patience = Patience(AIDE_WAIT);

    /// A question came to this end; whether it was answered.
    fn learn(&mut self, end: Result<(), Code>) -> bool {
        // Without a connection nothing was sent (rd_kafka_metadata).
        if end == Err(Code::TIMED_OUT) {
            self.0 = (self.0 * 2).min(ANSWER_WAIT_MAX);
        }
        end.is_ok()
    }
}

impl Aide {
    pub fn start(topic: Arc<Topic>, native: Arc<Native>) -> Result<Aide, Error> {
        let orders = Arc::new((Mutex::new(Orders::default()), Condvar::new()));
        let partitions = Count::default();
        let (heard, counted) = (Arc::clone(&orders), Arc::clone(&partitions));
        let work = move || {
            let mut patience = Patience::AT_FIRST;
            let mut ask = || patience.learn(native.ask_about(&topic, patience.0, &counted));
            let mut left = QUESTIONS;
            while 0 < left && !heard.0.lock().expect(NO_PANIC).is_over {
                left -= usize::from(ask());
            }
            do_as_asked(&heard.0, &heard.1, |work| match work {
                Work::Flush => native.flush(AIDE_WAIT),
                Work::Count => ask(),
            });
            // The topic first: its client must be the last to go.
            drop(topic);
            drop(native);
        };
        let thread = std::thread::Builder::new().name("aide".to_owned()).spawn(work);
        let thread = thread.map_err(|error| Error::Start { why: error.to_string() })?;
        Ok(Aide { orders, partitions, thread: Some(thread) })
    }

    /// How many partitions the topic has, as of the last answer.
    pub fn partitions(&self) -> Count {
        Arc::clone(&self.partitions)
    }

    /// Asks anew how many partitions there are.
    pub fn count_partitions(&self) {
        self.order(|orders| orders.count = true);
    }

    /// Batches are sent without waiting to fill, until nothing is in flight.
    pub fn flush(&self) {
        self.order(|orders| orders.flush = true);
    }

    /// No more of that, once it comes to it.
    pub fn fill(&self) {
        self.order(|orders| orders.flush = false);
    }

    /// No more of that; on return none goes on.
    pub fn fill_now(&self) {
        self.fill();
        let orders = self.orders.0.lock().expect(NO_PANIC);
        let still = self.orders.1.wait_while(orders, |orders| orders.is_flushing);
        drop(still.expect(NO_PANIC));
    }

    fn order(&self, change: impl FnOnce(&mut Orders)) {
        change(&mut self.orders.0.lock().expect(NO_PANIC));
        self.orders.1.notify_all();
    }
}

const NO_PANIC: &str = "no holder panics";

/// What there is to do.
enum Work {
    Flush,
    Count,
}

/// Works until it is over; `work` says whether a flush, or an answer, came to its end.
fn do_as_asked(orders: &Mutex<Orders>, changed: &Condvar, mut work: impl FnMut(Work) -> bool) {
    loop {
        let idle = |orders: &mut Orders| !orders.flush && !orders.count && !orders.is_over;
        let orders_now = changed.wait_while(orders.lock().expect(NO_PANIC), idle);
        let mut orders_now = orders_now.expect(NO_PANIC);
        if orders_now.is_over {
            return;
        }
        if std::mem::take(&mut orders_now.count) {
            drop(orders_now);
            work(Work::Count);
            continue;
        }
        orders_now.is_flushing = true;
        drop(orders_now);
        let all_done = work(Work::Flush);
        let mut orders_now = orders.lock().expect(NO_PANIC);
        orders_now.is_flushing = false;
        orders_now.flush &= !all_done;
        drop(orders_now);
        changed.notify_all();
    }
}

impl Drop for Aide {
    fn drop(&mut self) {
        self.order(|orders| orders.is_over = true);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it does nothing that panics");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_answer_in_time_gets_more_of_it() {
        let mut patience = Patience::AT_FIRST;
        assert!(!patience.learn(Err(Code::TRANSPORT)));
        assert_eq!(patience.0, AIDE_WAIT);
        assert!(!patience.learn(Err(Code::TIMED_OUT)));
        assert!(patience.learn(Ok(())));
        assert_eq!(patience.0, AIDE_WAIT * 2);
        for _ in 0..20 {
            patience.learn(Err(Code::TIMED_OUT));
        }
        assert_eq!(patience.0, ANSWER_WAIT_MAX);
    }
}
