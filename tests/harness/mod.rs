//! What every test stands on: a fresh home, the program under a deadline, and a clean end.
//! Never knows: what the program does.

mod disk;
mod outside;
mod process;
pub mod raw;
pub mod relay;

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

pub use disk::SmallDisk;
pub use outside::{Apache, Version, kafka_python, python_with};
pub use process::{Cmd, Done, Running};

/// How long a command or a condition may take, unless a test says otherwise. Generous: the
/// machine may be busy with the other tests.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_kaw");

/// One test's own world: a home, a data directory, and all that runs on them.
pub struct Kaw {
    root: PathBuf,
}

impl Kaw {
    /// Runs `test` in a fresh home and ends whatever it started. The home of a test that fails is
    /// kept and named.
    pub fn with(fact: &str, test: impl FnOnce(&Kaw)) {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("kaw-test-{}-{count}-{fact}", std::process::id());
        let root = std::env::temp_dir().join(name);
        fs::create_dir_all(root.join("home")).expect("the temporary directory is writable");
        let kaw = Kaw { root: root.canonicalize().expect("it was just made") };
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| test(&kaw)));
        kaw.end_processes();
        match outcome {
            Ok(()) => _ = fs::remove_dir_all(&kaw.root),
            Err(cause) => {
                eprintln!("kept for a look: {}", kaw.root.display());
                panic::resume_unwind(cause);
            }
        }
    }

    /// A `kaw` command. Words are split at blanks; single or double quotes keep blanks in a word.
    pub fn cmd(&self, line: &str) -> Cmd {
        let mut command = Command::new(PROGRAM);
        command.args(words(line));
        self.prepare(command, format!("kaw {line}"))
    }

    /// A bash script in which `kaw` is the program under test.
    pub fn sh(&self, script: &str) -> Cmd {
        self.tool("bash").arg("-c").arg(format!("set -o pipefail; {script}"))
    }

    /// Another program, in the same home and environment.
    pub fn tool(&self, program: &str) -> Cmd {
        self.prepare(Command::new(program), program.to_owned())
    }

    /// Runs a `kaw` command that must succeed; its stdout as text.
    #[track_caller]
    pub fn ok(&self, line: &str) -> String {
        self.cmd(line).run().ok().out()
    }

    /// A broker in the foreground on a free port of 127.0.0.1, ready. `options` are `kaw broker`'s.
    #[track_caller]
    pub fn broker(&self, options: &str) -> Broker {
        self.broker_at("127.0.0.1:0", options)
    }

    /// A broker in the foreground at this address of 127.0.0.1, ready.
    #[track_caller]
    pub fn broker_at(&self, address: &str, options: &str) -> Broker {
        Broker::start(self.cmd(&format!("broker --listen {address} {options}")))
    }

    /// A broker in the foreground on another data directory, ready.
    #[track_caller]
    pub fn broker_on(&self, dir: &Path) -> Broker {
        Broker::start(self.cmd("broker --listen 127.0.0.1:0").env("KAW_DATA_DIR", dir))
    }

    /// The process that serves the data directory to commands, once there is one that `wanted`
    /// wants.
    #[track_caller]
    pub fn serving(&self, wanted: impl Fn(Pid) -> bool) -> Pid {
        until("a broker on the data directory", || {
            let text = fs::read(self.data().join("broker.json")).ok()?;
            let json: serde_json::Value = serde_json::from_slice(&text).ok()?;
            let pid = Pid::from_raw(json["pid"].as_i64()? as i32)?;
            (wanted(pid) && self.processes().contains(&pid)).then_some(pid)
        })
    }

    /// The data directory that commands of this home use. It may not be there yet.
    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// A path of this test's own.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.join(name)
    }

    /// Writes a file of this test's own.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).expect("the test's directory is writable");
        path
    }

    fn prepare(&self, mut command: Command, shown: String) -> Cmd {
        let home = self.path("home");
        command
            .env_clear()
            .env("PATH", search_path())
            .env("HOME", &home)
            .env("XDG_DATA_HOME", home.join(".local/share"))
            .env("XDG_CONFIG_HOME", home.join(".config"))
            .env("KAW_DATA_DIR", self.data())
            .env("KAW_TEST_HOME", &self.root)
            .env("TMPDIR", self.tmp())
            .env("LC_ALL", "C.UTF-8")
            .current_dir(&self.root);
        Cmd::new(command, shown)
    }

    fn tmp(&self) -> PathBuf {
        let tmp = self.path("tmp");
        fs::create_dir_all(&tmp).expect("the test's directory is writable");
        tmp
    }

    /// The processes that still run in this home, automatic brokers included.
    pub fn processes(&self) -> Vec<Pid> {
        let mark = format!("KAW_TEST_HOME={}\0", self.root.display());
        let own = std::process::id();
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        pids.filter(|&pid| pid != own as i32 && in_environment(pid, &mark))
            .filter_map(Pid::from_raw)
            .collect()
    }

    fn end_processes(&self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let left = self.processes();
            if left.is_empty() || Instant::now() > deadline {
                return;
            }
            for pid in left {
                // It may have ended by itself meanwhile.
                let _ = kill_process(pid, Signal::KILL);
            }
            pause();
        }
    }
}

/// A broker that runs in the foreground. Dropped, it is killed.
pub struct Broker {
    pub address: String,
    pub running: Running,
}

impl Broker {
    #[track_caller]
    fn start(cmd: Cmd) -> Broker {
        let running = cmd.start();
        let address = running.until("its address on stdout", |out, _| {
            let at = out.find("127.0.0.1:")?;
            let end = out[at + 10..].find(|c: char| !c.is_ascii_digit())?;
            Some(out[at..at + 10 + end].to_owned())
        });
        Broker { address, running }
    }

    pub fn pid(&self) -> Pid {
        self.running.pid()
    }

    /// Asks it to stop cleanly, and checks that it did.
    #[track_caller]
    pub fn stop(self) -> Done {
        self.running.signal(Signal::TERM);
        self.running.done().ok()
    }

    /// Kills it where it stands.
    pub fn kill(self) {
        self.running.signal(Signal::KILL);
        self.running.done();
    }
}

/// Waits until `look` has seen what it looks for, and returns that.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never came in {DEADLINE:?}: {what}");
        pause();
    }
}

/// The one wait in the tests: between two looks at a condition.
fn pause() {
    std::thread::sleep(Duration::from_millis(5));
}

/// A port that nothing listens on, given once per run of the tests. It lies below the range from
/// which the kernel picks ports by itself, so nothing takes it by chance.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 180) as u16 * 100;
    loop {
        let port = 12_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 18_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Whether all that an outside tool is needed for must be shown (`KAW_REQUIRE_ALL=1`).
pub fn all_required() -> bool {
    std::env::var_os("KAW_REQUIRE_ALL").is_some_and(|value| value == "1")
}

/// Says aloud, past the test runner's capture, what is not shown here, or fails.
#[track_caller]
pub fn skip(why: &str) {
    use std::io::Write;
    assert!(!all_required(), "KAW_REQUIRE_ALL=1, but {why}");
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "SKIPPED {name}: {why}");
}

/// Where an outside program is, or the test is skipped aloud:
/// `let Some(kcat) = found("kcat") else { return };`
#[track_caller]
pub fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let at = std::env::split_paths(&path).map(|dir| dir.join(program)).find(|at| at.is_file());
    if at.is_none() {
        skip(&format!("{program} is not installed"));
    }
    at
}

/// The user's PATH, with the program under test in front.
fn search_path() -> std::ffi::OsString {
    let own = Path::new(PROGRAM).parent().expect("the program lies in a directory").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(own).chain(std::env::split_paths(&path));
    std::env::join_paths(all).expect("no directory of PATH has a colon")
}

fn in_environment(pid: i32, mark: &str) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.windows(mark.len()).any(|part| part == mark.as_bytes())
}

/// A line cut into words, as `Kaw::cmd` does.
pub fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match quote {
            Some(q) if c == q => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[test]
fn a_command_line_is_split_as_a_shell_would() {
    assert_eq!(words("a  'b c' d\"e f\" ''"), ["a", "b c", "de f", ""]);
}
