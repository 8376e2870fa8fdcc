//! Other processes of this machine: what they use, and who listens where, as the kernel tells.
//! Never knows: whose processes they are.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

/// What takes connections at a broker's port to pass them on to another process.
const FORWARDERS: [&str; 8] =
    ["docker-proxy", "rootlessport", "ssh", "sshd", "kubectl", "socat", "haproxy", "nginx"];

/// A process, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process(u32);

impl Process {
    pub fn new(pid: u32) -> Process {
        Process(pid)
    }

    /// The one that listens at this loopback address, where one may know: another user's sockets
    /// are hidden, and several processes may share one.
    pub fn listening(address: SocketAddr) -> Option<Process> {
        if !address.ip().is_loopback() {
            return None;
        }
        let sockets: Vec<_> = ["/proc/net/tcp", "/proc/net/tcp6"]
            .iter()
            .filter_map(|path| fs::read_to_string(path).ok())
            .flat_map(|table| listeners(&table, address))
            .map(|inode| format!("socket:[{inode}]"))
            .collect();
        let numbers = fs::read_dir("/proc").ok()?.flatten();
        let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut holders = numbers.map(Process).filter(|process| process.holds(&sockets));
        let only = holders.next().filter(|_| holders.next().is_none())?;
        let name = only.name()?;
        (!FORWARDERS.contains(&name.as_str())).then_some(only)
    }

    fn holds(self, sockets: &[String]) -> bool {
        let files = fs::read_dir(format!("/proc/{}/fd", self.0)).into_iter().flatten().flatten();
        let mut links = files.filter_map(|file| fs::read_link(file.path()).ok());
        links.any(|link| sockets.iter().any(|socket| link == Path::new(socket)))
    }

    pub fn name(self) -> Option<String> {
        let name = fs::read_to_string(format!("/proc/{}/comm", self.0)).ok()?;
        Some(name.trim_end().to_owned())
    }

    /// Processor time that it has used so far, all threads, kernel included. The process's own
    /// clock has it in nanoseconds (clock_getcpuclockid(3)); /proc/PID/stat in hundredths of a
    /// second, and a short run fits between two.
    #[cfg(target_os = "linux")]
    pub fn cpu(self) -> Option<Duration> {
        use nix::time::{clock_getcpuclockid, clock_gettime};
        use nix::unistd::Pid;

        let pid = Pid::from_raw(i32::try_from(self.0).ok()?);
        let used = clock_getcpuclockid(pid).and_then(clock_gettime).ok()?;
        Some(used.into())
    }

    #[cfg(not(target_os = "linux"))]
    pub fn cpu(self) -> Option<Duration> {
        None
    }

    /// The most memory that it ever had resident.
    pub fn memory_peak_bytes(self) -> Option<u64> {
        peak_in(&fs::read_to_string(format!("/proc/{}/status", self.0)).ok()?)
    }
}

/// The peak in a status of the kernel's.
pub fn peak_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// The inodes of the sockets in a table of the kernel's that listen at this address, or at any.
fn listeners(table: &str, address: SocketAddr) -> Vec<u64> {
    const LISTEN: &str = "0A";
    let inode = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().take(10).collect();
        let [_, local, _, state, .., inode] = fields[..] else { return None };
        let local = local_address(local)?;
        let is_it = local.port() == address.port()
            && (local.ip() == address.ip() || local.ip().is_unspecified());
        (is_it && state == LISTEN).then(|| inode.parse().ok())?
    };
    table.lines().skip(1).filter_map(inode).collect()
}

/// `0100007F:2386`: words of an address in network order, each printed as this machine reads it.
fn local_address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |at: usize| {
        let word = u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        _ => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            // Java listens for IPv4 at ::ffff:127.0.0.1.
            Ipv6Addr::from(bytes).to_canonical()
        }
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_peak_is_read_in_bytes() {
        assert_eq!(peak_in("VmPeak:\t  9 kB\nVmHWM:\t    1234 kB\n"), Some(1234 * 1024));
        assert_eq!(peak_in("VmPeak:\t  9 kB\n"), None);
    }

    #[test]
    fn listeners_are_found_in_the_kernels_table() {
        let table = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2386 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 71 1
   1: 00000000:2386 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 72 1
   2: 0200007F:2386 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 73 1
   3: 0100007F:2386 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 74 1
   4: 0100007F:2387 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 75 1
   5: 0000000000000000FFFF00000100007F:2386 0:0 0A 0:0 00:0 0     0        0 76 1
   6: 00000000000000000000000000000000:2386 0:0 0A 0:0 00:0 0     0        0 77 1
";
        let of = |address: &str| listeners(table, address.parse().unwrap());
        assert_eq!(of("127.0.0.1:9094"), [71, 72, 76, 77]);
        assert_eq!(of("[::1]:9094"), [72, 77]);
        assert_eq!(of("127.0.0.1:1"), [0; 0]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_listens_and_uses_what_it_uses() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let this = Process::new(std::process::id());
        assert_eq!(Process::listening(address), Some(this));
        assert!(1 << 20 < this.memory_peak_bytes().unwrap());
        let before = this.cpu().unwrap();
        assert!(this.name().is_some() && before < this.cpu().unwrap(), "it is finer than a call");
        drop(listener);
        assert_eq!(Process::listening(address), None);
    }
}
