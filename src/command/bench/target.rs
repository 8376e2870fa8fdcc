//! The brokers that are measured.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use crate::bench::plan::{Durability, Workload};
use crate::bench::report::document::Brokers;
use crate::client::Config;
use crate::command::{Global, Usage, cluster};
use crate::embedded::Ephemeral;

/// The brokers of one side.
#[derive(Clone)]
pub enum Target {
    Named {
        config: Box<Config>,
        addresses: String,
        words: Vec<OsString>,
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
    /// What brings another kaw to the same brokers.
    pub words: Vec<OsString>,
    /// Ends with the run.
    own: Option<Ephemeral>,
    durability: Option<Durability>,
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
                Ok(Target::Named { config, addresses: addresses.clone(), words: words(global) })
            }
        }
    }

    /// Those of `--versus`.
    pub fn versus(global: &Global, addresses: &str) -> anyhow::Result<Target> {
        let brokers = Some(addresses.to_owned());
        Target::find(&Global { brokers, ..global.clone() }, None)
    }

    pub fn open(&self) -> anyhow::Result<Opened> {
        match self {
            Target::Named { config, words, .. } => Ok(Opened {
                config: (**config).clone(),
                words: words.clone(),
                own: None,
                durability: None,
            }),
            Target::Own { global, durability } => {
                let own = start(*durability, global.connect_timeout)?;
                let alone = Global {
                    brokers: Some(own.addresses()),
                    // As in kcat: no file at all.
                    config: vec!["-".into()],
                    profile: None,
                    ..(**global).clone()
                };
                let (config, words) = (cluster::connect(&alone)?.config, words(&alone));
                Ok(Opened { config, words, own: Some(own), durability: Some(*durability) })
            }
        }
    }

    /// What the result says of them.
    pub fn named(&self, workload: Workload) -> Brokers {
        match self {
            _ if !workload.has_brokers() => Brokers { addresses: None, durability: None },
            Target::Named { addresses, .. } => {
                Brokers { addresses: Some(addresses.clone()), durability: None }
            }
            Target::Own { durability, .. } => {
                Brokers { addresses: None, durability: Some(durability.name().to_owned()) }
            }
        }
    }
}

impl Opened {
    /// Whether the brokers end with the run, topics and all.
    pub fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Where they make durable what they acknowledge, if they do and one knows.
    pub fn disk(&self) -> Option<&Path> {
        let own = self.own.as_ref().filter(|_| self.durability == Some(Durability::Fsync));
        own.map(Ephemeral::dir)
    }
}

fn words(global: &Global) -> Vec<OsString> {
    let Global { brokers, config, profile, .. } = global;
    let brokers = brokers.iter().flat_map(|brokers| ["-b".into(), brokers.into()]);
    let config = config.iter().flat_map(|path| ["-F".into(), path.into()]);
    let profile = profile.iter().flat_map(|profile| ["--profile".into(), profile.into()]);
    brokers.chain(config).chain(profile).collect()
}

fn start(durability: Durability, patience: Duration) -> Result<Ephemeral, crate::embedded::Error> {
    match durability {
        Durability::Os => Ephemeral::start(patience),
        Durability::Fsync => Ephemeral::durable(patience),
    }
}
