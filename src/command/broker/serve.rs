//! `kaw broker`: serves in the foreground, until it is stopped.

use std::io::{self, IsTerminal, Write};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::time::{Duration, Instant};

use anyhow::anyhow;

use super::control::stop_command;
use super::host::{self, Wish};
use super::{address, taken};
use crate::broker::home::{Claim, Contender, Home, Mode, Notice};
use crate::broker::{Durability, Guise, Listener, Ready, StartError, TopicSpec, detach};
use crate::command::{Exit, Global, Usage, interrupt, note};
use crate::embedded::{Control, Place};

/// A broker that starts or leaves has this long to say who it is.
const STARTING: Duration = Duration::from_secs(1);

#[derive(clap::Args, Debug)]
pub struct Args {
    /// Listen here, not on port 9092 of 127.0.0.1 and [::1]; port 0 takes a free one
    #[arg(long, value_name = "[NAME://]HOST:PORT", value_parser = address::listener)]
    listen: Vec<Listener>,
    /// The address that clients are told to connect to
    #[arg(long, value_name = "HOST:PORT", value_parser = address::host_and_port)]
    advertise: Option<(String, u16)>,
    /// Keep the data in a temporary directory, gone at exit
    #[arg(long)]
    ephemeral: bool,
    /// Set one of Kafka's broker configs
    #[arg(short = 'c', value_name = "KEY=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
    /// What acks=all waits for: fsync (the disk) or os (the write)
    #[arg(long, value_name = "fsync|os", value_parser = host::durability)]
    durability: Option<Durability>,
    /// Wait as long as Apache Kafka does where this broker would not: before the first rebalance
    #[arg(long, value_name = "kafka", value_parser = timings)]
    timings: Option<Timings>,
    /// Create this topic at start if it is not there
    #[arg(long = "topic", value_name = "NAME[:PARTITIONS]", value_parser = topic)]
    topics: Vec<TopicSpec>,
}

/// Whose waits are kept.
#[derive(Clone, Copy, Debug)]
enum Timings {
    Kafka,
}

impl Timings {
    /// As Apache's defaults have it; a setting of one's own comes later and wins.
    fn settings(timings: Option<Timings>) -> impl Iterator<Item = (String, String)> {
        let Some(Timings::Kafka) = timings else { return None.into_iter() };
        Some(("group.initial.rebalance.delay.ms".to_owned(), "3000".to_owned())).into_iter()
    }
}

fn timings(text: &str) -> Result<Timings, String> {
    match text {
        "kafka" => Ok(Timings::Kafka),
        _ => Err(format!("'{text}' is nobody's timings; write kafka")),
    }
}

pub fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    start_log(global.verbose);
    detach::keep_private();
    detach::raise_open_files();
    detach::outlive_limits()?;
    let listeners = listeners(&args)?;
    let home = match args.ephemeral {
        true => Home::temporary()?,
        false => take(global, &listeners)?,
    };
    let usual = if args.ephemeral { Durability::Os } else { Durability::Fsync };
    let durability = args.durability.unwrap_or(usual);
    let is_kept = !args.ephemeral;
    let place = match args.ephemeral {
        true => "a temporary directory".to_owned(),
        false => home.dir().display().to_string(),
    };
    let wish = Wish {
        mode: Mode::Foreground,
        listeners,
        guise: Guise::OneNode,
        has_door: !args.ephemeral,
        settings: Timings::settings(args.timings).chain(args.settings).collect(),
        durability,
        topics: args.topics,
        linger: None,
    };
    let ready = |ready: &Ready, announced: Result<(), _>| {
        show_addresses(ready);
        note(global, &format!("serving {place} to everyone who can connect, without a password"));
        if io::stderr().is_terminal() {
            note(global, "Ctrl-C stops it");
        }
        if durability == Durability::Os && !args.ephemeral {
            note(global, "with durability os, acks=all does not wait for the disk");
        }
        if let Err(error) = announced {
            note(global, &format!("other commands will not find this broker: {error}"));
        }
    };
    interrupt::note_echo()?;
    host::serve(home, wish, ready).map_err(taken::explain)?;
    if io::stderr().is_terminal() {
        note(global, if is_kept { "stopped; all of it is on the disk" } else { "stopped" });
    }
    Ok(Exit::Done)
}

/// Lifecycle events are of interest to who asks for them; troubles to everyone.
fn start_log(verbose: u8) {
    let level = match verbose {
        0 => tracing::Level::WARN,
        1 => tracing::Level::INFO,
        _ => tracing::Level::DEBUG,
    };
    host::log_to(level, io::stderr());
}

fn listeners(args: &Args) -> anyhow::Result<Vec<Listener>> {
    let mut listeners = match args.listen.is_empty() {
        true => vec![address::usual()],
        false => args.listen.clone(),
    };
    if args.advertise.is_some() {
        let [listener] = listeners.as_mut_slice() else {
            let why = "--advertise goes with one --listen, so that it is clear whose address it is";
            return Err(Usage(why.to_owned()).into());
        };
        listener.advertise = args.advertise.clone();
    }
    Ok(listeners)
}

/// One address a line, ready to be pasted behind `-b`. Who closed stdout does not want them.
fn show_addresses(ready: &Ready) {
    let mut stdout = io::stdout().lock();
    for address in &ready.addresses {
        let _ = writeln!(stdout, "{address}");
    }
    let _ = stdout.flush();
}

/// Takes the data directory, also from the broker that some command started.
fn take(global: &Global, listeners: &[Listener]) -> anyhow::Result<Home> {
    let place = Place::new(global.data_dir.as_deref(), global.connect_timeout, |_| {})?;
    let deadline = Instant::now() + global.connect_timeout;
    crate::broker::check(&place.data_dir)?;
    let mut claim = Home::claim(&place.data_dir)?;
    loop {
        let contender = match claim {
            Claim::Won(home) => return Ok(*home),
            Claim::Held(contender) => contender,
        };
        if deadline <= Instant::now() {
            return Err(contender.refusal().into());
        }
        claim = match contender.served_by() {
            Some(notice) if notice.mode == Mode::Foreground => {
                return Err(already_served(&place, &notice));
            }
            Some(notice) => {
                // Before it is sent away for nothing.
                check_free(listeners)?;
                ask_to_leave(&contender, &notice, deadline)?;
                contender.wait(deadline)?
            }
            None => contender.wait(deadline.min(Instant::now() + STARTING))?,
        };
        if let Claim::Held(contender) = &claim
            && contender.served_by().is_none()
        {
            return Err(contender.refusal().into());
        }
    }
}

fn already_served(place: &Place, notice: &Notice) -> anyhow::Error {
    let (dir, pid) = (place.data_dir.display(), notice.pid);
    let there = match notice.listeners.as_slice() {
        [] => String::new(),
        some => format!(" on {}", some.join(" and ")),
    };
    anyhow!(
        "{dir} is served already by kaw (pid {pid}){there}; use that, stop it with `{}`, or choose \
         another directory with --data-dir",
        stop_command(&place.data_dir)
    )
}

fn check_free(listeners: &[Listener]) -> anyhow::Result<()> {
    for Listener { host, port, .. } in listeners {
        let addresses = (host.as_str(), *port).to_socket_addrs();
        for address in addresses.into_iter().flatten() {
            probe(address)?;
        }
    }
    Ok(())
}

fn probe(address: SocketAddr) -> anyhow::Result<()> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(taken::explain(StartError::Listen { address: address.to_string(), error }))
        }
    }
}

/// An automatic broker gives way. One that cannot be asked is on its way out, or is as good as
/// dead: whoever waits for the lock will see.
fn ask_to_leave(contender: &Contender, notice: &Notice, deadline: Instant) -> anyhow::Result<()> {
    if !notice.place.is_here() {
        return Err(contender.refusal().into());
    }
    if let Ok(mut control) = Control::open(notice, deadline) {
        let _ = control.leave("kaw broker takes the directory over");
    }
    Ok(())
}

fn setting(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| !key.trim().is_empty());
    let (key, value) = pair.ok_or_else(|| format!("'{text}' is no setting; write KEY=VALUE"))?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

fn topic(text: &str) -> Result<TopicSpec, String> {
    let Some((name, count)) = text.split_once(':') else {
        return Ok(TopicSpec { name: text.to_owned(), partitions: None });
    };
    match count.parse() {
        Ok(partitions) if 0 < partitions => {
            Ok(TopicSpec { name: name.to_owned(), partitions: Some(partitions) })
        }
        _ => Err(format!("'{count}' is no number of partitions; write NAME or NAME:3")),
    }
}
