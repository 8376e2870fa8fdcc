//! `kaw kcat -M N`: the cluster that it is, to kcat and to kaw, and how it ends. Debian's kcat has
//! no `-M`, but librdkafka's mock cluster is in it, for the client of one run.

use std::fs;

use rustix::process::Signal;

use crate::harness::{Kaw, Running, found, until};
use crate::life::kill_own_broker;

fn cluster(kaw: &Kaw, nodes: u16) -> (Running, String) {
    let running = kaw.cmd(&format!("kcat -M {nodes}")).stdin_open().start();
    let brokers = running.until("BROKERS=", |out, _| {
        let (_, rest) = out.split_once("BROKERS=")?;
        Some(rest.split_once('\n')?.0.to_owned())
    });
    (running, brokers)
}

fn nothing_is_left(kaw: &Kaw) {
    until("an empty directory and no process", || {
        let left = fs::read_dir(kaw.path("tmp")).map(Iterator::count).unwrap_or(0);
        (left == 0 && kaw.processes().is_empty()).then_some(())
    });
}

/// A listing of `-L` without what is by chance: ports, leaders and the order of replicas. The mock
/// cluster of kcat's librdkafka has no controller.
fn steady(listing: &str) -> Vec<String> {
    let line = |line: &str| {
        let line = line.replace(" (controller)", "");
        if let Some((start, _)) = line.split_once(" (from broker") {
            return start.to_owned();
        }
        if let Some((start, _)) = line.split_once(" at 127.0.0.1:") {
            return start.to_owned();
        }
        let Some((start, rest)) = line.split_once(", leader ") else { return line };
        let ids = rest.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
        let mut ids: Vec<&str> = ids.skip(1).collect();
        ids.sort_unstable();
        format!("{start}: {}", ids.join(","))
    };
    listing.lines().map(line).collect()
}

it!(a_mock_cluster_looks_like_kcats, |kaw| {
    if found("kcat").is_none() {
        return;
    }
    for nodes in [1, 2, 3] {
        let (_running, brokers) = cluster(kaw, nodes);
        assert_eq!(brokers.split(',').count(), usize::from(nodes));
        let theirs = format!("-L -t t -b x -X test.mock.num.brokers={nodes}");
        let theirs = kaw.tool("kcat").args(theirs.split(' ')).run().ok().out();
        let ours = kaw.tool("kcat").args(["-L", "-t", "t", "-b", &brokers]).run().ok().out();
        assert_eq!(steady(&ours), steady(&theirs));
    }
});

it!(a_mock_cluster_serves_kcat_and_kaw, |kaw| {
    if found("kcat").is_none() {
        return;
    }
    let (mut running, brokers) = cluster(kaw, 3);
    let lines: String = (0..500).map(|i| format!("key{i}:{i}\n")).collect();
    let words = ["-P", "-t", "t", "-K:", "-b", &brokers];
    kaw.tool("kcat").args(words).stdin(lines).run().ok();
    let table = kaw.ok(&format!("topic describe t --no-headers -b {brokers}"));
    let leaders: Vec<&str> =
        table.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    assert_eq!(leaders, ["1", "2", "3", "1"], "{table}");
    assert_eq!(kaw.ok(&format!("consume t -e -q -b {brokers}")).lines().count(), 500);
    // Groups fall to all three as coordinators; the list names each once.
    let groups: Vec<String> = (0..9).map(|n| format!("g{n}")).collect();
    for group in &groups {
        let earliest = ["-X", "auto.offset.reset=earliest"];
        let words = ["-q", "-e", "-b", &brokers, "-G", group, "t"];
        let read = kaw.tool("kcat").args(earliest).args(words).run().ok().out();
        assert_eq!(read.lines().count(), 500, "{group}");
    }
    let listed = kaw.ok(&format!("group list -b {brokers}"));
    assert_eq!(listed.lines().collect::<Vec<_>>(), groups);
    let size = kaw.ok(&format!("topic create three -r 3 -b {brokers}"));
    assert_eq!(size, "three created\n");
    let why = kaw.cmd(&format!("topic create four -r 4 -b {brokers}")).run().fails(1);
    assert!(why.contains("only 3 broker(s) are registered"), "{why}");
    running.close_stdin();
    running.done().ok();
    nothing_is_left(kaw);
});

it!(a_mock_cluster_ends_with_its_input_or_a_signal, |kaw| {
    kaw.cmd("kcat -M 2").run().ok().says("Terminating mock cluster");
    nothing_is_left(kaw);
    for signal in [Signal::INT, Signal::TERM] {
        let (mut running, _) = cluster(kaw, 2);
        running.write("lines are\nno end\n");
        running.signal(signal);
        running.done().ok();
        nothing_is_left(kaw);
    }
    let (running, _) = cluster(kaw, 2);
    running.signal(Signal::KILL);
    running.done().code(137);
    nothing_is_left(kaw);
});

it!(a_mock_cluster_that_is_killed_is_the_end, |kaw| {
    let (running, brokers) = cluster(kaw, 2);
    kill_own_broker(kaw);
    running.until_err("ERROR");
    running.done().code(1).says(&format!("Mock cluster {brokers} was killed"));
    nothing_is_left(kaw);
});

it!(a_mock_cluster_wants_a_number_of_brokers, |kaw| {
    for (words, said) in [
        ("-M 0", "% ERROR: -M <broker_cnt> expected\n"),
        ("-M -1", "% ERROR: -M <broker_cnt> expected\n"),
        ("-M abc", "% ERROR: -M <broker_cnt> expected\n"),
        ("-M ''", "% ERROR: -M <broker_cnt> expected\n"),
        ("-M 70000", "no 70000 ports"),
        ("-C -M 3", "% ERROR: Do not mix modes: -M seen when -C already set\n"),
        ("-M 3 -G g", "% ERROR: Do not mix modes: -G seen when -M already set\n"),
        ("-M 3 -s i", "% ERROR: -s serdes only available in the consumer\n"),
        ("-M 3 file", "Error: file/topic list only allowed in"),
    ] {
        let done = kaw.cmd(&format!("kcat {words}")).run().code(1).says(said);
        assert_eq!(done.out(), "", "{words}");
    }
    kaw.cmd("kcat -q -M 2x").run().ok();
});
