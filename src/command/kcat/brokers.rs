//! Where the brokers come from when kcat's own options and files name none.

use std::path::PathBuf;
use std::time::Duration;

use super::say::{Ended, raw};
use crate::client::bare::Settings;
use crate::command::cluster::settings;
use crate::embedded::{self, Lease, Place};

/// How long the built-in broker may take to be there.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes the brokers of the environment, or else the built-in one, which stays as long as the
/// lease is held.
pub fn choose(own: &mut Settings) -> Result<Option<Lease>, Ended> {
    let wrong = |why: String| {
        raw(&format!("% ERROR: {why}\n"));
        Ended::With(1)
    };
    if let Some((_, brokers)) = settings::brokers_of_environment() {
        own.set("bootstrap.servers", &brokers).map_err(wrong)?;
        return Ok(None);
    }
    let data_dir = std::env::var_os("KAW_DATA_DIR").map(PathBuf::from);
    let place = Place::new(data_dir.as_deref(), PATIENCE, crate::command::stdio::tell);
    let lease = place.and_then(|place| embedded::lease(&place));
    let lease = lease.map_err(|error| wrong(error.to_string()))?;
    for (name, value) in lease.client_settings() {
        own.set(name, &value).map_err(wrong)?;
    }
    Ok(Some(lease))
}
