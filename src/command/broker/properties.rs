//! `kaw broker properties`: what a stock Apache Kafka needs to take a data directory over.

use std::fmt::Write;
use std::path::Path;

use anyhow::{anyhow, bail};

use super::control::{place, stop_command};
use crate::broker::Identity;
use crate::command::stdio::{print, tell};
use crate::command::{Exit, Global};

/// Print the server.properties with which Apache Kafka takes the data directory over
///
/// Kafka 4.0 or newer, after the broker has stopped; nothing is converted, and kaw takes the
/// directory back in the same way, once Kafka has stopped.
#[derive(clap::Args, Debug)]
pub struct PropertiesArgs {}

pub fn properties(global: &Global, PropertiesArgs {}: PropertiesArgs) -> anyhow::Result<Exit> {
    let dir = place(global)?.data_dir;
    let Some(identity) = Identity::load(&dir)? else {
        bail!("{} has no data of a broker yet; `kaw broker` makes some", dir.display());
    };
    for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
        if entry.path().is_dir() && is_refused(&entry.file_name().to_string_lossy()) {
            let path = entry.path();
            let path = path.display();
            let what = "is no partition's directory, and Apache Kafka does not start with it there";
            tell(&format!("{path} {what}; move it elsewhere"));
        }
    }
    print(&text(&dir, identity.node_id)?)
}

/// Whether Apache Kafka refuses to start on a data directory with a directory of this name, as it
/// does on lost+found (UnifiedLog.parseTopicPartitionName).
fn is_refused(name: &str) -> bool {
    let set_aside = ["-delete", "-future", "-stray"];
    let whole = match set_aside.iter().find_map(|suffix| name.strip_suffix(suffix)) {
        Some(with_id) => with_id.rsplit_once('.').map(|(whole, _)| whole),
        None => Some(name),
    };
    let is_number = |number: &str| number.parse::<u32>().is_ok();
    let partition = whole.and_then(|whole| whole.rsplit_once('-'));
    name != "remote-log-index-cache"
        && !partition.is_some_and(|(topic, number)| !topic.is_empty() && is_number(number))
}

/// A quorum's voter is named too, though a directory of ours has it in its log: one that began
/// with Apache Kafka's static quorum has not, and the log's wins where there is one.
fn text(dir: &Path, node: i32) -> anyhow::Result<String> {
    let log_dirs = dir.to_str().filter(|path| !path.contains(','));
    let log_dirs = log_dirs.map(escaped).ok_or_else(|| {
        let dir = dir.display();
        anyhow!("log.dirs cannot name {dir}, which has a comma or is not UTF-8; move it first")
    })?;
    let mut text = format!("# First: {}\n", escaped(&stop_command(dir)));
    text += "# Then:  kafka-server-start.sh FILE, where FILE has these lines\n";
    let (broker, controller) = ("localhost:9092", "localhost:9093");
    let lines = [
        ("process.roles", "broker,controller".to_owned()),
        ("node.id", node.to_string()),
        ("log.dirs", log_dirs),
        ("listeners", format!("PLAINTEXT://{broker},CONTROLLER://{controller}")),
        ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned()),
        ("controller.listener.names", "CONTROLLER".to_owned()),
        ("controller.quorum.voters", format!("{node}@{controller}")),
    ];
    // One node holds everything; Kafka's own default for these is three.
    let single = [
        "offsets.topic.replication.factor",
        "transaction.state.log.replication.factor",
        "transaction.state.log.min.isr",
        "share.coordinator.state.topic.replication.factor",
        "share.coordinator.state.topic.min.isr",
    ];
    let single = single.map(|key| (key, "1".to_owned()));
    for (key, value) in lines.into_iter().chain(single) {
        writeln!(text, "{key}={value}")?;
    }
    Ok(text)
}

/// As java.util.Properties reads a value: Latin-1 with backslashes.
fn escaped(value: &str) -> String {
    let mut text = String::new();
    for unit in value.encode_utf16() {
        match char::from_u32(unit.into()) {
            Some('\\') => text += "\\\\",
            Some(plain @ ' '..='~') => text.push(plain),
            _ => text += &format!("\\u{unit:04x}"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_that_apache_kafka_refuses_are_known() {
        let id = "0123456789abcdef";
        for name in ["t-0", "a-b-12", &format!("t-0.{id}-delete"), &format!("t-0.{id}-stray")] {
            assert!(!is_refused(name), "{name}");
        }
        for name in ["bk", "lost+found", "t-x", "-0", "t-delete", "t-0-stray"] {
            assert!(is_refused(name), "{name}");
        }
    }

    #[track_caller]
    fn log_dirs(dir: &str) -> String {
        let text = text(Path::new(dir), 7).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("log.dirs="));
        line.unwrap().to_owned()
    }

    #[test]
    fn java_reads_the_directorys_name_back() {
        assert_eq!(log_dirs("/var/a b"), "/var/a b");
        assert_eq!(log_dirs("/var/a\\b"), "/var/a\\\\b");
        assert_eq!(log_dirs("/ä/𝄞\n"), "/\\u00e4/\\ud834\\udd1e\\u000a");
        let error = text(Path::new("/a,b"), 7).unwrap_err().to_string();
        assert!(error.contains("/a,b, which has a comma"), "{error}");
    }

    #[test]
    fn the_node_is_the_directorys_own() {
        let text = text(Path::new("/d"), 7).unwrap();
        assert!(text.contains("\nnode.id=7\n"), "{text}");
        assert!(text.contains("\ncontroller.quorum.voters=7@localhost:9093\n"), "{text}");
    }
}
