//! `-L`: what one broker knows of the cluster.

use std::fmt::Write;

use super::options::Options;
use super::say::{Ended, fatal};
use super::{no_topic, out, start};
use crate::client::Code;
use crate::client::bare::{Broker, Metadata, Partition, Settings, TopicMetadata, metadata};
use crate::output::kcat::json;

pub fn run(options: &Options, settings: Settings) -> Result<u8, Ended> {
    let (native, topics) = start(options, settings)?;
    let topic = match options.has_topic {
        true => {
            let name = &options.topic;
            Some(topics.open(&native, name).or_else(|code| no_topic(name, code))?)
        }
        false => None,
    };
    let mut said = metadata(&native, topic.as_ref(), options.patience).or_else(|code| {
        let hint = if code == Code::TRANSPORT { HINT } else { "" };
        fatal(format!("Failed to acquire metadata: {code}{hint}"))
    })?;
    name_the_answerer(&mut said);
    let asked = options.has_topic.then_some(options.topic.as_str());
    let controller = native.controller();
    let text = match options.json {
        true => as_json(&said, asked, controller),
        false => as_text(&said, asked, controller).into_bytes(),
    };
    out::print(&text)?;
    Ok(0)
}

/// The librdkafka of kcat's time took the connection that it began with for one to the broker of
/// the same address, as soon as the cluster had named that; later ones keep the two apart.
fn name_the_answerer(said: &mut Metadata) {
    let Some(name) = said.from_name.strip_suffix("/bootstrap") else { return };
    let address = name.rsplit_once("://").map_or(name, |(_, address)| address);
    let is_it = |broker: &&Broker| format!("{}:{}", broker.host, broker.port) == address;
    if let Some(broker) = said.brokers.iter().find(is_it) {
        (said.from, said.from_name) = (broker.id, format!("{name}/{}", broker.id));
    }
}

const HINT: &str = " (Are the brokers reachable? Also try increasing the metadata timeout with \
                    -m <timeout>?)";
const MEMORY: &str = "memory takes every write";

fn as_text(said: &Metadata, asked: Option<&str>, controller: i32) -> String {
    let mut out = format!(
        "Metadata for {} (from broker {}: {}):\n",
        asked.unwrap_or("all topics"),
        said.from,
        said.from_name
    );
    writeln!(out, " {} brokers:", said.brokers.len()).expect(MEMORY);
    for broker in &said.brokers {
        let controls = if broker.id == controller { " (controller)" } else { "" };
        writeln!(out, "  broker {} at {}:{}{controls}", broker.id, broker.host, broker.port)
            .expect(MEMORY);
    }
    writeln!(out, " {} topics:", said.topics.len()).expect(MEMORY);
    for TopicMetadata { name, code, partitions } in &said.topics {
        write!(out, "  topic \"{name}\" with {} partitions:", partitions.len()).expect(MEMORY);
        if *code != Code::NONE {
            write!(out, " {code}").expect(MEMORY);
        }
        if *code == Code::LEADER_NOT_AVAILABLE {
            out.push_str(" (try again)");
        }
        out.push('\n');
        for Partition { id, code, leader, replicas, isrs } in partitions {
            let (replicas, isrs) = (listed(replicas), listed(isrs));
            let error = if *code == Code::NONE { String::new() } else { format!(", {code}") };
            writeln!(
                out,
                "    partition {id}, leader {leader}, replicas: {replicas}, isrs: {isrs}{error}"
            )
            .expect(MEMORY);
        }
    }
    out
}

fn listed(ids: &[i32]) -> String {
    ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}

fn as_json(said: &Metadata, asked: Option<&str>, controller: i32) -> Vec<u8> {
    let text = format!(
        "{{\"originating_broker\":{{\"id\":{},\"name\":{}}},\"query\":{{\"topic\":{}}},\
         \"controllerid\":{controller},\"brokers\":[{}],\"topics\":[{}]}}",
        said.from,
        quoted(&said.from_name),
        quoted(asked.unwrap_or("*")),
        joined(said.brokers.iter().map(broker_json)),
        joined(said.topics.iter().map(topic_json)),
    );
    text.into_bytes()
}

fn broker_json(Broker { id, host, port }: &Broker) -> String {
    let name = quoted(&format!("{host}:{port}"));
    format!("{{\"id\":{id},\"name\":{name}}}")
}

fn topic_json(topic: &TopicMetadata) -> String {
    let partitions = topic.partitions.iter().map(|partition| {
        let ids = |ids: &[i32]| joined(ids.iter().map(|id| format!("{{\"id\":{id}}}")));
        format!(
            "{{\"partition\":{}{},\"leader\":{},\"replicas\":[{}],\"isrs\":[{}]}}",
            partition.id,
            error_json(partition.code),
            partition.leader,
            ids(&partition.replicas),
            ids(&partition.isrs)
        )
    });
    format!(
        "{{\"topic\":{}{},\"partitions\":[{}]}}",
        quoted(&topic.name),
        error_json(topic.code),
        joined(partitions)
    )
}

fn error_json(code: Code) -> String {
    match code {
        Code::NONE => String::new(),
        code => format!(",\"error\":{}", quoted(&code.to_string())),
    }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(",")
}

fn quoted(text: &str) -> String {
    let mut out = Vec::new();
    json::string(text.as_bytes(), &mut out);
    String::from_utf8(out).expect("text stays text")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said() -> Metadata {
        let partition =
            |id, code| Partition { id, code, leader: 1, replicas: vec![1, 2], isrs: vec![1] };
        let topic = |name: &str, code, partitions| TopicMetadata {
            name: name.to_owned(),
            code,
            partitions,
        };
        Metadata {
            from: 1,
            from_name: "h:1/1".to_owned(),
            brokers: vec![
                Broker { id: 1, host: "h".to_owned(), port: 1 },
                Broker { id: 2, host: "h".to_owned(), port: 2 },
            ],
            topics: vec![
                topic(
                    "a",
                    Code::NONE,
                    vec![partition(0, Code::NONE), partition(1, Code::LEADER_NOT_AVAILABLE)],
                ),
                topic("b", Code::LEADER_NOT_AVAILABLE, Vec::new()),
            ],
        }
    }

    #[test]
    fn the_connection_that_it_began_with_has_its_brokers_name() {
        for (name, want) in [
            ("h:2/bootstrap", (2, "h:2/2")),
            ("sasl_ssl://h:2/bootstrap", (2, "sasl_ssl://h:2/2")),
            ("x:2/bootstrap", (-1, "x:2/bootstrap")),
            ("h:1/1", (-1, "h:1/1")),
        ] {
            let mut said = Metadata { from: -1, from_name: name.to_owned(), ..said() };
            name_the_answerer(&mut said);
            assert_eq!((said.from, said.from_name.as_str()), want);
        }
    }

    #[test]
    fn a_cluster_is_shown_as_text() {
        assert_eq!(
            as_text(&said(), None, 2),
            "Metadata for all topics (from broker 1: h:1/1):\n \
             2 brokers:\n  broker 1 at h:1\n  broker 2 at h:2 (controller)\n \
             2 topics:\n  topic \"a\" with 2 partitions:\n    \
             partition 0, leader 1, replicas: 1,2, isrs: 1\n    \
             partition 1, leader 1, replicas: 1,2, isrs: 1, Broker: Leader not available\n  \
             topic \"b\" with 0 partitions: Broker: Leader not available (try again)\n"
        );
        assert!(as_text(&said(), Some("a"), 2).starts_with("Metadata for a (from"));
    }

    #[test]
    fn a_cluster_is_shown_as_json() {
        assert_eq!(
            String::from_utf8(as_json(&said(), Some("a"), 2)).unwrap(),
            r#"{"originating_broker":{"id":1,"name":"h:1/1"},"query":{"topic":"a"},"controllerid":2,"brokers":[{"id":1,"name":"h:1"},{"id":2,"name":"h:2"}],"topics":[{"topic":"a","partitions":[{"partition":0,"leader":1,"replicas":[{"id":1},{"id":2}],"isrs":[{"id":1}]},{"partition":1,"error":"Broker: Leader not available","leader":1,"replicas":[{"id":1},{"id":2}],"isrs":[{"id":1}]}]},{"topic":"b","error":"Broker: Leader not available","partitions":[]}]}"#
        );
    }
}
