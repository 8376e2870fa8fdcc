//! Real programs beside ours: Apache Kafka, its tools, Python clients. Fetched once, from their
//! ordinary registries, into the build's own directory.
//! Never knows: what is shown with them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::{Cmd, Done, Kaw, Running, found, free_port, skip, until};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/apache-kafka.sh");

/// The ports that a script took and the one above it belong together.
fn two_free_ports() -> u16 {
    let port = free_port();
    if free_port() == port + 1 { port } else { two_free_ports() }
}

/// `{port}` and `{controller}` are the two that Apache Kafka's own listeners have.
fn with_ports(setting: &str, port: u16) -> String {
    let setting = setting.replace("{port}", &port.to_string());
    setting.replace("{controller}", &(port + 1).to_string())
}

/// A real Apache Kafka. Dropped, it is killed.
pub struct Apache {
    pub address: String,
    running: Running,
}

impl Apache {
    /// Stops it cleanly.
    #[track_caller]
    pub fn stop(mut self) {
        self.running.close_stdin();
        self.running.done().ok();
    }

    /// Kills it where it stands; it is gone when this returns.
    #[track_caller]
    pub fn kill(self, kaw: &Kaw) {
        drop(self.running);
        until("its end", || kaw.processes().is_empty().then_some(()));
    }
}

impl Kaw {
    /// A real Apache Kafka with an empty data directory, or the test is skipped aloud.
    #[track_caller]
    pub fn apache(&self) -> Option<Apache> {
        self.apache_on(&self.path("apache/data"))
    }

    /// A real Apache Kafka on this data directory, which is formatted if it is new.
    #[track_caller]
    pub fn apache_on(&self, data: &Path) -> Option<Apache> {
        self.apache_with(&[format!("log.dirs={}", data.display())], "")
    }

    /// A real Apache Kafka with these settings, in which `{port}` and `{controller}` stand for the
    /// ports of its own listeners.
    /// `format` are options for `kafka-storage format`.
    #[track_caller]
    pub fn apache_with(&self, settings: &[String], format: &str) -> Option<Apache> {
        let port = two_free_ports();
        let serve = self.apache_command(settings, port)?;
        let running = serve.env("KAFKA_FORMAT", format).stdin_open().start();
        running.until_out("ready");
        Some(Apache { address: format!("127.0.0.1:{port}"), running })
    }

    /// A real Apache Kafka with these settings under another program, until that has ended it.
    #[track_caller]
    pub fn apache_under(&self, program: &str, settings: &[String]) -> Option<Done> {
        let serve = self.apache_command(settings, two_free_ports())?;
        let serving = serve.env("KAFKA_UNDER", program).stdin_open().start();
        Some(serving.over())
    }

    fn apache_command(&self, settings: &[String], port: u16) -> Option<Cmd> {
        let serve = self.tool("bash").args([SCRIPT, "serve"]).arg(jars()?);
        let serve = serve.arg(self.path("apache")).arg(port.to_string());
        let settings = settings.iter().map(|setting| with_ports(setting, port));
        Some(serve.args(settings).within(Duration::from_secs(180)))
    }

    /// One of Apache Kafka's own command-line classes, or the test is skipped aloud.
    #[track_caller]
    pub fn apache_tool(&self, class: &str) -> Option<Cmd> {
        Some(self.tool("bash").args([SCRIPT, "tool"]).arg(jars()?).arg(class))
    }
}

fn jars() -> Option<PathBuf> {
    found("java")?;
    let jars = kept("apache-kafka");
    if !jars.join("complete").exists() {
        found("mvn")?;
        locked(&jars, || done(Command::new("bash").args([SCRIPT, "fetch"]).arg(&jars)));
    }
    Some(jars)
}

/// A Python that can import this version of kafka-python, or the test is skipped aloud.
#[track_caller]
pub fn kafka_python(version: Version) -> Option<PathBuf> {
    let (name, requirement) = match version {
        Version::Newest => ("newest", "kafka-python"),
        Version::Old => ("2.0.2", "kafka-python==2.0.2"),
    };
    let Some(base) = version.base() else {
        skip("there is no Python that kafka-python 2.0.2 runs on (3.11 or older)");
        return None;
    };
    Some(installed(&format!("kafka-python-{name}"), base, requirement))
}

/// A Python that can import these packages, with a blank between two.
#[track_caller]
pub fn python_with(packages: &str) -> Option<PathBuf> {
    found("python3")?;
    Some(installed(&format!("python-{}", packages.replace(' ', "-")), "python3".into(), packages))
}

/// A Python of its own with this package, installed once.
fn installed(name: &str, base: PathBuf, requirement: &str) -> PathBuf {
    let home = kept(name);
    let python = home.join("bin/python");
    if !home.join("complete").exists() {
        locked(&home, || {
            done(Command::new(base).args(["-m", "venv", "--clear"]).arg(&home));
            let packages = requirement.split(" ");
            done(Command::new(&python).args(["-m", "pip", "install", "-q"]).args(packages));
            File::create(home.join("complete")).expect("the build's directory is writable");
        });
    }
    python
}

/// Versions of kafka-python that people have in their programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    Newest,
    /// The last release for years; it fails to import from Python 3.12 on (its copy of six).
    Old,
}

impl Version {
    fn base(self) -> Option<PathBuf> {
        let Version::Old = self else { return Some("python3".into()) };
        let home = std::env::var_os("HOME").unwrap_or_default();
        let installed = fs::read_dir(Path::new(&home).join(".pyenv/versions"));
        let own = installed.into_iter().flatten().flatten().map(|e| e.path().join("bin/python3"));
        let named = ["python3.11", "python3.10", "python3.9", "python3"].map(PathBuf::from);
        named.into_iter().chain(own).find(|python| {
            let check = "import sys, ensurepip; sys.exit(not (3, 8) <= sys.version_info < (3, 12))";
            let output = Command::new(python).args(["-c", check]).output();
            output.is_ok_and(|output| output.status.success())
        })
    }
}

/// Where what was fetched is kept between runs.
fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Fetches into `place` unless that is complete, once however many tests ask.
fn locked(place: &Path, fetch: impl FnOnce()) {
    let lock =
        File::create(place.with_extension("lock")).expect("the build's directory is writable");
    flock(&lock, FlockOperation::LockExclusive).expect("the build's directory takes locks");
    if !place.join("complete").exists() {
        fetch();
    }
}

fn done(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}
