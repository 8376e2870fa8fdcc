//! `kaw broker run -- CMD`: a broker for one command, gone with it.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::anyhow;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, kill_process};

use crate::broker::home::plain;
use crate::command::interrupt::Interrupt;
use crate::command::{Exit, Global};
use crate::embedded::Ephemeral;

/// What a shell returns for a command that is not there, and for one that cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_RUN: u8 = 126;

/// Run a command with a broker of its own, gone afterwards
///
/// The broker listens on a free port; the command finds its address in KAW_BROKERS and
/// KAFKA_BOOTSTRAP_SERVERS. The data is gone when the command ends, whose exit code is passed on.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    command: Vec<OsString>,
}

pub fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    // From here on a signal is the command's affair: ^C may be all in a day's work for it.
    let interrupt = Interrupt::watch_for_another()?;
    let broker = Ephemeral::start(global.connect_timeout)?;
    if let Some(exit) = interrupt.exit() {
        return Ok(exit);
    }
    let (program, words) = args.command.split_first().expect("the definition requires one");
    let mut command = Command::new(program);
    command.args(words);
    for variable in ["KAW_BROKERS", "KAFKA_BOOTSTRAP_SERVERS"] {
        command.env(variable, broker.addresses());
    }
    match command.spawn() {
        Ok(child) => {
            let program = program.to_string_lossy().into_owned();
            let addresses = broker.addresses();
            broker.on_death(move || {
                let why =
                    format!("the broker on {addresses} was killed; {program} goes on without");
                crate::command::complain(&anyhow!(why));
            });
            Ok(passed(wait(child, interrupt)?))
        }
        Err(error) => {
            let code = match error.kind() {
                io::ErrorKind::NotFound => NOT_FOUND,
                _ => NOT_RUN,
            };
            let why = anyhow!("cannot run {} ({})", program.to_string_lossy(), plain(&error));
            crate::command::complain(&why);
            Ok(Exit::Passed(code))
        }
    }
}

fn passed(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Passed(code as u8),
        (None, signal) => Exit::Signalled(signal.unwrap_or_default()),
    }
}

/// Waits for the command, and passes on the signals that it does not get by itself.
fn wait(mut child: Child, interrupt: Interrupt) -> io::Result<ExitStatus> {
    let ended = Arc::new(AtomicBool::new(false));
    let pid = Pid::from_child(&child);
    let seen = Arc::clone(&ended);
    thread::spawn(move || pass_on(&interrupt, pid, &seen));
    let status = child.wait();
    ended.store(true, Ordering::SeqCst);
    status
}

fn pass_on(interrupt: &Interrupt, pid: Pid, ended: &AtomicBool) {
    loop {
        let mut polled = [PollFd::new(interrupt.wake(), PollFlags::IN)];
        let _ = poll(&mut polled, None);
        interrupt.wake().clear();
        let signal = match interrupt.exit() {
            Some(Exit::Signalled(number)) if number == Signal::INT.as_raw() => Signal::INT,
            Some(_) => Signal::TERM,
            None => continue,
        };
        if ended.load(Ordering::SeqCst) {
            return;
        }
        if signal != Signal::INT || !has_terminal() {
            let _ = kill_process(pid, signal);
        }
    }
}

/// ^C at a terminal goes to the command too: twice would be once too often.
fn has_terminal() -> bool {
    let Ok(terminal) = std::fs::File::open("/dev/tty") else { return false };
    rustix::termios::tcgetpgrp(&terminal).is_ok_and(|group| group == rustix::process::getpgrp())
}
