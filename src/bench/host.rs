//! The machine that a result was measured on.

use std::fs;
use std::thread;

use serde::{Deserialize, Serialize};

/// What a reader needs to judge whether two results compare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    pub os: String,
    pub cpu: String,
    /// That this process may use.
    pub cores: usize,
    pub memory_bytes: Option<u64>,
}

impl Host {
    pub fn this() -> Host {
        let system = rustix::system::uname();
        let word = |name: &std::ffi::CStr| name.to_string_lossy().into_owned();
        let (name, release) = (word(system.sysname()), word(system.release()));
        let machine = word(system.machine());
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Host {
            os: format!("{name} {release} {machine}"),
            cpu: cpu_in(&cpuinfo).unwrap_or(&machine).to_owned(),
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: fs::read_to_string("/proc/meminfo").ok().as_deref().and_then(memory_in),
        }
    }
}

/// Not every architecture names its model (arm64 does not).
fn cpu_in(cpuinfo: &str) -> Option<&str> {
    let (_, after) = cpuinfo.split_once("model name")?;
    Some(after.split_once(':')?.1.lines().next()?.trim())
}

fn memory_in(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_read_from_the_kernels_tables() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Fast CPU @ 3GHz\nflags\t: a b\n";
        assert_eq!(cpu_in(cpuinfo), Some("Fast CPU @ 3GHz"));
        assert_eq!(cpu_in("processor\t: 0\nBogoMIPS\t: 48.00\n"), None);
        assert_eq!(memory_in("MemTotal:       16 kB\nMemFree: 1 kB\n"), Some(16384));
    }
}
