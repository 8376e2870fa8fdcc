//! Who listens on a port already, and what to say of a broker that could not start.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::anyhow;

use super::super::Usage;
use crate::broker::StartError;
use crate::broker::home::{Holder, plain};

/// The error of a broker that did not start, with what to do about it.
pub fn explain(error: StartError) -> anyhow::Error {
    let (address, error) = match error {
        StartError::Listen { address, error } => (address, error),
        StartError::Setting(what) => return Usage(format!("-c or broker.conf: {what}")).into(),
        _ => return error.into(),
    };
    let port = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    match (error.kind(), port) {
        (io::ErrorKind::AddrInUse, Some(port)) => anyhow!(
            "cannot listen on {address}: {} listens there already; stop it, or choose another \
             port with --listen 127.0.0.1:0",
            listener(port)
        ),
        (io::ErrorKind::PermissionDenied, _) => anyhow!(
            "cannot listen on {address} (permission denied); ports below 1024 are for root, \
             choose another with --listen"
        ),
        (io::ErrorKind::AddrNotAvailable, _) => anyhow!(
            "cannot listen on {address}: this machine has no such address; 0.0.0.0 stands for all"
        ),
        _ => anyhow!("cannot listen on {address} ({})", plain(&error)),
    }
}

/// Who listens on a port, as far as the system tells us.
fn listener(port: u16) -> String {
    let Some(socket) = listening(port) else { return "another program".to_owned() };
    match owner(&socket.inode) {
        Some(pid) => Holder { pid: Some(pid) }.describe(),
        None => format!("a process of user id {}", socket.uid),
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Socket {
    uid: String,
    inode: String,
}

fn listening(port: u16) -> Option<Socket> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    tables.iter().find_map(|table| find_listening(&fs::read_to_string(table).ok()?, port))
}

/// The listening socket of this port in a table of the kernel's (proc_net_tcp.rst).
fn find_listening(table: &str, port: u16) -> Option<Socket> {
    const LISTEN: &str = "0A";
    let wanted = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [_, local, _, state, _, _, _, uid, _, inode, ..] = columns.as_slice() else {
            return None;
        };
        let found = *state == LISTEN && local.ends_with(&wanted);
        found.then(|| Socket { uid: (*uid).to_owned(), inode: (*inode).to_owned() })
    })
}

/// The process that has this socket open, if we may look at it.
fn owner(inode: &str) -> Option<u32> {
    let target = format!("socket:[{inode}]");
    let has_it = |pid: &u32| {
        let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.path())
            .any(|path| fs::read_link(path).is_ok_and(|link| link == Path::new(&target)))
    };
    let entries = fs::read_dir("/proc").ok()?.flatten();
    let mut pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.find(has_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listening_port_is_found_in_the_kernels_table() {
        let table = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2384 0100007F:0016 01 00000000:00000000 00:00000000 00000000  1000        0 11 1 0
   1: 0100007F:2384 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1001        0 22 1 0
";
        let found = Socket { uid: "1001".to_owned(), inode: "22".to_owned() };
        assert_eq!(find_listening(table, 9092), Some(found));
        assert_eq!(find_listening(table, 22), None);
    }

    #[test]
    fn a_setting_that_is_not_taken_is_wrong_usage() {
        let error = explain(StartError::Setting("Kafka has no broker config 'a'".to_owned()));
        assert!(error.is::<Usage>(), "{error}");
    }

    #[test]
    fn whoever_has_the_port_is_named() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let error = io::Error::from(io::ErrorKind::AddrInUse);
        let said = explain(StartError::Listen { address: address.to_string(), error }).to_string();
        let own = format!("(pid {}) listens there already", std::process::id());
        assert!(said.contains(&own), "{said}");
    }
}
