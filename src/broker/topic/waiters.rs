//! Who waits for a partition to change: long polls, woken by appends, never by time.
//! Never knows: what they wait for.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// The long polls of one partition.
#[derive(Default)]
pub struct Waiters {
    waiting: Mutex<Vec<Arc<Notify>>>,
}

impl Waiters {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Notify>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes everyone. A waiter that is not waiting yet will not: the bell keeps one ring.
    pub fn wake(&self) {
        for bell in self.lock().iter() {
            bell.notify_one();
        }
    }
}

/// One long poll's place in the lists of its partitions, which it leaves when it is dropped.
pub struct Waiting<P: AsRef<Waiters>> {
    bell: Arc<Notify>,
    partitions: Vec<Arc<P>>,
}

impl<P: AsRef<Waiters>> Waiting<P> {
    /// Registers with every partition. Look at them only afterwards, or a change is missed.
    pub fn on(partitions: Vec<Arc<P>>) -> Waiting<P> {
        let bell = Arc::new(Notify::new());
        for partition in &partitions {
            P::as_ref(partition).lock().push(bell.clone());
        }
        Waiting { bell, partitions }
    }

    /// Returns once any of them has changed since the last call.
    pub async fn changed(&self) {
        self.bell.notified().await;
    }
}

impl<P: AsRef<Waiters>> Drop for Waiting<P> {
    fn drop(&mut self) {
        for partition in &self.partitions {
            P::as_ref(partition).lock().retain(|bell| !Arc::ptr_eq(bell, &self.bell));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place(Waiters);

    impl AsRef<Waiters> for Place {
        fn as_ref(&self) -> &Waiters {
            &self.0
        }
    }

    #[tokio::test]
    async fn a_change_before_the_wait_is_not_missed_and_nobody_stays_behind() {
        let place = Arc::new(Place(Waiters::default()));
        let waiting = Waiting::on(vec![place.clone()]);
        place.0.wake();
        waiting.changed().await;
        drop(waiting);
        assert!(place.0.lock().is_empty());
    }
}
