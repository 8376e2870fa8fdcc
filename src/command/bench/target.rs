//! The brokers of a benchmark.

use crate::bench::report::document::Brokers;
use crate::client::Config;
use crate::command::{Global, cluster};
use crate::embedded::Ephemeral;

/// Those of one side.
pub struct Target {
    pub config: Config,
    /// Ends with the run.
    own: Option<Ephemeral>,
    named: Brokers,
}

impl Target {
    /// Those of `-b`, and otherwise a broker of the run's own: no variable and no file may turn a
    /// benchmark on a cluster that others use.
    pub fn find(global: &Global) -> anyhow::Result<Target> {
        if global.brokers.is_some() {
            let named = Brokers { addresses: global.brokers.clone(), durability: None };
            return Ok(Target { config: cluster::connect(global)?.config, own: None, named });
        }
        let own = Ephemeral::start(global.connect_timeout)?;
        let alone = Global {
            brokers: Some(own.addresses()),
            // As in kcat: no file at all.
            config: vec!["-".into()],
            profile: None,
            ..global.clone()
        };
        let named = Brokers { addresses: None, durability: Some("os".to_owned()) };
        Ok(Target { config: cluster::connect(&alone)?.config, own: Some(own), named })
    }

    /// What the result says of them.
    pub fn named(&self) -> &Brokers {
        &self.named
    }

    /// Whether they end with the benchmark, topics and all.
    pub fn is_own(&self) -> bool {
        self.own.is_some()
    }
}
