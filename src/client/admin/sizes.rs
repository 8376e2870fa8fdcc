//! What partitions take on their leaders' disks, asked over `wire`: librdkafka has no
//! DescribeLogDirs (35).
//! Never knows: tables, what is told to users.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::{Admin, BrokerInfo, Config, TopicInfo};
use crate::client::config::nonce;
use crate::record::PartitionId;
use crate::wire::{Access, Sizes};

/// A size is worth no longer wait, on top of all that was asked at the same time.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// So many brokers are asked at once.
const THREADS_MAX: usize = 64;

/// Replicas by topic.
type Led = BTreeMap<String, Vec<PartitionId>>;

/// What one broker is asked.
struct Question {
    broker: BrokerInfo,
    led: Vec<(String, Vec<PartitionId>)>,
}

type Reply = (i32, Result<Sizes, String>);

/// Questions under way.
pub struct Asked {
    replies: Receiver<Reply>,
    /// The addresses of those that have not answered.
    waiting: BTreeMap<i32, String>,
    deadline: Instant,
}

/// What came of them.
#[derive(Default)]
pub struct Measured {
    pub sizes: Sizes,
    /// Of each broker that told nothing, why.
    pub silent: Vec<String>,
}

impl Admin {
    /// Asks the leaders of these topics' partitions, each in a thread of its own; an error says
    /// why there is no way in for `wire`.
    pub fn ask_sizes(&self, config: &Config, topics: &[TopicInfo]) -> Result<Asked, String> {
        let access = config.access()?;
        let brokers = self.listed.lock().expect("no holder panics").clone();
        let mut led: BTreeMap<i32, Led> = BTreeMap::new();
        for topic in topics {
            for partition in &topic.partitions {
                let Some(leader) = partition.leader else { continue };
                let of_leader = led.entry(leader).or_default();
                of_leader.entry(topic.name.clone()).or_default().push(partition.id);
            }
        }
        let questions = brokers.into_iter().filter_map(|broker| {
            let led = led.remove(&broker.id)?.into_iter().collect();
            Some(Question { broker, led })
        });
        Ok(Asked::begin(access, questions.collect(), self.patience.max.min(WAIT_MAX)))
    }
}

impl Asked {
    fn begin(access: Access, questions: VecDeque<Question>, patience: Duration) -> Asked {
        let address = |broker: &BrokerInfo| format!("{}:{}", broker.host, broker.port);
        let waiting = questions.iter().map(|it| (it.broker.id, address(&it.broker))).collect();
        let deadline = Instant::now() + patience;
        let (reply, replies) = mpsc::channel();
        let threads = questions.len().min(THREADS_MAX);
        let questions = Arc::new(Mutex::new(questions));
        for _ in 0..threads {
            let (access, questions, reply) =
                (access.clone(), Arc::clone(&questions), reply.clone());
            // Nobody waits for it: a resolver may take longer than a command.
            thread::spawn(move || ask_all(&access, &questions, &reply, deadline));
        }
        Asked { replies, waiting, deadline }
    }

    /// Waits for the answers, as long as there is time.
    pub fn collect(mut self) -> Measured {
        let mut measured = Measured::default();
        while !self.waiting.is_empty() {
            let left = self.deadline.saturating_duration_since(Instant::now());
            let Ok((broker, reply)) = self.replies.recv_timeout(left) else { break };
            self.waiting.remove(&broker);
            match reply {
                Ok(sizes) => measured.sizes.extend(sizes),
                Err(why) => measured.silent.push(why),
            }
        }
        let late = self.waiting.into_values();
        measured.silent.extend(late.map(|address| format!("{address} did not answer in time")));
        measured
    }
}

fn ask_all(
    access: &Access,
    questions: &Mutex<VecDeque<Question>>,
    reply: &Sender<Reply>,
    deadline: Instant,
) {
    loop {
        let next = questions.lock().expect("no holder panics").pop_front();
        let Some(Question { broker, led }) = next else { return };
        let sizes = ask(access, &broker, &led, deadline);
        // The command may be done without it.
        let _ = reply.send((broker.id, sizes));
    }
}

fn ask(
    access: &Access,
    broker: &BrokerInfo,
    led: &[(String, Vec<PartitionId>)],
    deadline: Instant,
) -> Result<Sizes, String> {
    let address = (broker.host.as_str(), broker.port);
    let connection = access.enter(address, &nonce(), deadline);
    let sizes = connection.and_then(|mut connection| connection.sizes(led, deadline));
    sizes.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn question(id: i32, port: u16) -> Question {
        let broker = BrokerInfo { id, host: "127.0.0.1".to_owned(), port };
        Question { broker, led: vec![("t".to_owned(), vec![PartitionId(0)])] }
    }

    #[test]
    fn brokers_that_tell_nothing_cost_no_more_than_the_time_there_is() {
        let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (mute, gone) = (listen(), listen());
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let questions = [question(1, port(&mute)), question(2, port(&gone))];
        let (mute_at, gone_at) = (port(&mute), port(&gone));
        drop(gone);
        let access = Config::new().access().unwrap();
        let patience = Duration::from_millis(200);
        let start = Instant::now();
        let Measured { sizes, silent } = Asked::begin(access, questions.into(), patience).collect();
        assert!(start.elapsed() < patience * 10, "{:?}", start.elapsed());
        assert!(sizes.is_empty());
        let is_told = |why: &str, port: u16, part: &str| {
            why.contains(&format!("127.0.0.1:{port}")) && why.contains(part)
        };
        let told = |port, part: &str| silent.iter().any(|why| is_told(why, port, part));
        assert!(told(gone_at, "connection refused"), "{silent:?}");
        assert!(told(mute_at, "in time"), "{silent:?}");
        assert_eq!(silent.len(), 2);
    }
}
