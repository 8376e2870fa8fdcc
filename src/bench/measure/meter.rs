//! What processes use while a window is open: this one, and the brokers'.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::super::process::{Process, peak_in};

/// What a process used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Processor time in the window, all threads, kernel included.
    pub cpu: Duration,
    /// The most that it had resident since it began, where the system says it.
    pub memory_peak_bytes: Option<u64>,
}

/// What both sides used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    pub client: Used,
    /// All brokers together, where they are known.
    pub broker: Option<Used>,
}

/// Counts from where it was started.
#[derive(Clone, Debug)]
pub struct Meter {
    client: Duration,
    brokers: Vec<Process>,
    broker: Option<Duration>,
}

impl Meter {
    /// No brokers: they are not known.
    pub fn start(brokers: Vec<Process>) -> Meter {
        let broker = cpu_of(&brokers);
        Meter { client: cpu(), brokers, broker }
    }

    /// Counts anew from here.
    pub fn restarted(&self) -> Meter {
        Meter::start(self.brokers.clone())
    }

    /// What was used so far.
    pub fn spent(&self) -> Spent {
        let client = Used { cpu: cpu().saturating_sub(self.client), memory_peak_bytes: peak() };
        let peak = self.brokers.iter().map(|process| process.memory_peak_bytes()).sum();
        let broker = cpu_of(&self.brokers)
            .zip(self.broker)
            .map(|(now, before)| Used { cpu: now.saturating_sub(before), memory_peak_bytes: peak });
        Spent { client, broker }
    }
}

/// The most that this process had in memory counts anew from here (proc_pid_clear_refs(5)).
pub fn forget_memory_peak() {
    // Where that cannot be, an earlier run may have had more.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Processor time that this process has used so far.
fn cpu() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(used.tv_sec).expect("processor time is not negative");
    let nanos = u32::try_from(used.tv_nsec).expect("nanoseconds are below a second");
    Duration::new(seconds, nanos)
}

fn cpu_of(processes: &[Process]) -> Option<Duration> {
    let all = processes.iter().map(|process| process.cpu()).sum();
    if processes.is_empty() { None } else { all }
}

fn peak() -> Option<u64> {
    peak_in(&std::fs::read_to_string("/proc/self/status").ok()?)
}
