//! kill -9 of the broker in the middle of producing, fifty times over one data directory.
//!
//! Goal: what was acknowledged is there, once and in order; what was not may be there or not, but
//! never twice. Method: producers without a client library (`harness::raw`), so that exactly what
//! was acknowledged is known; and one idempotent `kaw produce` that must ride over every kill.

use std::collections::VecDeque;
use std::io::Write;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kafka_protocol::messages::ProduceRequest;
use rustix::process::{Signal, kill_process};

use crate::harness::raw::{Raw, poll, produce, records};
use crate::harness::{Kaw, free_port, until};
use crate::history::History;

const KILLS: u64 = 50;

/// A version whose topics are named, not numbered.
const PRODUCE_VERSION: i16 = 9;

/// How many unanswered requests a producer keeps on the way.
const IN_FLIGHT: usize = 4;

it!(acknowledged_records_survive_fifty_kills, |kaw| {
    let address = format!("127.0.0.1:{}", free_port());
    let mut writers = [Writer::new("all", -1), Writer::new("leader", 1)];
    for round in 0..KILLS {
        let broker = kaw.broker_at(&address, "--topic all --topic leader");
        let acknowledged = AtomicU64::new(0);
        // Where it is killed differs from round to round, and is the same in every run.
        let enough = 1 + round * round * 7 % 400;
        std::thread::scope(|threads| {
            for writer in &mut writers {
                threads.spawn(|| writer.write_until_cut(&address, &acknowledged));
            }
            until("acknowledgements", || {
                (acknowledged.load(Ordering::Relaxed) >= enough).then_some(())
            });
            broker.kill();
        });
    }
    let broker = kaw.broker_at(&address, "");
    writers.iter().for_each(|writer| writer.check(kaw));
    broker.stop();
});

it!(what_producers_and_consumers_saw_over_kills_is_what_a_log_does, |kaw| {
    const TURNS: u64 = 15;
    let address = format!("127.0.0.1:{}", free_port());
    let mut producers: Vec<_> = (0..3)
        .map(|id| Witness { id, acks: if id == 0 { 1 } else { -1 }, ..Witness::default() })
        .collect();
    let mut consumers: [Vec<(i64, String)>; 2] = Default::default();
    for turn in 0..TURNS {
        let broker = kaw.broker_at(&address, "--topic t");
        let acknowledged = AtomicU64::new(0);
        std::thread::scope(|threads| {
            for producer in &mut producers {
                threads.spawn(|| producer.send_until_cut(&address, &acknowledged));
            }
            for consumer in &mut consumers {
                threads.spawn(|| poll_until_cut(consumer, &address));
            }
            let enough = 10 + turn * turn * 7 % 300;
            until("acknowledgements", || {
                (acknowledged.load(Ordering::Relaxed) >= enough).then_some(())
            });
            broker.kill();
        });
    }
    let broker = kaw.broker_at(&address, "");
    let mut history = History::default();
    for producer in producers {
        history.sent.extend(producer.sent.into_iter().map(|value| (producer.id, value)));
        history.acknowledged.extend(producer.acknowledged);
    }
    let polls = |seen: Vec<_>| seen.into_iter().map(Some).collect();
    history.polls = consumers.into_iter().map(polls).collect();
    history.last = records(&mut Raw::open(&broker.address).unwrap(), "t").unwrap();
    broker.stop();
    let polled: usize = history.polls.iter().map(Vec::len).sum();
    let _ = writeln!(
        std::io::stderr(),
        "kills under witnesses: {TURNS}, {} values sent, {} acknowledged, {polled} polled",
        history.sent.len(),
        history.acknowledged.len(),
    );
    assert!(TURNS as usize * 10 < history.acknowledged.len() && 100 < polled, "too little to tell");
    assert_eq!(history.anomalies(), []);
});

it!(one_produce_rides_over_fifty_kills_without_loss_or_duplicate, |kaw| {
    const LINES_A_KILL: u64 = 5_000;
    let mut produce = kaw.cmd("produce t").stdin_open().within(Duration::from_secs(180)).start();
    let log = kaw.data().join("t-0/00000000000000000000.log");
    let mut written = String::new();
    let mut killed = None;
    for round in 0..KILLS {
        let lines = (round * LINES_A_KILL..(round + 1) * LINES_A_KILL).map(|n| format!("{n}\n"));
        let lines: String = lines.collect();
        let size = || std::fs::metadata(&log).map_or(0, |file| file.len());
        let before = size();
        produce.write(&lines);
        written.push_str(&lines);
        let broker = kaw.serving(|pid| Some(pid) != killed);
        produce.runs_until("some of the lines on the disk", || (size() > before).then_some(()));
        kill_process(broker, Signal::KILL).unwrap();
        killed = Some(broker);
    }
    produce.close_stdin();
    produce.done().ok();
    kaw.cmd("consume -e t").run().ok().prints(&written);
});

/// A producer that never sends anything twice, and remembers what it was told.
#[derive(Default)]
struct Witness {
    id: u32,
    acks: i16,
    sent: Vec<String>,
    acknowledged: Vec<(i64, String)>,
}

impl Witness {
    fn send_until_cut(&mut self, address: &str, count: &AtomicU64) {
        let mut raw = Raw::open(address).expect("the broker is ready");
        let mut pending = VecDeque::new();
        loop {
            while pending.len() < IN_FLIGHT {
                let next = self.sent.len();
                let values = (next..next + 1 + next % 5).map(|n| format!("{}-{n}", self.id));
                let values: Vec<String> = values.collect();
                self.sent.extend(values.iter().cloned());
                if raw.send(&produce("t", self.acks, &values), PRODUCE_VERSION).is_err() {
                    return;
                }
                pending.push_back(values);
            }
            let Ok(answer) = raw.answer::<ProduceRequest>(PRODUCE_VERSION) else { return };
            let values = pending.pop_front().expect("an answer to a request");
            let partition = &answer.responses[0].partition_responses[0];
            assert_eq!(partition.error_code, 0, "{partition:?}");
            self.acknowledged.extend((partition.base_offset..).zip(values));
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Reads on from where it was.
fn poll_until_cut(seen: &mut Vec<(i64, String)>, address: &str) {
    let mut raw = Raw::open(address).expect("the broker is ready");
    loop {
        let from = seen.last().map_or(0, |(offset, _)| offset + 1);
        let Ok(more) = poll(&mut raw, "t", from) else { return };
        seen.extend(more);
    }
}

/// Sends numbered records to a topic and keeps account of the acknowledged ones.
struct Writer {
    topic: &'static str,
    acks: i16,
    next: u64,
    /// The first offset and the numbers of each acknowledged batch.
    acknowledged: Vec<(i64, Range<u64>)>,
}

impl Writer {
    fn new(topic: &'static str, acks: i16) -> Writer {
        Writer { topic, acks, next: 0, acknowledged: Vec::new() }
    }

    fn write_until_cut(&mut self, address: &str, count: &AtomicU64) {
        let mut raw = Raw::open(address).expect("the broker is ready");
        let mut sent = VecDeque::new();
        loop {
            while sent.len() < IN_FLIGHT {
                let batch = self.next..self.next + 1 + self.next % 7;
                let values: Vec<String> = batch.clone().map(|n| n.to_string()).collect();
                self.next = batch.end;
                sent.push_back(batch);
                if raw.send(&produce(self.topic, self.acks, &values), PRODUCE_VERSION).is_err() {
                    return;
                }
            }
            let Ok(answer) = raw.answer::<ProduceRequest>(PRODUCE_VERSION) else { return };
            let batch = sent.pop_front().expect("an answer to a request");
            let partition = &answer.responses[0].partition_responses[0];
            match partition.error_code {
                0 => self.acknowledged.push((partition.base_offset, batch)),
                code => panic!("{}: error {code}", self.topic),
            }
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Every acknowledged record is where it was said to be, and none is there twice.
    fn check(&self, kaw: &Kaw) {
        let text = kaw.ok(&format!("consume -e -f '%o %s\\n' {}", self.topic));
        let mut numbers = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let (offset, number) = line.split_once(' ').unwrap();
            assert_eq!(offset.parse(), Ok(at), "offsets have no gap");
            numbers.push(number.parse::<u64>().unwrap());
        }
        assert!(numbers.is_sorted_by(|a, b| a < b), "{}: in order, and once", self.topic);
        assert!(self.acknowledged.len() as u64 >= KILLS, "{}: too little to tell", self.topic);
        for (base, batch) in &self.acknowledged {
            let there = numbers.iter().skip(*base as usize).copied();
            assert!(batch.clone().eq(there.take(batch.clone().count())), "lost: {batch:?}");
        }
    }
}
