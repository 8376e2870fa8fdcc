//! Serves a data directory that this process holds: what is the same for every kind of broker.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::broker::home::{self, Home, Locality, Mode, Notice};
use crate::broker::life::Action;
use crate::broker::{
    self, Door, Durability, Guise, Journal, Listener, Options, Ready, StartError, TopicSpec,
};

/// Ports tried before the system is left to pick one.
const PORT_TRIES_MAX: usize = 50;

/// What the kinds of brokers differ in.
pub struct Wish {
    pub mode: Mode,
    pub listeners: Vec<Listener>,
    pub guise: Guise,
    /// Whether other commands are to find this broker.
    pub has_door: bool,
    pub settings: Vec<(String, String)>,
    pub durability: Durability,
    pub topics: Vec<TopicSpec>,
    pub linger: Option<Duration>,
}

/// The directory, and what is said of it while the broker serves.
struct Plate {
    home: Home,
    notice: Option<Notice>,
}

impl Plate {
    fn put_up(&mut self, mode: Mode, ready: &Ready) -> Result<(), home::Error> {
        let Some(port) = ready.door_port else { return Ok(()) };
        let notice = self.notice.insert(notice_of(&self.home, mode, port, ready));
        self.home.keep_port(port)?;
        self.home.announce(notice)
    }

    fn on(&mut self, action: Action) -> Result<(), home::Error> {
        if action == Action::Leave {
            tracing::info!("leaving");
        }
        match (action, &self.notice) {
            (Action::Announce, Some(notice)) => self.home.announce(notice),
            (Action::Announce, None) => Ok(()),
            (Action::Withdraw | Action::Leave, _) => self.home.withdraw(),
        }
    }
}

/// Serves until the broker leaves. `ready` hears the addresses, and whether other commands will
/// find the broker.
pub fn serve(
    home: Home,
    wish: Wish,
    ready: impl FnOnce(&Ready, Result<(), home::Error>),
) -> Result<(), StartError> {
    let mode = wish.mode;
    let mut options = options(&home, wish);
    let plate = Arc::new(Mutex::new(Plate { home, notice: None }));
    let kept = Arc::clone(&plate);
    options.plate = Box::new(move |action| {
        // It is no reason to stop serving if the disk is full just now.
        let _ = lock(&kept).on(action);
    });
    let on_ready = |facts: &Ready| {
        let announced = lock(&plate).put_up(mode, facts);
        let (version, pid) = (env!("CARGO_PKG_VERSION"), std::process::id());
        tracing::info!(version, pid, door = facts.door_port, listeners = ?facts.addresses, "ready");
        ready(facts, announced);
    };
    // The directory is given up after the broker has closed everything in it.
    let served = broker::run(options, on_ready);
    tracing::info!("gone");
    served
}

/// Nothing panics while it is held, so it cannot be poisoned.
fn lock(plate: &Mutex<Plate>) -> MutexGuard<'_, Plate> {
    plate.lock().unwrap_or_else(PoisonError::into_inner)
}

fn options(home: &Home, wish: Wish) -> Options {
    let door = wish.has_door.then(|| Door {
        port: home.door().port.unwrap_or_else(free_port),
        secret: home.door().secret.clone(),
    });
    Options {
        data_dir: home.dir().to_owned(),
        identity: home.identity().clone(),
        listeners: wish.listeners,
        guise: wish.guise,
        door,
        settings: wish.settings,
        durability: wish.durability,
        topics: wish.topics,
        linger: wish.linger,
        is_ephemeral: home.is_temporary(),
        plate: Box::new(|_| {}),
    }
}

fn notice_of(home: &Home, mode: Mode, port: u16, ready: &Ready) -> Notice {
    Notice {
        port,
        secret: home.door().secret.clone(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        mode,
        place: Locality::here(),
        listeners: ready.addresses.iter().map(ToString::to_string).collect(),
    }
}

/// A port for the door's whole life. Not from the range out of which the kernel serves outgoing
/// connections: another program's could hold it when the broker comes back, and a client that
/// tries again and again can even connect to itself there (TCP's simultaneous open).
fn free_port() -> u16 {
    let candidates = (0..PORT_TRIES_MAX).map(|_| home::random_port());
    let free = |&port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    candidates.into_iter().find(free).unwrap_or(0)
}

/// The `durability` of settings, taken out of them: Kafka has no such setting.
pub fn take_durability(settings: &mut Vec<(String, String)>) -> Result<Option<Durability>, String> {
    let mut found = None;
    for (_, value) in settings.extract_if(.., |(key, _)| key == "durability") {
        found = Some(durability(&value)?);
    }
    Ok(found)
}

pub fn durability(text: &str) -> Result<Durability, String> {
    match text {
        "fsync" => Ok(Durability::Fsync),
        "os" => Ok(Durability::Os),
        _ => Err(format!("'{text}' is no durability; write fsync or os")),
    }
}

/// Sends the broker's log where it is to go.
pub fn log_to(level: tracing::Level, writer: impl Write + Send + 'static) {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(Mutex::new(Journal::new(writer)))
        .with_ansi(false)
        .with_target(false);
    // A second one in a process would be a mistake of ours, and no reason not to serve.
    let _ = subscriber.try_init();
}
