//! A small life of a broker, and what its client was told when.
//! Never knows: what the broker did to its files.

use std::io;

use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::{
    CreateTopicsRequest, DeleteRecordsRequest, DeleteTopicsRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::traced::Traced;
use crate::harness::raw::{Raw, produce, records};

/// What a crash takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Only the process.
    None,
    OfPower,
}

/// One thing that the client knows, from a line of the trace on.
struct Fact {
    from: usize,
    /// Until it asked for the opposite.
    until: usize,
    /// Also after a power loss.
    durable: bool,
    what: What,
}

enum What {
    Exists(&'static str),
    IsGone(&'static str),
    Holds(&'static str, i64, String),
    BeginsAt(&'static str, i64),
}

/// All that the client was told.
#[derive(Default)]
pub struct Told {
    facts: Vec<Fact>,
    /// Every value it sent.
    sent: Vec<String>,
    /// What the broker would not do.
    pub refused: usize,
}

/// A client that is alone with its broker.
struct Workload<'a> {
    raw: Raw,
    broker: &'a Traced,
    told: Told,
}

/// Lives a small life on an empty directory, as far as the broker goes with it; what was told.
pub fn run(broker: &Traced) -> Told {
    let raw = broker.address.as_ref().and_then(|address| Raw::open(address).ok());
    let Some(raw) = raw else { return Told::default() };
    let mut life = Workload { raw, broker, told: Told::default() };
    // It ends where the broker does.
    let _ = life.live();
    life.told
}

impl Workload<'_> {
    fn live(&mut self) -> io::Result<()> {
        for topic in ["plain", "rolled", "twice"] {
            self.create(topic)?;
        }
        for round in 0..6 {
            for topic in ["plain", "rolled", "twice"] {
                // What waits for no disk is safe from a kill alone.
                let acks = if topic == "plain" && round % 2 == 1 { 1 } else { -1 };
                self.produce(topic, acks, 1 + round % 3)?;
            }
        }
        self.trim("rolled", 4)?;
        self.produce("rolled", -1, 2)?;
        self.delete("twice")?;
        self.create("twice")?;
        self.produce("twice", -1, 1)?;
        self.trim("plain", 3)?;
        self.produce("twice", 1, 3)?;
        self.delete("plain")
    }

    fn line(&self) -> usize {
        self.broker.trace().lines().count()
    }

    /// What a good answer tells.
    fn learn(&mut self, error_code: i16, durable: bool, what: What) {
        if error_code != 0 {
            self.told.refused += 1;
            return;
        }
        let from = self.line();
        self.told.facts.push(Fact { from, until: usize::MAX, durable, what });
    }

    /// From now on these facts may be no more.
    fn unlearn(&mut self, no_more: impl Fn(&What) -> bool) {
        let now = self.line();
        let facts = self.told.facts.iter_mut().filter(|fact| no_more(&fact.what));
        facts.for_each(|fact| fact.until = fact.until.min(now));
    }

    fn create(&mut self, topic: &'static str) -> io::Result<()> {
        self.unlearn(|what| matches!(what, What::IsGone(gone) if *gone == topic));
        let wanted = CreatableTopic::default().with_name(name(topic));
        let mut wanted = wanted.with_num_partitions(1).with_replication_factor(1);
        if topic == "rolled" {
            // Every other batch begins a segment.
            let config = CreatableTopicConfig::default()
                .with_name(StrBytes::from_static_str("segment.ms"))
                .with_value(Some(StrBytes::from_static_str("1")));
            wanted = wanted.with_configs(vec![config]);
        }
        let request = CreateTopicsRequest::default().with_topics(vec![wanted]);
        let made = self.raw.call(&request.with_timeout_ms(10_000), 5)?;
        self.learn(made.topics[0].error_code, true, What::Exists(topic));
        Ok(())
    }

    fn produce(&mut self, topic: &'static str, acks: i16, count: usize) -> io::Result<()> {
        let next = self.told.sent.len();
        let values: Vec<String> = (next..next + count).map(|n| format!("{topic}-{n}")).collect();
        self.told.sent.extend(values.iter().cloned());
        let answer = self.raw.call(&produce(topic, acks, &values), 9)?;
        let answer = &answer.responses[0].partition_responses[0];
        for (offset, value) in (answer.base_offset..).zip(values) {
            self.learn(answer.error_code, acks == -1, What::Holds(topic, offset, value));
        }
        Ok(())
    }

    fn trim(&mut self, topic: &'static str, offset: i64) -> io::Result<()> {
        self.unlearn(|what| matches!(what, What::Holds(of, at, _) if *of == topic && *at < offset));
        let partition = DeleteRecordsPartition::default().with_offset(offset);
        let wanted = DeleteRecordsTopic::default().with_name(name(topic));
        let wanted = wanted.with_partitions(vec![partition]);
        let request = DeleteRecordsRequest::default().with_topics(vec![wanted]);
        let done = self.raw.call(&request.with_timeout_ms(10_000), 2)?;
        let error_code = done.topics[0].partitions[0].error_code;
        self.learn(error_code, true, What::BeginsAt(topic, offset));
        Ok(())
    }

    fn delete(&mut self, topic: &'static str) -> io::Result<()> {
        self.unlearn(|what| match what {
            What::Exists(of) | What::Holds(of, ..) | What::BeginsAt(of, _) => *of == topic,
            What::IsGone(_) => false,
        });
        let state = DeleteTopicState::default().with_name(Some(name(topic)));
        let request = DeleteTopicsRequest::default().with_topics(vec![state]);
        let done = self.raw.call(&request.with_timeout_ms(10_000), 6)?;
        self.learn(done.responses[0].error_code, true, What::IsGone(topic));
        Ok(())
    }
}

impl Told {
    pub fn acknowledged(&self) -> usize {
        self.facts.iter().filter(|fact| matches!(fact.what, What::Holds(..))).count()
    }

    /// Whether a broker that was started after a crash at this line of the trace keeps all that was
    /// promised; how many records were.
    pub fn check(&self, raw: &mut Raw, line: usize, loss: Loss, context: &str) -> u64 {
        let mut checked = 0;
        let mut found = Vec::new();
        for topic in ["plain", "rolled", "twice"] {
            let held = records(raw, topic);
            let all = held.iter().flatten();
            for (_, value) in all.clone() {
                let sent = self.sent.contains(value) && value.starts_with(topic);
                assert!(sent, "nobody sent {value} to {topic}: {context}");
            }
            let values: std::collections::BTreeSet<_> = all.clone().map(|(_, v)| v).collect();
            assert_eq!(values.len(), all.count(), "nothing is there twice: {context}");
            found.push((topic, held));
        }
        let held = |topic: &str| {
            found.iter().find(|(of, _)| *of == topic).expect("one of the three").1.as_ref()
        };
        let known = self.facts.iter().filter(|fact| fact.from <= line && line < fact.until);
        for fact in known.filter(|fact| fact.durable || loss == Loss::None) {
            match &fact.what {
                What::Exists(topic) => assert!(held(topic).is_some(), "{topic} exists: {context}"),
                What::IsGone(topic) => assert!(held(topic).is_none(), "{topic} is gone: {context}"),
                What::BeginsAt(topic, start) => {
                    let first = held(topic).and_then(|all| all.first());
                    let kept = first.is_none_or(|(offset, _)| start <= offset);
                    assert!(kept, "{topic} begins at {start}: {first:?} {context}");
                }
                What::Holds(topic, offset, value) => {
                    let there = held(topic).is_some_and(|all| {
                        all.iter().any(|(at, found)| at == offset && found == value)
                    });
                    assert!(there, "lost {value} at {offset}: {:?} {context}", held(topic));
                    checked += 1;
                }
            }
        }
        checked
    }
}

fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}
