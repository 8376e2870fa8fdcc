//! What errors of brokers mean for a run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::say::{Ended, Say};
use crate::client::bare::{Milliseconds, Native, Settings};
use crate::client::{Code, Complaint};

/// Errors after which a broker is taken for down.
const DOWN: [Code; 4] = [Code::TRANSPORT, Code::RESOLVE, Code::AUTHENTICATION, Code::SSL];
/// How long one of its other addresses may take to answer, and how long another broker.
const NOT_YET_REACHED: Milliseconds = Milliseconds(300);
const REACHED: Milliseconds = Milliseconds(1000);

/// Watches for the moment from which no broker is left.
///
/// librdkafka has an event of that kind, and kcat ends with it. As built by cmake it never raises
/// it: `rd_atomic32_set` answers with the new value there, and not the old (rdatomic.h in 2.12.1).
pub struct Trouble {
    say: Say,
    native: Arc<Native>,
    /// So many brokers were named to begin with.
    named: usize,
    failed: BTreeSet<String>,
    deserted: bool,
}

/// How many brokers a client is to begin with.
pub fn named(settings: &Settings) -> usize {
    let named = settings.get("bootstrap.servers").unwrap_or_default();
    named.split(',').map(str::trim).filter(|name| !name.is_empty()).collect::<BTreeSet<_>>().len()
}

impl Trouble {
    pub fn new(say: Say, native: &Arc<Native>, named: usize) -> Trouble {
        Trouble { say, native: Arc::clone(native), named, failed: BTreeSet::new(), deserted: false }
    }

    /// Heeds what was said; whether the run goes on.
    pub fn heed(&mut self, complaints: &[Complaint]) -> Result<bool, Ended> {
        let mut goes_on = true;
        for Complaint { code, text, fatal } in complaints {
            if *fatal {
                self.say.info(0, &format!("FATAL CLIENT ERROR: {code}: {text}: terminating"));
                goes_on = false;
            } else if *code == Code::ALL_BROKERS_DOWN {
                self.deserted = true;
                self.say.error(&format!("{code}: {text}"))?;
            } else {
                self.say.info(1, &format!("ERROR: {code}: {text}"));
            }
            if DOWN.contains(code) {
                self.failed.extend(text.split_once(": ").map(|(name, _)| name.to_owned()));
            }
        }
        if complaints.iter().any(|complaint| DOWN.contains(&complaint.code)) {
            self.look_around()?;
        }
        Ok(goes_on)
    }

    /// Heeds all that there is to hear; whether the run goes on.
    pub fn heed_all(&mut self) -> Result<bool, Ended> {
        let mut complaints = Vec::new();
        self.native.heed(Duration::ZERO, |complaint| complaints.push(complaint));
        self.heed(&complaints)
    }

    /// Says it where no broker is left.
    fn look_around(&mut self) -> Result<(), Ended> {
        let reached = self.native.reached();
        if self.deserted || (!reached && self.failed.len() < self.named) {
            return Ok(());
        }
        let wait = if reached { REACHED } else { NOT_YET_REACHED };
        if self.native.has_broker(wait) {
            return Ok(());
        }
        self.deserted = true;
        let (code, count) = (Code::ALL_BROKERS_DOWN, self.failed.len());
        self.say.error(&format!("{code}: {count}/{count} brokers are down"))
    }
}
