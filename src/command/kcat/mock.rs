//! `-M`: a cluster for as long as stdin is open. kcat 1.7.1 has none; what it says and how it ends
//! are its successor's, and the cluster is one built-in broker under several node ids.

use std::io::{self, PipeReader, Read};
use std::num::NonZeroU16;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use super::options::Options;
use super::out::Out;
use super::say::{Ended, fatal};
use crate::command::interrupt::Interrupt;
use crate::embedded::Ephemeral;

/// How long the broker may take to be there.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn run(options: &Options, nodes: NonZeroU16) -> Result<u8, Ended> {
    let interrupt = super::interrupt()?;
    let cluster = Ephemeral::cluster(nodes, PATIENCE)
        .or_else(|error| fatal(format!("Failed to create mock cluster: {error}")))?;
    let addresses = cluster.addresses();
    let say = options.say;
    say.info(1, &format!("Mock cluster started with bootstrap.servers={addresses}"));
    say.info(1, "Press Ctrl-C or Ctrl-D to terminate.");
    // Who waits for it behind a pipe gets it at once, where kcat's C keeps it to the end.
    let mut out = Out::open(false)?;
    out.bytes.extend_from_slice(format!("BROKERS={addresses}\n").as_bytes());
    out.write_while_idle();
    let (dead, alive) =
        io::pipe().or_else(|error| fatal(format!("Failed to create pipe: {error}")))?;
    cluster.on_death(move || drop(alive));
    if wait_for_the_end(&interrupt, &dead) == End::OfCluster {
        return fatal(format!("Mock cluster {addresses} was killed"));
    }
    say.info(1, "Terminating mock cluster");
    Ok(0)
}

#[derive(PartialEq, Eq)]
enum End {
    Asked,
    OfCluster,
}

/// Until nothing more can be read, or a signal comes, or the cluster's end closes the pipe.
fn wait_for_the_end(interrupt: &Interrupt, dead: &PipeReader) -> End {
    let mut stdin = io::stdin();
    let mut nothing = [0; 512];
    while interrupt.exit().is_none() {
        let mut fds = [
            PollFd::new(&stdin, PollFlags::IN),
            PollFd::new(interrupt.wake(), PollFlags::IN),
            PollFd::new(dead, PollFlags::IN),
        ];
        // An interrupted wait is a short one.
        let _ = poll(&mut fds, None);
        let [there, _, is_dead] = fds.map(|fd| !fd.revents().is_empty());
        if there && matches!(stdin.read(&mut nothing), Ok(0) | Err(_)) {
            return End::Asked;
        }
        if is_dead {
            return End::OfCluster;
        }
    }
    End::Asked
}
