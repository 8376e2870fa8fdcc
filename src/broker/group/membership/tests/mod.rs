//! Scripts of what clients send and what each is told, with time as an argument.

mod property;
mod scripts;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::protocol::group_record::GroupMetadataValue;
use crate::protocol::join_group::JoinProtocol;

/// A group and its clients. Who waits is named after what it sent: `join a`, `sync a`.
struct Stage {
    group: Membership,
    rules: Rules,
    now: Moment,
    waiting: BTreeMap<Ticket, String>,
    tickets: u64,
    /// What a write comes to.
    disk: Result<(), ErrorCode>,
    written: Option<GroupMetadataValue>,
}

impl Stage {
    fn new(settings: &str) -> Stage {
        let number = |name: &str, usual: i64| {
            let mut words = settings.split_whitespace().filter_map(|word| word.split_once('='));
            let found = words.find(|(key, _)| *key == name);
            found.map_or(usual, |(_, value)| value.parse().unwrap())
        };
        let now = Moment { at: Instant::now(), wall: Timestamp(0) };
        Stage {
            group: Membership::new(now),
            rules: Rules {
                initial_delay: Duration::from_secs(number("delay", 0) as u64),
                members_max: number("max", 1000) as usize,
                session_min_ms: 6_000,
                session_max_ms: 1_800_000,
            },
            now,
            waiting: BTreeMap::new(),
            tickets: 0,
            disk: Ok(()),
            written: None,
        }
    }

    fn ticket(&mut self, label: String) -> Ticket {
        self.tickets += 1;
        self.waiting.insert(Ticket(self.tickets), label);
        Ticket(self.tickets)
    }

    /// Does what is asked of a caller, and shows what everybody is told, in order.
    fn follow(&mut self, mut actions: Actions) -> Vec<String> {
        let mut shown = Vec::new();
        loop {
            for (ticket, answer) in actions.answers {
                let label = self.waiting.remove(&ticket).expect("each is answered once");
                shown.push(format!("{label}: {}", show(&answer)));
            }
            let Some(Persist { value, then }) = actions.persist else { return shown };
            shown.push(match self.disk {
                Ok(()) => format!("wrote {}", show_written(&value)),
                Err(_) => "lost".to_owned(),
            });
            if self.disk.is_ok() {
                self.written = Some(value);
            }
            actions = self.group.persisted(self.now, &self.rules, then, self.disk);
        }
    }

    fn join(&mut self, join: Join) -> Vec<String> {
        let actions = self.group.join(self.now, &self.rules, join);
        self.follow(actions)
    }

    /// A client's join: `ID[/INSTANCE] [PROTOCOL[=METADATA],…]`.
    fn wish(&mut self, label: &str, who: &str, protocols: &str) -> Join {
        let (id, instance_id) = named(who);
        let protocols = protocols.split(',').filter(|word| !word.is_empty()).map(|word| {
            let (name, metadata) = word.split_once('=').unwrap_or((word, ""));
            let metadata = Bytes::copy_from_slice(metadata.as_bytes());
            JoinProtocol { name: name.into(), metadata }
        });
        Join {
            ticket: self.ticket(format!("{label} {id}")),
            member_id: id.clone(),
            instance_id,
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 60_000,
            protocol_type: "consumer".into(),
            protocols: protocols.collect(),
            fresh_id: id,
            takes_id: false,
            can_skip: false,
        }
    }

    fn sync(&mut self, words: &[&str]) -> Vec<String> {
        let (member_id, instance_id) = named(words[0]);
        let assignments = words[2..].iter().map(|word| {
            let (id, assignment) = word.split_once('=').unwrap();
            (id.into(), Bytes::copy_from_slice(assignment.as_bytes()))
        });
        let sync = Sync {
            ticket: self.ticket(format!("sync {member_id}")),
            member_id,
            instance_id,
            generation: words[1].parse().unwrap(),
            protocol_type: None,
            protocol: None,
            assignments: assignments.collect(),
        };
        let actions = self.group.sync(sync);
        self.follow(actions)
    }

    fn leave(&mut self, who: &[&str]) -> Vec<String> {
        let named: Vec<_> = who.iter().map(|word| named(word)).collect();
        let leavers = named.iter().map(|(member_id, instance_id)| Leaver {
            member_id,
            instance_id: instance_id.as_ref(),
        });
        let (left, actions) = self.group.leave(self.now, &self.rules, leavers);
        let mut shown: Vec<_> = left.into_iter().map(code).collect();
        shown.extend(self.follow(actions));
        shown
    }

    /// Time passes, and what is due is done when it is due.
    fn wait(&mut self, seconds: u64) -> Vec<String> {
        let until = self.now.at + Duration::from_secs(seconds);
        let mut shown = Vec::new();
        loop {
            let due = self.group.next_deadline().filter(|due| *due <= until);
            self.now.at = due.unwrap_or(until);
            while let Some(actions) = self.group.expire(self.now, &self.rules) {
                shown.extend(self.follow(actions));
            }
            if due.is_none() {
                return shown;
            }
        }
    }

    /// One line of a script.
    fn play(&mut self, line: &str) -> String {
        let (line, disk) = match line.strip_prefix('!') {
            Some(line) => (line, Err(ErrorCode::COORDINATOR_NOT_AVAILABLE)),
            None => (line, Ok(())),
        };
        self.disk = disk;
        let words: Vec<&str> = line.split_whitespace().collect();
        let protocols = words.get(2).copied().unwrap_or("range");
        let before = self.group.state();
        let mut shown = match words[0] {
            "join" => {
                let wish = self.wish("join", words[1], protocols);
                self.join(wish)
            }
            // Without an id, as before version 4 or as a static member.
            "new" => {
                let wish = self.wish("new", words[1], protocols);
                self.join(Join { member_id: Text::default(), ..wish })
            }
            "new9" => {
                let wish = self.wish("new9", words[1], protocols);
                self.join(Join { member_id: Text::default(), can_skip: true, ..wish })
            }
            "ask" => {
                let wish = self.wish("ask", words[1], protocols);
                self.join(Join { member_id: Text::default(), takes_id: true, ..wish })
            }
            "connector" => {
                let wish = self.wish("connector", words[1], protocols);
                let protocol_type = "connect".into();
                self.join(Join { member_id: Text::default(), protocol_type, ..wish })
            }
            "sync" => self.sync(&words[1..]),
            "beat" => {
                let (id, instance) = named(words[1]);
                let generation = words[2].parse().unwrap();
                vec![code(self.group.heartbeat(self.now, &id, instance.as_deref(), generation))]
            }
            "commit" => {
                let (id, instance) = named(words[1].trim_matches('-'));
                let generation = words[2].parse().unwrap();
                let by = Committer { member_id: &id, instance_id: instance.as_deref(), generation };
                vec![code(self.group.commit(self.now, by))]
            }
            "leave" => self.leave(&words[1..]),
            "wait" => self.wait(words[1].parse().unwrap()),
            "restart" => {
                let value = self.written.clone().expect("something was written");
                self.group = Membership::restored(self.now, &self.rules, value);
                self.waiting.clear();
                Vec::new()
            }
            "die" => {
                self.group.die();
                Vec::new()
            }
            other => panic!("no such event: {other}"),
        };
        if self.group.state() != before {
            shown.push(format!("→ {}", self.group.state()));
        }
        shown.join(", ")
    }
}

/// `ID`, `ID/INSTANCE` or `/INSTANCE`.
fn named(word: &str) -> (Text, Option<Text>) {
    match word.split_once('/') {
        Some((id, instance)) => (id.into(), Some(instance.into())),
        None => (word.into(), None),
    }
}

fn code(done: Result<(), ErrorCode>) -> String {
    done.err().unwrap_or(ErrorCode::NONE).to_string()
}

fn show(answer: &Answer) -> String {
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    match answer {
        Answer::Joined(joined) if joined.error_code.is_error() => {
            let id = &joined.member_id;
            format!("{} '{id}'", joined.error_code)
        }
        Answer::Joined(joined) => {
            let members = joined.members.iter();
            let members: Vec<_> = members
                .map(|member| match text(&member.metadata) {
                    metadata if metadata.is_empty() => member.member_id.to_string(),
                    metadata => format!("{}={metadata}", member.member_id),
                })
                .collect();
            let skip = if joined.skip_assignment { " skip" } else { "" };
            format!(
                "generation {} {} led by {} [{}]{skip}",
                joined.generation,
                joined.protocol_name.as_deref().unwrap_or("-"),
                joined.leader,
                members.join(" ")
            )
        }
        Answer::Synced(synced) if synced.error_code.is_error() => synced.error_code.to_string(),
        Answer::Synced(synced) => format!("'{}'", text(&synced.assignment)),
    }
}

fn show_written(value: &GroupMetadataValue) -> String {
    let members = value.members.iter();
    let members: Vec<_> = members
        .map(|member| {
            let assignment = String::from_utf8_lossy(&member.assignment).into_owned();
            format!("{}={assignment}", member.member_id)
        })
        .collect();
    format!("{}[{}]", value.generation, members.join(" "))
}

/// Plays a script: events, and below each what it comes to, indented, one answer a line.
#[track_caller]
fn check(settings: &str, script: &str) {
    let mut stage = Stage::new(settings);
    let lines: Vec<&str> = script.lines().filter(|line| !line.trim().is_empty()).collect();
    let left = lines.iter().map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    let mut played = String::new();
    for line in lines.iter().filter(|line| line.len() - line.trim_start().len() == left) {
        let event = line.trim();
        played.push_str(&format!("{event}\n"));
        let came = stage.play(event);
        if !came.is_empty() {
            played.push_str(&format!("    {}\n", came.replace(", ", "\n    ")));
        }
    }
    let want: String = lines.iter().map(|line| format!("{}\n", &line[left..])).collect();
    assert!(played == want, "came:\n{played}\nwanted:\n{want}");
}
