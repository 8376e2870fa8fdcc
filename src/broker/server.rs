//! Listeners, connections and the orderly end of a broker.
//! Never knows: what a request means.

use std::io::ErrorKind::AddrInUse;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::connection;
use super::life;
use super::node::{Advertised, Node};
use super::session::{Entrance, Guest, Session, Standing};
use super::topic::now;
use super::{Listener, Options, Ready, StartError};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// A throttled disk can block a write for long: two stuck appends must not stop the rest.
const WORKERS_MIN: usize = 4;

/// Syncs, rolls, cold reads, and whoever waits for a log; beyond this they queue. A thread that has
/// nothing to do ends soon.
const BLOCKING_THREADS_MAX: usize = 512;

/// How long clients are given to take what they are owed when the broker leaves.
const FAREWELL: Duration = Duration::from_secs(3);

/// How long the door's port may still belong to a broker that was just killed, and how often that
/// is looked at.
const DOOR_PATIENCE: Duration = Duration::from_secs(1);
const DOOR_PAUSE: Duration = Duration::from_millis(2);

/// Who is connected. A connection to the door counts from the moment it knew the secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// On the listeners without a password.
    pub clients: usize,
    /// On the door: leases and the clients that belong to them.
    pub guests: usize,
}

/// What the rest of the process may ask of a running server.
#[derive(Clone)]
pub struct ServerHandle {
    census: watch::Sender<Census>,
    leave: watch::Sender<bool>,
}

impl ServerHandle {
    fn new() -> ServerHandle {
        ServerHandle {
            census: watch::Sender::new(Census::default()),
            leave: watch::Sender::new(false),
        }
    }

    /// Changes whenever somebody connects or leaves.
    pub fn census(&self) -> watch::Receiver<Census> {
        self.census.subscribe()
    }

    /// Whether somebody asked the broker to leave: a signal, or Leave on the door.
    pub fn leave_asked(&self) -> watch::Receiver<bool> {
        self.leave.subscribe()
    }

    pub fn is_leaving(&self) -> bool {
        *self.leave.borrow()
    }

    /// Ask it to leave.
    pub fn leave(&self) {
        self.leave.send_replace(true);
    }

    /// Counts a connection for as long as the value lives.
    fn count(&self, entrance: Entrance) -> Counted {
        self.census.send_modify(|census| *census.of(entrance) += 1);
        Counted { census: self.census.clone(), entrance }
    }
}

impl Census {
    fn of(&mut self, entrance: Entrance) -> &mut usize {
        match entrance {
            Entrance::Public(_) => &mut self.clients,
            Entrance::Door => &mut self.guests,
        }
    }
}

struct Counted {
    census: watch::Sender<Census>,
    entrance: Entrance,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.census.send_modify(|census| *census.of(self.entrance) -= 1);
    }
}

/// Serves until it is told to leave.
pub(super) fn run(options: Options, on_ready: impl FnOnce(&Ready)) -> Result<(), StartError> {
    log_panics();
    let workers = std::thread::available_parallelism().map_or(1, usize::from).max(WORKERS_MIN);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_keep_alive(Duration::from_secs(2))
        .thread_name("kaw")
        .enable_all()
        .build()
        .map_err(StartError::System)?;
    // Accepting and leaving run on this thread, the clients on the workers: what keeps those busy
    // does not keep the broker from answering a new client.
    let served = runtime.block_on(serve(options, on_ready));
    runtime.shutdown_timeout(Duration::from_secs(1));
    served
}

async fn serve(mut options: Options, on_ready: impl FnOnce(&Ready)) -> Result<(), StartError> {
    let handle = ServerHandle::new();
    leave_on_signals(&handle).map_err(StartError::System)?;
    let bound = Bound::bind(&options)?;
    let (linger, plate) = (options.linger, std::mem::replace(&mut options.plate, Box::new(|_| {})));
    let node =
        Arc::new(Node::open(options, bound.advertised.clone(), bound.door_port, handle.clone())?);
    let background = node.start_background();
    let mut groups = JoinSet::new();
    groups.spawn(node.groups.clone().keep_time());
    groups.spawn(node.groups.clone().expire_on());
    let (closing, closed) = watch::channel(false);
    let ready = Ready { addresses: bound.addresses.clone(), door_port: bound.door_port };
    let mut accepting = JoinSet::new();
    for (listener, entrance) in bound.listeners {
        let acceptor = Acceptor { node: node.clone(), entrance, handle: handle.clone() };
        accepting.spawn(acceptor.accept_all(listener, closed.clone()));
    }
    on_ready(&ready);
    life::watch(linger, handle.census(), handle.leave_asked(), plate).await;
    accepting.shutdown().await;
    closing.send_replace(true);
    let mut census = handle.census();
    let alone = census.wait_for(|census| *census == Census::default());
    let _ = tokio::time::timeout(FAREWELL, alone).await;
    groups.shutdown().await;
    background.stop().await;
    node.close()
}

/// The listening sockets, and where Metadata sends clients.
struct Bound {
    listeners: Vec<(TcpListener, Entrance)>,
    addresses: Vec<SocketAddr>,
    door_port: Option<u16>,
    advertised: Vec<Advertised>,
}

impl Bound {
    fn bind(options: &Options) -> Result<Bound, StartError> {
        let mut bound = Bound {
            listeners: Vec::new(),
            addresses: Vec::new(),
            door_port: None,
            advertised: Vec::new(),
        };
        for (n, listener) in options.listeners.iter().enumerate() {
            bound.bind_public(n, listener)?;
        }
        bound.advertise_localhost(options);
        if let Some(door) = &options.door {
            let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
            // Somebody else may have taken the kept port meanwhile: any will do.
            let socket = listen_patiently((loopback, door.port).into())
                .or_else(|_| listen((loopback, 0).into()))
                .map_err(|error| refused("127.0.0.1", door.port, error))?;
            let port = local(&socket)?.port();
            bound.door_port = Some(port);
            bound.listeners.push((socket, Entrance::Door));
        }
        Ok(bound)
    }

    /// Where both loopbacks have a port, clients are sent to `localhost`: whichever they try works,
    /// and it is what every tutorial types.
    fn advertise_localhost(&mut self, options: &Options) {
        let bound_at = |address: IpAddr, port: u16| {
            self.addresses.iter().any(|bound| bound.ip() == address && bound.port() == port)
        };
        let advertised = options.listeners.iter().zip(&self.advertised).map(|(listener, was)| {
            let loopback = listener.host.trim_matches(['[', ']']);
            let is_loopback = loopback.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
            let both = bound_at(Ipv4Addr::LOCALHOST.into(), was.port())
                && bound_at(Ipv6Addr::LOCALHOST.into(), was.port());
            match listener.advertise.is_none() && is_loopback && both {
                true => Advertised::localhost(was.port()),
                false => was.clone(),
            }
        });
        self.advertised = advertised.collect();
    }

    fn bind_public(&mut self, n: usize, listener: &Listener) -> Result<(), StartError> {
        let Listener { host, port, advertise } = listener;
        let addresses = resolve(host).map_err(|error| refused(host, *port, error))?;
        // Every address of a name gets the same port, also where any is asked for.
        let mut port = *port;
        for (i, address) in addresses.iter().enumerate() {
            let socket = match listen((*address, port).into()) {
                Ok(socket) => socket,
                // A machine without IPv6 has only one loopback, and nobody misses the other.
                Err(error) if 0 < i && is_missing(&error) => continue,
                Err(error) => return Err(refused(&address.to_string(), port, error)),
            };
            let real = local(&socket)?;
            port = real.port();
            self.addresses.push(real);
            self.listeners.push((socket, Entrance::Public(n)));
        }
        self.advertised.push(Advertised::of(host, port, advertise.as_ref()));
        Ok(())
    }
}

fn is_missing(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::AddrNotAvailable | std::io::ErrorKind::Unsupported)
}

fn refused(host: &str, port: u16, error: std::io::Error) -> StartError {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    StartError::Listen { address: format!("{host}:{port}"), error }
}

/// `localhost` is both loopbacks, whatever the machine's hosts file says.
fn resolve(host: &str) -> std::io::Result<Vec<IpAddr>> {
    match host {
        "localhost" => Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]),
        "" | "*" => Ok(vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()]),
        name => {
            let addresses = (name.trim_matches(['[', ']']), 0).to_socket_addrs()?;
            let mut addresses: Vec<_> = addresses.map(|address| address.ip()).collect();
            addresses.dedup();
            Ok(addresses)
        }
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => {
            let socket = TcpSocket::new_v6()?;
            // Otherwise [::] takes IPv4 too and 0.0.0.0 beside it is refused.
            rustix::net::sockopt::set_ipv6_v6only(&socket, true)?;
            socket
        }
    };
    // A restarted broker finds its port still remembering the old connections.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A broker that was killed lets go of the directory's lock some moments before its sockets are
/// gone: the kernel closes what it had open one by one. Clients expect its successor at this port.
fn listen_patiently(address: SocketAddr) -> std::io::Result<TcpListener> {
    let deadline = Instant::now() + DOOR_PATIENCE;
    loop {
        match listen(address) {
            Err(error) if error.kind() == AddrInUse && Instant::now() < deadline => {
                thread::sleep(DOOR_PAUSE);
            }
            outcome => return outcome,
        }
    }
}

fn local(socket: &TcpListener) -> Result<SocketAddr, StartError> {
    socket.local_addr().map_err(StartError::System)
}

struct Acceptor {
    node: Arc<Node>,
    entrance: Entrance,
    handle: ServerHandle,
}

impl Acceptor {
    async fn accept_all(self, listener: TcpListener, closed: watch::Receiver<bool>) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => self.accept(stream, peer, closed.clone()),
                Err(error) => {
                    // Out of descriptors, mostly. Waiting a little lets some be closed.
                    tracing::error!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn accept(&self, stream: TcpStream, peer: SocketAddr, closed: watch::Receiver<bool>) {
        let census = *self.handle.census.borrow();
        if self.node.connections_max() <= census.clients + census.guests {
            tracing::warn!(%peer, "connection refused: max.connections is reached");
            return;
        }
        tracing::debug!(%peer, "connection opened");
        let (session, counted) = self.session(&stream, peer);
        let node = self.node.clone();
        tokio::spawn(async move {
            let _counted = counted;
            let guest = session.guest.clone();
            connection::serve(node.clone(), stream, session, closed).await;
            node.guests.leave(&guest);
        });
    }

    /// A client without a password counts at once, one at the door when it has shown the secret.
    fn session(&self, stream: &TcpStream, peer: SocketAddr) -> (Session, Arc<Seat>) {
        let seat = Arc::new(Seat::default());
        let take = {
            let (seat, handle, entrance) = (seat.clone(), self.handle.clone(), self.entrance);
            move || drop(seat.0.set(handle.count(entrance)))
        };
        let (standing, welcomed, idle_max) = match self.entrance {
            Entrance::Public(_) => {
                take();
                (Standing::Welcome, None, self.node.limits.idle_max)
            }
            Entrance::Door => {
                let take: Box<dyn FnOnce() + Send> = Box::new(take);
                (Standing::Stranger, Some(take), None)
            }
        };
        let guest = Arc::new(Guest::new(peer, self.entrance, now()));
        self.node.guests.enter(guest.clone());
        let session = Session {
            peer,
            local: stream.local_addr().unwrap_or(peer),
            entrance: self.entrance,
            standing,
            idle_max,
            guest,
            client_id: String::new(),
            welcomed,
        };
        (session, seat)
    }
}

/// Where a connection's place in the census is kept.
#[derive(Default)]
struct Seat(std::sync::OnceLock<Counted>);

fn leave_on_signals(handle: &ServerHandle) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let (mut signal, handle) = (signal(kind)?, handle.clone());
        tokio::spawn(async move {
            // Every time: after the first, a client may be in the way of leaving.
            while signal.recv().await.is_some() {
                handle.leave();
            }
        });
    }
    Ok(())
}

/// A panic is one line in the log, like everything else that happens to a broker.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| place.to_string()).unwrap_or_default();
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let text = text.unwrap_or("no message");
        tracing::error!(place, text, "panic");
    }));
}
