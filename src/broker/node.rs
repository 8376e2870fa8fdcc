//! The broker as its requests see it: who it is, what it allows, where its topics are.
//! Never knows: sockets.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::auth::Doorkeeper;
use super::cluster::Cluster;
use super::config::Settings;
use super::fetch_session::Sessions;
use super::group::Groups;
use super::session::{Entrance, Guests, Session};
use super::topic::housekeeping::{Background, tidy_in_leaving};
use super::topic::{NewTopic, Topics, now};
use super::{Durability, Guise, Identity, Options, ServerHandle, StartError};
use crate::protocol::{NodeId, Text};
use crate::record::Timestamp;

/// Where Metadata sends the clients of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertised {
    /// `None`: the address by which the client came.
    host: Option<Text>,
    port: u16,
}

impl Advertised {
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Both loopbacks have this port: a client may use the name for either.
    pub fn localhost(port: u16) -> Advertised {
        Advertised { host: Some("localhost".into()), port }
    }

    pub fn of(host: &str, port: u16, advertise: Option<&(String, u16)>) -> Advertised {
        if let Some((host, advertised_port)) = advertise {
            // Port 0 stands for the real one, which nobody could know beforehand.
            let port = if *advertised_port == 0 { port } else { *advertised_port };
            return Advertised { host: Some(host.as_str().into()), port };
        }
        let host = host.trim_matches(['[', ']']);
        let is_wildcard = matches!(host, "" | "*" | "0.0.0.0" | "::");
        Advertised { host: (!is_wildcard).then(|| host.into()), port }
    }
}

/// Settings that every request or connection meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub request_bytes_max: usize,
    /// Of one request of a client that has not shown the secret.
    pub stranger_bytes_max: usize,
    pub idle_max: Option<Duration>,
    pub fetch_bytes_max: u32,
    pub auto_create: bool,
    pub delete_topics: bool,
    /// Of what a client says beside an offset, in characters as Java counts them.
    pub offset_metadata_max: usize,
}

impl Limits {
    fn of(settings: &Settings) -> Limits {
        let count = |name| usize::try_from(settings.number(name)).unwrap_or(usize::MAX);
        let idle = u64::try_from(settings.number("connections.max.idle.ms")).ok();
        Limits {
            request_bytes_max: count("socket.request.max.bytes"),
            stranger_bytes_max: count("sasl.server.max.receive.size"),
            idle_max: idle.map(Duration::from_millis),
            fetch_bytes_max: u32::try_from(settings.number("fetch.max.bytes")).unwrap_or(u32::MAX),
            auto_create: settings.boolean("auto.create.topics.enable"),
            delete_topics: settings.boolean("delete.topic.enable"),
            offset_metadata_max: count("offset.metadata.max.bytes"),
        }
    }
}

pub struct Node {
    pub identity: Identity,
    pub cluster_id: Text,
    pub cluster: Cluster,
    pub limits: Limits,
    pub topics: Arc<Topics>,
    pub groups: Arc<Groups>,
    pub handle: ServerHandle,
    pub started_at: Timestamp,
    pub linger: Option<Duration>,
    pub guests: Guests,
    fetch_sessions: Mutex<Sessions>,
    /// The directory goes when the broker does.
    pub is_ephemeral: bool,
    /// Who decides on clients on the door.
    pub keeper: Option<Doorkeeper>,
    door_port: Option<u16>,
    advertised: Vec<Advertised>,
}

impl Node {
    pub fn open(
        options: Options,
        advertised: Vec<Advertised>,
        door_port: Option<u16>,
        handle: ServerHandle,
    ) -> Result<Node, StartError> {
        let settings = Settings::parse(&options.settings)
            .map_err(|error| StartError::Setting(error.to_string()))?;
        for name in settings.without_effect() {
            tracing::warn!(name, "this setting has no effect on this broker");
        }
        let settings = say_what_is_so(settings, &options, &advertised);
        let cluster = cluster(&options);
        let identity = options.identity;
        let door = options.door.zip(door_port);
        let keeper = door.map(|(door, port)| Doorkeeper::new(door.secret, port));
        let topics = Topics::open(options.data_dir, &identity, settings, options.durability)?;
        let topics = Arc::new(topics);
        let slots = topics.settings().number("max.incremental.fetch.session.cache.slots");
        // Ids of another life of this broker must not be taken for this one's.
        let fetch_sessions = Sessions::new(usize::try_from(slots).unwrap_or(0), random());
        let fetch_sessions = Mutex::new(fetch_sessions);
        let node = Node {
            cluster_id: identity.cluster_id.as_str().into(),
            identity,
            cluster,
            limits: Limits::of(&topics.settings()),
            groups: Arc::new(Groups::open(topics.clone())),
            topics,
            handle,
            started_at: now(),
            linger: options.linger,
            guests: Guests::default(),
            fetch_sessions,
            is_ephemeral: options.is_ephemeral,
            keeper,
            door_port,
            advertised,
        };
        if let Err(error) = node.create_missing(&options.topics) {
            // Nobody has used it: it stops as cleanly as it was found.
            node.close()?;
            return Err(error);
        }
        Ok(node)
    }

    /// The topics that were asked for on the command line.
    fn create_missing(&self, wanted: &[super::TopicSpec]) -> Result<(), StartError> {
        let missing = wanted.iter().filter(|topic| self.topics.get(&topic.name).is_none());
        let missing: Vec<_> = missing
            .map(|topic| NewTopic {
                name: topic.name.as_str().into(),
                partitions: topic.partitions,
                ..NewTopic::default()
            })
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        for (topic, created) in missing.iter().zip(self.topics.create(&missing)) {
            created.map_err(|error| StartError::Topic {
                name: topic.name.to_string(),
                why: error.to_string(),
            })?;
        }
        Ok(())
    }

    pub fn start_background(&self) -> Background {
        Background::start(self.topics.clone())
    }

    pub fn fetch_sessions(&self) -> MutexGuard<'_, Sessions> {
        self.fetch_sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It may change while the broker runs.
    pub fn connections_max(&self) -> usize {
        usize::try_from(self.topics.settings().number("max.connections")).unwrap_or(usize::MAX)
    }

    pub fn id(&self) -> NodeId {
        NodeId(self.identity.node_id)
    }

    /// The node of the cluster that this client takes us for.
    pub fn visited(&self, session: &Session) -> NodeId {
        match session.entrance {
            Entrance::Public(n) if 1 < self.cluster.size() => self.cluster.id(n),
            Entrance::Public(_) | Entrance::Door => self.id(),
        }
    }

    /// The nodes that this client may connect to, and where.
    pub fn nodes(&self, session: &Session) -> impl Iterator<Item = (NodeId, (Text, i32))> {
        let at = |n| match self.cluster.size() {
            1 => session.entrance,
            _ => Entrance::Public(n),
        };
        let nodes = self.cluster.ids().enumerate();
        nodes.map(move |(n, id)| (id, self.address(at(n), session)))
    }

    /// The node that looks after a group.
    pub fn coordinator(&self, group: &str) -> NodeId {
        self.cluster.leader(self.groups.store().place_of(group))
    }

    /// Where a client of one listener finds the one behind another.
    fn address(&self, entrance: Entrance, session: &Session) -> (Text, i32) {
        match entrance {
            Entrance::Door => (
                session.local.ip().to_canonical().to_string().into(),
                i32::from(self.door_port.unwrap_or(session.local.port())),
            ),
            Entrance::Public(n) => {
                let Advertised { host, port } = &self.advertised[n];
                let came_by = || session.local.ip().to_canonical().to_string().into();
                (host.clone().unwrap_or_else(came_by), i32::from(*port))
            }
        }
    }

    /// The listeners' addresses, for status.
    pub fn listeners(&self) -> Vec<(String, u16)> {
        let public = self.advertised.iter().map(|advertised| {
            (advertised.host.as_deref().unwrap_or("0.0.0.0").to_owned(), advertised.port)
        });
        public.collect()
    }

    pub fn door_port(&self) -> Option<u16> {
        self.door_port
    }

    pub fn durability(&self) -> Durability {
        self.topics.durability()
    }

    /// The clean end: afterwards the directory is as Apache Kafka would leave it.
    pub fn close(&self) -> Result<(), StartError> {
        let closed = tokio::task::block_in_place(|| {
            if !self.is_ephemeral {
                self.groups.expire(now());
                tidy_in_leaving(&self.topics);
            }
            self.topics.close()
        });
        let path = self.topics.data_dir.to_path_buf();
        closed.map_err(|error| StartError::Directory { path, error })
    }
}

fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(())
}

fn cluster(options: &Options) -> Cluster {
    let size = match options.guise {
        Guise::OneNode => 1,
        Guise::NodePerListener => options.listeners.len(),
    };
    Cluster::new(NodeId(options.identity.node_id), size)
}

/// Settings that other options decide, as DescribeConfigs is to show them.
fn say_what_is_so(
    mut settings: Settings,
    options: &Options,
    advertised: &[Advertised],
) -> Settings {
    // Who starts a consumer waits for its first record; `--timings kafka` is for who does not.
    settings.insert_if_unset("group.initial.rebalance.delay.ms", "0");
    // Apache's 128 MiB are more than all else that a small broker needs.
    settings.insert_if_unset("log.cleaner.dedupe.buffer.size", "33554432");
    // Apache's 100 MiB are never compacted before they are full, and a start reads them all.
    settings.insert_if_unset("offsets.topic.segment.bytes", "4194304");
    let node = options.identity.node_id.to_string();
    settings.insert("node.id", node.clone());
    settings.insert("broker.id", node);
    settings.insert("process.roles", "broker,controller".into());
    settings.insert("controller.listener.names", "CONTROLLER".into());
    settings.insert("log.dirs", options.data_dir.display().to_string());
    let listeners = options.listeners.iter().zip(advertised);
    let listeners: Vec<_> = listeners
        .map(|(listener, bound)| format!("PLAINTEXT://{}:{}", listener.host, bound.port))
        .collect();
    if !listeners.is_empty() {
        settings.insert("listeners", listeners.join(","));
    }
    settings
}
