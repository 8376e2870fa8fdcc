//! How long a broker stays: when it withdraws its notice, when it puts it back, when it leaves.
//! Never knows: sockets, files, the clock; `watch` alone awaits, and only what it is given.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Census;

/// Between taking the notice back and leaving: whoever read it just before can still come in.
pub const GRACE: Duration = Duration::from_millis(200);

/// A broker is started for somebody who is about to come in; on a busy machine that takes a while.
const FIRST_GUEST: Duration = Duration::from_secs(2);

/// What happens to a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// So many are connected now. Repeated when the time that `Life::wake_at` named has come.
    Connected(usize),
    /// A signal or the private Leave request: whoever is connected.
    LeaveAsked,
}

/// What the broker is to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Take the notice back, so that no new client comes.
    Withdraw,
    /// Put the notice back: somebody came in time.
    Announce,
    /// Stop serving, tidy up, go.
    Leave,
}

/// The stay of a broker.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    /// None: until somebody asks it to leave.
    linger: Option<Duration>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody came yet.
    Fresh {
        since: Instant,
    },
    Busy,
    Alone {
        since: Instant,
    },
    /// The notice is withdrawn.
    Fading {
        since: Instant,
    },
    Left,
}

impl Life {
    pub fn new(linger: Option<Duration>, now: Instant) -> Life {
        Life { linger, state: State::Fresh { since: now } }
    }

    /// When to say again how many are connected.
    pub fn wake_at(&self) -> Option<Instant> {
        match self.state {
            State::Fresh { since } => since.checked_add(self.linger?.max(FIRST_GUEST)),
            State::Alone { since } => since.checked_add(self.linger?),
            State::Fading { since } => Some(since + GRACE),
            State::Busy | State::Left => None,
        }
    }

    pub fn on(&mut self, event: Event, now: Instant) -> Option<Action> {
        if self.state == State::Left {
            return None;
        }
        match event {
            Event::LeaveAsked => {
                self.state = State::Left;
                Some(Action::Leave)
            }
            Event::Connected(0) => {
                if self.state == State::Busy {
                    self.state = State::Alone { since: now };
                }
                self.elapsed(now)
            }
            Event::Connected(_) => {
                let faded = matches!(self.state, State::Fading { .. });
                self.state = State::Busy;
                faded.then_some(Action::Announce)
            }
        }
    }

    fn elapsed(&mut self, now: Instant) -> Option<Action> {
        if self.wake_at().is_none_or(|due| now < due) {
            return None;
        }
        match self.state {
            State::Fresh { .. } | State::Alone { .. } => {
                self.state = State::Fading { since: now };
                Some(Action::Withdraw)
            }
            State::Fading { .. } => {
                self.state = State::Left;
                Some(Action::Leave)
            }
            State::Busy | State::Left => None,
        }
    }
}

/// Returns when it is time to leave; `plate` takes the notice down or puts it up meanwhile.
pub async fn watch(
    linger: Option<Duration>,
    mut census: watch::Receiver<Census>,
    mut leave_asked: watch::Receiver<bool>,
    mut plate: impl FnMut(Action),
) {
    let mut life = Life::new(linger, Instant::now());
    loop {
        let event = match *leave_asked.borrow_and_update() {
            true => Event::LeaveAsked,
            false => {
                let census = *census.borrow_and_update();
                Event::Connected(census.clients + census.guests)
            }
        };
        match life.on(event, Instant::now()) {
            Some(Action::Leave) => return plate(Action::Leave),
            Some(action) => plate(action),
            None => {}
        }
        let elapsed = async {
            match life.wake_at() {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        // A closed channel means that its server is gone: nothing more will happen.
        let gone = tokio::select! {
            changed = census.changed() => changed.is_err(),
            changed = leave_asked.changed() => changed.is_err(),
            () = elapsed => false,
        };
        if gone {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays `script` on a broker with a linger of 10 s: `+N` is N ms later, `=N` has N connected,
    /// `?` asks it to leave.
    #[track_caller]
    fn check(script: &str, want: &[&str]) {
        let start = Instant::now();
        let mut now = start;
        let mut life = Life::new(Some(Duration::from_secs(10)), start);
        let (mut connected, mut seen) = (0, Vec::new());
        for step in script.split_whitespace() {
            let event = match step.split_at(1) {
                ("+", ms) => {
                    now += Duration::from_millis(ms.parse().unwrap());
                    Event::Connected(connected)
                }
                ("=", count) => {
                    connected = count.parse().unwrap();
                    Event::Connected(connected)
                }
                _ => Event::LeaveAsked,
            };
            if let Some(action) = life.on(event, now) {
                seen.push(format!("{action:?} at {}", (now - start).as_millis()));
            }
        }
        assert_eq!(seen, want, "{script}");
    }

    #[test]
    fn a_broker_leaves_when_it_has_been_alone_long_enough() {
        check("+9999", &[]);
        check("+10000", &["Withdraw at 10000"]);
        check("+10000 +199", &["Withdraw at 10000"]);
        check("+10000 +200", &["Withdraw at 10000", "Leave at 10200"]);
        check("+10000 +200 +999 =1 ?", &["Withdraw at 10000", "Leave at 10200"]);
    }

    #[test]
    fn whoever_is_connected_keeps_it() {
        check("=1 +60000", &[]);
        check("=2 +60000 =1 +60000 =0 +9999", &[]);
        check("=1 +60000 =0 +10000 +200", &["Withdraw at 70000", "Leave at 70200"]);
        check("=0 +5000 =0 +5000", &["Withdraw at 10000"]);
    }

    #[test]
    fn a_lease_in_the_grace_cancels_the_leaving() {
        check(
            "+10000 +100 =1 +60000 =0 +10000",
            &["Withdraw at 10000", "Announce at 10100", "Withdraw at 80100"],
        );
    }

    #[test]
    fn who_is_asked_leaves_at_once() {
        check("=5 +1000 ?", &["Leave at 1000"]);
        check("+10000 ? +200", &["Withdraw at 10000", "Leave at 10000"]);
    }

    #[test]
    fn whom_it_was_started_for_has_time_to_come_in() {
        let start = Instant::now();
        let linger = Duration::from_millis(1);
        let mut life = Life::new(Some(linger), start);
        assert_eq!(life.wake_at(), Some(start + FIRST_GUEST));
        assert_eq!(life.on(Event::Connected(0), start + linger), None);
        assert_eq!(life.on(Event::Connected(1), start + linger), None);
        assert_eq!(life.on(Event::Connected(0), start + linger), None);
        assert_eq!(life.on(Event::Connected(0), start + linger * 2), Some(Action::Withdraw));
    }

    #[test]
    fn without_a_linger_it_stays() {
        let now = Instant::now();
        let mut life = Life::new(None, now);
        assert_eq!(life.wake_at(), None);
        let later = now + Duration::from_secs(1 << 30);
        assert_eq!(life.on(Event::Connected(0), later), None);
        assert_eq!(life.on(Event::LeaveAsked, now), Some(Action::Leave));
    }
}
