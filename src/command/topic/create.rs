//! `kaw topic create` and `kaw topic delete`.

use super::setting;
use crate::client::admin::{Admin, NewTopic, Run};
use crate::client::nearest::similar;
use crate::client::{Code, Error, is_topic_name};
use crate::command::Exit;
use crate::command::admin::{report, said};
use crate::command::stdio::tell;

/// Create topics; what is not given is left to the broker
#[derive(clap::Args, Debug)]
pub struct Create {
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// How many partitions
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// On how many brokers each partition is
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    replicas: Option<i32>,
    /// A setting, such as retention.ms=3600000
    #[arg(short, long = "set", value_name = "KEY=VALUE")]
    configs: Vec<String>,
    /// A topic that is there already is no error
    #[arg(long)]
    if_not_exists: bool,
    /// Only ask whether it could be done
    #[arg(long)]
    dry_run: bool,
}

/// Delete topics and all their records
#[derive(clap::Args, Debug)]
pub struct Delete {
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// A topic that is not there is no error
    #[arg(long)]
    if_exists: bool,
}

impl Create {
    /// The topics to make; an error where no name can be a topic's.
    pub fn topics(&self) -> anyhow::Result<Vec<NewTopic>> {
        let configs =
            self.configs.iter().map(|pair| setting(pair)).collect::<Result<Vec<_>, _>>()?;
        let topic = |name: &String| NewTopic {
            name: name.clone(),
            partitions: self.partitions,
            replicas: self.replicas,
            configs: configs.clone(),
        };
        let topics: Vec<_> =
            self.names.iter().filter(|name| is_topic_name(name)).map(topic).collect();
        match (topics.is_empty(), self.bad_names().next()) {
            (true, Some(bad)) => Err(bad.into()),
            _ => Ok(topics),
        }
    }

    pub fn run(&self, admin: &Admin, topics: &[NewTopic]) -> anyhow::Result<Exit> {
        let run = if self.dry_run { Run::Dry } else { Run::Real };
        let done = if self.dry_run { "can be created" } else { "created" };
        let answers = admin.create(topics, run)?;
        let exit = report(&answers, |name, answer| match answer {
            Ok(()) => Ok(format!("{name} {done}")),
            Err(refusal) if refusal.code == Code::TOPIC_ALREADY_EXISTS => {
                match self.if_not_exists {
                    true => Ok(format!("{name} exists")),
                    false => {
                        Err(format!("topic '{name}' exists already; --if-not-exists allows that"))
                    }
                }
            }
            Err(refusal) => Err(format!("cannot create '{name}': {}", said(refusal))),
        })?;
        let misused = self.bad_names().map(|bad| tell(&bad.to_string())).count();
        Ok(if exit == Exit::Done && 0 < misused { Exit::Misused } else { exit })
    }

    fn bad_names(&self) -> impl Iterator<Item = Error> {
        let bad = self.names.iter().filter(|name| !is_topic_name(name));
        bad.map(|name| Error::Topic { name: name.clone() })
    }
}

impl Delete {
    pub fn run(&self, admin: &Admin) -> anyhow::Result<Exit> {
        let answers = admin.delete(&self.names)?;
        report(&answers, |name, answer| match answer {
            Ok(()) => Ok(format!("{name} deleted")),
            Err(refusal) if refusal.code == Code::UNKNOWN_TOPIC_OR_PART => match self.if_exists {
                true => Ok(format!("{name} does not exist")),
                false => {
                    let topics = admin.topics().unwrap_or_default();
                    let similar = similar(name, topics.iter().map(|topic| topic.name.as_str()));
                    Err(format!("topic '{name}' does not exist{similar}; --if-exists allows that"))
                }
            },
            Err(refusal) => Err(format!("cannot delete '{name}': {}", said(refusal))),
        })
    }
}
