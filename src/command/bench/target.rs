//! The brokers that are measured.

use std::time::Duration;

use crate::bench::report::document::Brokers;
use crate::client::Config;
use crate::command::{Global, Usage, cluster};
use crate::embedded::Ephemeral;

/// What an ephemeral broker does before it acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Durability {
    /// Leaves it to the operating system when it is on disk
    Os,
    /// Waits for the disk
    Fsync,
}

/// The brokers of one side.
pub enum Target {
    Named {
        config: Box<Config>,
        addresses: String,
    },
    /// A broker of the run's own, new for each run: no run finds what another left behind, in
    /// memory or on disk.
    Own {
        global: Box<Global>,
        durability: Durability,
    },
}

/// A target for one run.
pub struct Opened {
    pub config: Config,
    /// Ends with the run.
    own: Option<Ephemeral>,
}

impl Target {
    /// Those of `-b`, and otherwise a broker of the run's own: no variable and no file may turn a
    /// benchmark on a cluster that others use.
    pub fn find(global: &Global, durability: Option<Durability>) -> anyhow::Result<Target> {
        match (&global.brokers, durability) {
            (None, _) => {
                let (global, durability) =
                    (Box::new(global.clone()), durability.unwrap_or(Durability::Os));
                Ok(Target::Own { global, durability })
            }
            (Some(_), Some(_)) => {
                let said = "--durability is of the benchmark's own broker; -b names others";
                Err(Usage(said.to_owned()).into())
            }
            (Some(addresses), None) => {
                let config = Box::new(cluster::connect(global)?.config);
                Ok(Target::Named { config, addresses: addresses.clone() })
            }
        }
    }

    pub fn open(&self) -> anyhow::Result<Opened> {
        match self {
            Target::Named { config, .. } => Ok(Opened { config: (**config).clone(), own: None }),
            Target::Own { global, durability } => {
                let own = start(*durability, global.connect_timeout)?;
                let alone = Global {
                    brokers: Some(own.addresses()),
                    // As in kcat: no file at all.
                    config: vec!["-".into()],
                    profile: None,
                    ..(**global).clone()
                };
                Ok(Opened { config: cluster::connect(&alone)?.config, own: Some(own) })
            }
        }
    }

    /// What the result says of them.
    pub fn named(&self) -> Brokers {
        match self {
            Target::Named { addresses, .. } => {
                Brokers { addresses: Some(addresses.clone()), durability: None }
            }
            Target::Own { durability, .. } => {
                let durability = match durability {
                    Durability::Os => "os",
                    Durability::Fsync => "fsync",
                };
                Brokers { addresses: None, durability: Some(durability.to_owned()) }
            }
        }
    }
}

impl Opened {
    /// Whether the brokers end with the run, topics and all.
    pub fn is_own(&self) -> bool {
        self.own.is_some()
    }
}

fn start(durability: Durability, patience: Duration) -> Result<Ephemeral, crate::embedded::Error> {
    match durability {
        Durability::Os => Ephemeral::start(patience),
        Durability::Fsync => Ephemeral::durable(patience),
    }
}
