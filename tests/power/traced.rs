//! A broker that runs under strace, which writes down its calls, delays them, or lets them fail.
//! Never knows: which calls.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Done, Kaw, PROGRAM, Running};

pub struct Traced {
    strace: Running,
    trace: PathBuf,
    /// Where it listens, if it came so far.
    pub address: Option<String>,
}

impl Traced {
    /// `options`: strace's own.
    pub fn start(kaw: &Kaw, data: &Path, options: &[&str]) -> Traced {
        let trace = kaw.path("trace");
        let strace = kaw
            .tool("strace")
            .env("KAW_DATA_DIR", data)
            .args(["-f", "-o"])
            .arg(&trace)
            .args(options)
            .arg(PROGRAM)
            .args(["broker", "--listen", "127.0.0.1:0"])
            .start();
        let address = strace.first_line();
        Traced { strace, trace, address }
    }

    /// strace writes a call's line before the call returns to the program.
    pub fn trace(&self) -> String {
        fs::read_to_string(&self.trace).unwrap()
    }

    /// Asks the broker to stop, unless it has ended already; the trace, and how it ended.
    pub fn stop(self) -> (String, Done) {
        if let Some(broker) = child(self.strace.pid()) {
            // It may end meanwhile.
            let _ = kill_process(broker, Signal::TERM);
        }
        let done = self.strace.done();
        (fs::read_to_string(&self.trace).unwrap(), done)
    }
}

/// What strace started, while it runs.
fn child(of: Pid) -> Option<Pid> {
    let pid = of.as_raw_nonzero();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    Pid::from_raw(children.split_whitespace().next()?.parse().ok()?)
}
