//! The client that asks the coordinators of groups.
//! Never knows: what they are asked.

use std::sync::{Arc, Mutex};

use super::super::sys::{Kind, Native};
use super::{Config, Error};

/// A client of its own, from the first question on.
///
/// It has a group: without one, librdkafka 2.12 falls over where offsets are asked of who is not
/// their coordinator (rd_kafka_handle_OffsetFetch in rdkafka_request.c). It looks up where that
/// group's coordinator is, which is looked up anyway, and does nothing more unless told to.
pub(super) struct Coordinators {
    config: Config,
    native: Mutex<Option<Arc<Native>>>,
}

/// Its group, where the one that is asked for has no name.
const NAMELESS: &str = "kaw";

impl Coordinators {
    pub fn new(config: &Config) -> Coordinators {
        Coordinators { config: config.clone(), native: Mutex::default() }
    }

    /// The client; `group` becomes its own if it has to be made.
    pub fn client(&self, group: Option<&String>) -> Result<Arc<Native>, Error> {
        let mut native = self.native.lock().expect("no holder panics");
        if let Some(native) = &*native {
            return Ok(Arc::clone(native));
        }
        let group = group.filter(|group| !group.is_empty()).map_or(NAMELESS, String::as_str);
        let own = [("group.id", group), ("enable.auto.commit", "false")];
        let own = own.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let properties = [self.config.entries(), own.to_vec()].concat();
        let made = Arc::new(Native::open(Kind::Consumer, &properties, self.config.log())?);
        *native = Some(Arc::clone(&made));
        Ok(made)
    }

    /// The next one to ask is to look up anew who the coordinators are. librdkafka remembers them
    /// for as long as it asks them, whatever they answer (rd_kafka_coord_cache in
    /// rdkafka_coord.c).
    pub fn forget(&self) {
        *self.native.lock().expect("no holder panics") = None;
    }
}
