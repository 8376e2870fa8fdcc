//! The built-in broker's life: who starts it, who finds it, when it goes, who is kept out.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::harness::raw::Raw;
use crate::harness::{Kaw, PROGRAM, Running, found, free_port, until};

const NOW: Duration = Duration::from_secs(5);

/// What `broker.json` or `door.json` says.
pub fn said(kaw: &Kaw, file: &str) -> serde_json::Value {
    let text = fs::read_to_string(kaw.data().join(file)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

pub fn kill_broker(kaw: &Kaw) -> Pid {
    let pid = kaw.serving(|_| true);
    // It may have left by itself meanwhile.
    let _ = kill_process(pid, Signal::KILL);
    pid
}

fn is_gone(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).unwrap_or_default();
    test_kill_process(pid).is_err() || stat.contains(") Z ")
}

fn brokers(kaw: &Kaw) -> usize {
    let line = |pid: &Pid| fs::read(format!("/proc/{}/cmdline", pid.as_raw_pid()));
    kaw.processes().iter().filter_map(|pid| line(pid).ok()).filter(|line| is_broker(line)).count()
}

fn is_broker(line: &[u8]) -> bool {
    line.split(|&byte| byte == 0).nth(1) == Some(b"broker")
}

fn temporary_homes(kaw: &Kaw) -> Vec<PathBuf> {
    let entries = fs::read_dir(kaw.path("tmp")).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.join("meta.properties").exists()).collect()
}

it!(eight_first_commands_at_one_instant_share_one_broker, |kaw| {
    let running: Vec<Running> =
        (0..8).map(|n| kaw.cmd(&format!("produce t{n}")).stdin(format!("{n}\n")).start()).collect();
    running.into_iter().for_each(|one| _ = one.done().ok());
    assert_eq!(brokers(kaw), 1);
    for n in 0..8 {
        assert_eq!(kaw.ok(&format!("consume -e t{n}")), format!("{n}\n"));
    }
});

it!(it_leaves_by_itself_and_comes_back_with_everything, |kaw| {
    let produce = kaw.cmd("produce t").env("KAW_LINGER", "50ms").stdin("a\nb\n");
    produce.run().ok();
    until("the broker has left", || kaw.processes().is_empty().then_some(()));
    let door = said(kaw, "door.json");
    assert!(!kaw.data().join("broker.json").exists());
    assert!(kaw.data().join(".kafka_cleanshutdown").exists());
    assert_eq!(kaw.ok("consume -e t"), "a\nb\n");
    assert_eq!(said(kaw, "door.json"), door, "port and secret stay");
});

it!(a_command_that_runs_keeps_it, |kaw| {
    let mut idle = kaw.cmd("produce t").env("KAW_LINGER", "1ms").stdin_open().start();
    let broker = kaw.serving(|_| true);
    // Its own time would have been over long before a whole other process has come and gone.
    kaw.ok("broker status");
    assert!(!is_gone(broker));
    idle.write("x\n");
    idle.done().ok();
    until("the broker has left", || is_gone(broker).then_some(()));
});

it!(killed_under_a_produce_it_comes_back_at_the_same_port, |kaw| {
    let mut produce = kaw.cmd("produce t").stdin_open().start();
    produce.write("before\n");
    let first = kill_broker(kaw);
    let port = said(kaw, "door.json")["port"].clone();
    produce.write("after\n");
    let second = kaw.serving(|pid| pid != first);
    produce.done().ok();
    assert_eq!(said(kaw, "broker.json")["port"], port);
    assert!(!is_gone(second));
    assert_eq!(kaw.ok("consume -e t"), "before\nafter\n");
});

it!(killed_under_a_consume_it_comes_back_and_the_lines_go_on, |kaw| {
    kaw.cmd("produce t").stdin("before\n").run().ok();
    let consume = kaw.cmd("consume t").start();
    consume.until_out("before\n");
    let first = kill_broker(kaw);
    kaw.serving(|pid| pid != first);
    kaw.cmd("produce t").stdin("after\n").run().ok();
    consume.until_out("before\nafter\n");
});

it!(a_port_that_was_taken_meanwhile_is_an_error_in_time, |kaw| {
    kaw.cmd("produce t").stdin("a\n").run().ok();
    let mut produce = kaw.cmd("produce t").stdin_open().start();
    let consume = kaw.cmd("consume t").start();
    produce.write("b\n");
    consume.until_out("a\nb\n");
    let port = said(kaw, "door.json")["port"].as_u64().unwrap() as u16;
    let thief = taken_over(kaw, port);
    produce.write("c\n");
    for running in [produce, consume] {
        let done = running.done().within(Duration::from_secs(20)).code(1);
        let error = format!("because port {port} was taken meanwhile; run the command again\n");
        assert!(done.err().contains(&error), "{done}");
    }
    drop(thief);
    assert!(kaw.ok("consume -e t").starts_with("a\nb\n"));
});

/// Kills the broker, and whichever comes in its place, until the port is ours.
pub fn taken_over(kaw: &Kaw, port: u16) -> std::net::TcpListener {
    let mut killed = kill_broker(kaw);
    until("the port is free for a moment", || {
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).ok();
        if listener.is_none() && is_gone(killed) {
            killed = kill_broker(kaw);
        }
        listener
    })
}

it!(a_stale_notice_is_not_believed, |kaw| {
    kaw.cmd("produce t").stdin("a\n").run().ok();
    let notice = fs::read(kaw.data().join("broker.json")).unwrap();
    kaw.ok("broker stop");
    // As it is after kill -9, and as if a living process had got the number since.
    let own = format!("\"pid\":{}", std::process::id());
    let text = String::from_utf8(notice.clone()).unwrap();
    let pid = said_pid(&text);
    for stale in [text.clone(), text.replace(&pid, &own)] {
        fs::write(kaw.data().join("broker.json"), stale).unwrap();
        assert_eq!(kaw.ok("broker status").lines().next(), STOPPED);
        assert_eq!(kaw.ok("consume -e t"), "a\n");
        kaw.ok("broker stop");
    }
    // And after the machine was started again, when everything in it is of another life.
    let boot = text.replace("\"boot_id\":\"", "\"boot_id\":\"of-yesterday-");
    fs::write(kaw.data().join("broker.json"), boot).unwrap();
    assert_eq!(kaw.ok("consume -e t"), "a\n");
});

const STOPPED: Option<&str> = Some("state  stopped; the next command starts it");

fn said_pid(notice: &str) -> String {
    let start = notice.find("\"pid\":").expect("a notice has one");
    let end = start + notice[start..].find(',').expect("more follows");
    notice[start..end].to_owned()
}

it!(a_broker_of_another_host_is_named, |kaw| {
    let _broker = kaw.broker("");
    let file = kaw.data().join("broker.json");
    let text = fs::read_to_string(&file).unwrap();
    let far = text
        .replace("\"boot_id\":\"", "\"boot_id\":\"another-")
        .replace("\"host\":\"", "\"host\":\"far-");
    fs::write(&file, far).unwrap();
    let said = kaw.cmd("produce t").stdin("a\n").run().within(NOW).fails(1);
    assert!(said.contains("on host far-") && said.contains("KAW_DATA_DIR"), "{said}");
});

it!(a_directory_that_another_program_holds_is_named_with_it, |kaw| {
    let Some(python) = found("python3") else { return };
    fs::create_dir(kaw.data()).unwrap();
    let script = "import fcntl, sys\nf = open(sys.argv[1], 'w')\nfcntl.lockf(f, fcntl.LOCK_EX)\n\
                  print('held', flush=True)\nsys.stdin.read()";
    let lock = kaw.data().join(".lock");
    let holder = kaw.tool(python.to_str().unwrap()).args(["-c", script]).arg(lock).stdin_open();
    let holder = holder.start();
    holder.until_out("held");
    let pid = holder.pid().as_raw_pid();
    for line in ["produce t", "broker --listen 127.0.0.1:0"] {
        let said = kaw.cmd(line).stdin("a\n").run().within(NOW).fails(1);
        assert!(said.contains(&format!("in use by python3 (pid {pid})")), "{said}");
    }
});

it!(a_newer_directory_is_refused_with_both_versions, |kaw| {
    fs::create_dir(kaw.data()).unwrap();
    let door = r#"{"format":2,"version":"9.1.0","port":1,"secret":"x"}"#;
    fs::write(kaw.data().join("door.json"), door).unwrap();
    for line in ["produce t", "broker --listen 127.0.0.1:0"] {
        let said = kaw.cmd(line).stdin("a\n").run().within(NOW).fails(1);
        assert!(said.contains("kaw 9.1.0 in format 2"), "{said}");
        assert!(said.contains(&format!("this is kaw {}", env!("CARGO_PKG_VERSION"))), "{said}");
    }
});

it!(another_version_of_the_program_uses_the_broker_that_runs, |kaw| {
    let other = kaw.path("kaw-of-another-name");
    fs::copy(PROGRAM, &other).unwrap();
    let produce = kaw.tool(other.to_str().unwrap()).args(["produce", "t"]).stdin("a\n");
    produce.run().ok();
    // Replaced on disk while its broker runs: what was started stays what it was.
    fs::remove_file(&other).unwrap();
    assert_eq!(kaw.ok("consume -e t"), "a\n");
    assert_eq!(brokers(kaw), 1);
});

it!(no_home_and_no_rights_are_said_in_one_line, |kaw| {
    let Some(setpriv) = found("setpriv") else { return };
    if !rustix::process::getuid().is_root() {
        return crate::harness::skip("only root can become a user without a home");
    }
    let program = kaw.path("kaw");
    fs::copy(PROGRAM, &program).unwrap();
    for dir in [kaw.path(""), kaw.path("home")] {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let produce = kaw.tool(setpriv.to_str().unwrap()).args(nobody).arg(program);
    let produce = produce.unset("KAW_DATA_DIR").unset("XDG_DATA_HOME").env("HOME", "/");
    let said = produce.args(["produce", "t"]).stdin("a\n").run().within(NOW).fails(1);
    let want = "cannot create /.local/share/kaw (permission denied); set KAW_DATA_DIR or pass -b";
    assert_eq!(said, format!("kaw: {want}"));
});

it!(what_a_broker_inherits_it_lets_go, |kaw| {
    let Some(flock) = found("flock") else { return };
    kaw.sh("exec 9> mine; flock 9; echo a | kaw produce t").run().ok();
    assert_eq!(brokers(kaw), 1);
    kaw.tool(flock.to_str().unwrap()).args(["-n", "mine", "true"]).run().ok();
    let pid = kaw.serving(|_| true).as_raw_pid();
    assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), PathBuf::from("/"));
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(status.contains("Umask:\t0077"), "{status}");
    let session = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    assert_eq!(session.rsplit(") ").next().unwrap().split(' ').nth(3), Some(&*pid.to_string()));
    // A hangup, as of a terminal that was closed, is not for it.
    let broker = Pid::from_raw(pid).unwrap();
    kill_process(broker, Signal::HUP).unwrap();
    kill_process(broker, Signal::XFSZ).unwrap();
    assert_eq!(kaw.ok("consume -e t"), "a\n");
    assert_eq!(kaw.serving(|_| true), broker);
});

it!(a_limit_of_file_sizes_does_not_end_a_broker_in_the_foreground, |kaw| {
    let broker = kaw.broker("");
    kill_process(broker.pid(), Signal::XFSZ).unwrap();
    kaw.cmd("produce t").stdin("a\n").run().ok();
    broker.stop();
});

it!(no_secret_is_shown_and_nobody_else_comes_in, |kaw| {
    let produce = kaw.cmd("produce t -vv -X debug=all").stdin("a\n").run().ok();
    let consume = kaw.cmd("consume -e t -vv -X debug=all").run().ok();
    assert!(consume.err().contains("SASL SCRAM"), "{consume}");
    let status = kaw.ok("broker status") + &kaw.ok("broker status -J");
    let secret = said(kaw, "door.json")["secret"].as_str().unwrap().to_owned();
    assert!(30 < secret.len());
    let log = fs::read_to_string(kaw.data().join("broker.log")).unwrap();
    for text in [produce.out(), produce.err(), consume.out(), consume.err(), status, log] {
        assert!(!text.contains(&secret), "{text}");
    }
    for pid in kaw.processes() {
        for file in ["cmdline", "environ"] {
            let path = format!("/proc/{}/{file}", pid.as_raw_pid());
            let bytes = fs::read(path).unwrap_or_default();
            assert!(!String::from_utf8_lossy(&bytes).contains(&secret), "{file}");
        }
    }
    let closed = |path: PathBuf, want: u32| {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, want, "{}", path.display());
    };
    closed(kaw.data(), 0o700);
    let files = fs::read_dir(kaw.data()).unwrap().map(|entry| entry.unwrap());
    for file in files.filter(|entry| entry.file_type().unwrap().is_file()) {
        closed(file.path(), 0o600);
    }
    let address = format!("127.0.0.1:{}", said(kaw, "broker.json")["port"]);
    let mut talker = Raw::open(&address).unwrap();
    talker.write(&(1u32 << 20).to_be_bytes()).unwrap();
    assert!(talker.closed(), "a stranger may not announce a megabyte");
    let stranger = format!("consume -e t -b {address} --connect-timeout 2s");
    let stranger = kaw.cmd(&stranger).run().within(NOW);
    assert_eq!((stranger.code, stranger.out().as_str()), (1, ""));
});

it!(a_foreground_broker_takes_over_from_an_automatic_one, |kaw| {
    kaw.cmd("produce t").stdin("a\n").run().ok();
    let consume = kaw.cmd("consume t").start();
    consume.until_out("a\n");
    let mut produce = kaw.cmd("produce t").stdin_open().start();
    let automatic = kaw.serving(|_| true);
    let port = said(kaw, "broker.json")["port"].clone();
    let foreground = kaw.broker("");
    assert_eq!(said(kaw, "broker.json")["port"], port);
    // It gives the directory up before it has ended, and so does one that came too late.
    until("the automatic one to end", || is_gone(automatic).then_some(()));
    until("one broker alone", || (brokers(kaw) == 1).then_some(()));
    produce.write("b\n");
    produce.done().ok();
    kaw.cmd(&format!("produce t -b {}", foreground.address)).stdin("c\n").run().ok();
    consume.until_out("a\nb\nc\n");
    // And back: those who still need one start it.
    foreground.stop();
    kaw.cmd("produce t").stdin("d\n").run().ok();
    consume.until_out("a\nb\nc\nd\n");
});

it!(a_foreground_broker_takes_over_from_whoever_was_quicker, |kaw| {
    kaw.cmd("produce t").stdin("a\n").run().ok();
    let first = kaw.serving(|_| true);
    kill_process(first, Signal::STOP).unwrap();
    let port = said(kaw, "broker.json")["port"].as_u64().unwrap();
    let foreground = kaw.cmd("broker --listen 127.0.0.1:0").start();
    until("it to ask the first one", || talks_to(foreground.pid(), port).then_some(()));
    foreground.signal(Signal::STOP);
    kill_process(first, Signal::KILL).unwrap();
    // Meanwhile somebody else needs a broker.
    kaw.cmd("produce t").stdin("b\n").run().ok();
    kaw.serving(|pid| pid != first);
    foreground.signal(Signal::CONT);
    kaw.serving(|pid| pid == foreground.pid());
    assert_eq!(kaw.ok("consume -e t"), "a\nb\n");
});

/// Whether a process is connected to a port of this machine (proc(5), /proc/net/tcp).
fn talks_to(pid: Pid, port: u64) -> bool {
    let entries = fs::read_dir(format!("/proc/{}/fd", pid.as_raw_pid())).into_iter().flatten();
    let links = entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    let sockets: Vec<String> = links.map(|link| link.to_string_lossy().into_owned()).collect();
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    table.lines().skip(1).any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_connected = words[2].ends_with(&format!(":{port:04X}")) && words[3] == "01";
        is_connected && sockets.contains(&format!("socket:[{}]", words[9]))
    })
}

it!(a_second_foreground_broker_is_told_of_the_first, |kaw| {
    let first = kaw.broker("");
    let pid = first.pid().as_raw_pid();
    let said = kaw.cmd("broker --listen 127.0.0.1:0").run().within(NOW).fails(1);
    assert!(said.contains(&format!("kaw (pid {pid}) on {}", first.address)), "{said}");
    let said = kaw.cmd(&format!("broker --ephemeral --listen {}", first.address)).run().fails(1);
    assert!(said.contains(&format!("(pid {pid}) listens there already")), "{said}");
    assert_eq!(temporary_homes(kaw), Vec::<PathBuf>::new());
});

it!(a_taken_port_is_said_before_anyone_is_sent_away, |kaw| {
    kaw.cmd("produce t").stdin("a\n").run().ok();
    let automatic = kaw.serving(|_| true);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let said = kaw.cmd(&format!("broker --listen {address}")).run().within(NOW).fails(1);
    let own = format!("(pid {}) listens there already", std::process::id());
    assert!(said.contains(&own), "{said}");
    assert!(!is_gone(automatic));
});

it!(a_foreground_broker_stops_cleanly_on_either_signal, |kaw| {
    for signal in [Signal::TERM, Signal::INT] {
        let broker = kaw.broker("--topic t");
        broker.running.signal(signal);
        broker.running.done().ok();
        assert!(kaw.data().join(".kafka_cleanshutdown").exists());
        assert!(!kaw.data().join("broker.json").exists());
    }
});

it!(addresses_are_printed_ready_to_use, |kaw| {
    let port = free_port();
    let cmd =
        kaw.cmd(&format!("broker --listen 127.0.0.1:{port} --listen PLAINTEXT://[::1]:{port}"));
    let broker = cmd.start();
    broker.until_out(&format!("127.0.0.1:{port}\n[::1]:{port}\n"));
    kaw.cmd(&format!("produce t -b 127.0.0.1:{port}")).stdin("a\n").run().ok();
    assert_eq!(kaw.ok(&format!("consume -e t -b [::1]:{port}")), "a\n");
    assert_eq!(kaw.ok("consume -e t"), "a\n", "by the directory's own door");
});

it!(an_ephemeral_broker_leaves_nothing, |kaw| {
    let broker = kaw.broker("--ephemeral --topic t:3");
    let address = broker.address.clone();
    kaw.cmd(&format!("produce t -b {address}")).stdin("a\n").run().ok();
    assert_eq!(temporary_homes(kaw).len(), 1);
    assert!(!kaw.data().exists());
    broker.stop();
    assert_eq!(temporary_homes(kaw), Vec::<PathBuf>::new());
});

it!(status_and_stop_know_both_kinds, |kaw| {
    assert_eq!(kaw.ok("broker status").lines().next(), STOPPED);
    kaw.cmd("broker stop").run().ok().says("no broker serves");
    assert!(!kaw.data().exists(), "asking makes nothing");
    kaw.cmd("produce t").stdin("a\n").run().ok();
    // Where groups keep their offsets is nobody's topic.
    kaw.cmd("consume -e -g readers t").run().ok().prints("a\n");
    let status: serde_json::Value = serde_json::from_str(&kaw.ok("broker status -J")).unwrap();
    assert_eq!(status["running"], true);
    assert_eq!(status["automatic"], true);
    assert_eq!(status["topics"], 1);
    assert_eq!(status["data_dir"].as_str(), kaw.data().to_str());
    let automatic = kaw.serving(|_| true);
    kaw.ok("broker stop");
    assert!(is_gone(automatic));
    let foreground = kaw.broker("");
    let text = kaw.ok("broker status");
    assert!(text.contains(&foreground.address) && text.contains("rm -r"), "{text}");
    kaw.ok("broker stop");
    foreground.running.done().ok();
    let status: serde_json::Value = serde_json::from_str(&kaw.ok("broker status -J")).unwrap();
    assert_eq!(status["running"], false);
    assert!(0 < status["bytes"].as_u64().unwrap());
});

it!(a_command_with_a_broker_of_its_own_passes_its_code_on, |kaw| {
    let run = |script: &str| kaw.cmd("broker run --").args(["sh", "-c", script]).run();
    run("exit 7").code(7);
    run("kill -9 $$").code(137);
    kaw.cmd("broker run -- no-such-program").run().code(127).says("no-such-program");
    kaw.cmd("broker run -- /etc/passwd").run().code(126);
    let script = "echo a | kaw produce t && kaw consume -e t && test \"$KAW_BROKERS\" = \
                  \"$KAFKA_BOOTSTRAP_SERVERS\" && test -z \"$(kaw broker run -- true)\"";
    run(script).ok().prints("a\n");
    assert_eq!(brokers(kaw), 0);
    assert_eq!(temporary_homes(kaw), Vec::<PathBuf>::new());
    assert!(!kaw.data().exists());
});

it!(a_broker_of_ones_own_goes_however_it_ends, |kaw| {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::KILL, 137)] {
        let script = "echo ready; exec sleep 1000";
        let run = kaw.cmd("broker run --").args(["sh", "-c", script]).start();
        run.until_out("ready");
        assert_eq!((brokers(kaw), temporary_homes(kaw).len()), (2, 1), "kaw and its broker");
        run.signal(signal);
        if signal != Signal::KILL {
            run.done().code(code);
        }
        until("all is gone", || {
            (brokers(kaw) == 0 && temporary_homes(kaw).is_empty()).then_some(())
        });
    }
});

it!(a_command_hears_at_once_that_its_broker_was_killed, |kaw| {
    let script = "echo ready; cat";
    let run = kaw.cmd("broker run --").args(["sh", "-c", script]).stdin_open().start();
    run.until_out("ready");
    kill_own_broker(kaw);
    run.until_err("kaw: the broker on 127.0.0.1:");
    let done = run.done().ok().says("was killed; sh goes on without\n");
    assert_eq!(done.err().lines().count(), 1);
    assert_eq!(temporary_homes(kaw), Vec::<PathBuf>::new());
});

/// The only one that was started for a command.
pub fn kill_own_broker(kaw: &Kaw) {
    let is_broker = |pid: &Pid| {
        let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
        line.windows(10).any(|word| word == b"--embedded")
    };
    let pids = kaw.processes().into_iter().filter(is_broker).collect::<Vec<_>>();
    let [pid] = pids.as_slice() else { panic!("{pids:?}") };
    kill_process(*pid, Signal::KILL).unwrap();
}

it!(a_command_with_a_broker_of_its_own_may_take_signals_lightly, |kaw| {
    // While it waits for a command in its foreground, bash loses some SIGINTs.
    let script = "n=0; trap 'n=$((n+1)); echo taken $n' INT; echo up; \
                  until test $n = 3; do sleep 0.02 & wait $!; done; kaw topic create t && exit 7";
    let run = kaw.cmd("broker run --").args(["bash", "-c", script]).start();
    run.until_out("up");
    for number in 1..=3 {
        run.signal(Signal::INT);
        run.until_out(&format!("taken {number}"));
    }
    run.done().code(7);
});

it!(a_broker_that_is_stuck_is_named, |kaw| {
    kaw.cmd("produce t").stdin("a\n").run().ok();
    let pid = kaw.serving(|_| true);
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    let named = format!("though process {} holds it; end it with `kill -9", pid.as_raw_nonzero());
    for line in ["topic list --connect-timeout 1s", "broker status --connect-timeout 1s"] {
        let said = kaw.cmd(line).run().fails(1);
        assert!(said.contains(&named), "{said}");
    }
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    assert_eq!(kaw.ok("consume -e t"), "a\n");
});
