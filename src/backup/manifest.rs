//! What belongs to a backup, as its manifest says it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::aborted::Aborted;
use super::gaps::Gaps;
use super::sums::Sums;
use super::trouble::Trouble;
use crate::record::{LeaderEpoch, Offset, PartitionId, Timestamp};

/// 1 had no ranges of what is missing, and told in mere words why a partition ends early.
const FORMAT: u64 = 2;
/// As Kafka bounds the names of topics, which become names of directories (Topic.java).
const NAME_BYTES_MAX: usize = 249;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Of the cluster, where it has an id.
    pub cluster: Option<String>,
    pub topics: BTreeMap<String, Topic>,
    pub groups: BTreeMap<String, Offsets>,
}

/// What a group has committed, by topic.
pub type Offsets = BTreeMap<String, BTreeMap<PartitionId, Offset>>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// Another topic of the same name has another one.
    pub id: Option<String>,
    /// When the ends were taken.
    pub taken: Timestamp,
    pub replicas: u32,
    pub configs: BTreeMap<String, String>,
    /// By their numbers.
    pub partitions: Vec<Partition>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// What is before it was gone already when it was first saved, or was dropped since.
    pub start: Offset,
    /// The cluster's log start offset, where that has moved on since: what is before it is here
    /// alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_start: Option<Offset>,
    /// Exclusive; all before it is decided.
    pub end: Offset,
    /// Where the log ended, if a transaction that nobody had ended held back what is behind `end`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_back_until: Option<Offset>,
    /// Of the last batch.
    pub leader_epoch: Option<LeaderEpoch>,
    pub batch_bytes_max: u64,
    pub aborted: Aborted,
    pub segments: Vec<Segment>,
    /// Why it ends before the cluster's log did.
    #[serde(default, deserialize_with = "unread", skip_serializing_if = "Option::is_none")]
    pub unread: Option<Unread>,
    /// What lies between batches of the cluster's log, where no compaction can have taken it.
    #[serde(default, skip_serializing_if = "Gaps::is_empty")]
    pub missing: Gaps,
    /// What was gone from the cluster's beginning before a run came to it.
    #[serde(default, skip_serializing_if = "Gaps::is_empty")]
    pub skipped: Gaps,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unread {
    /// A batch is damaged where it lies in the cluster: what is wrong with it.
    Damaged(String),
    /// No broker gives it: in its words.
    Refused(String),
    /// The cluster's log ends here, or goes on from here with other records than were saved.
    Lost(Offset),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// Of the first batch.
    pub base: Offset,
    pub bytes: u64,
    pub sums: Sums,
}

impl Topic {
    /// The partitions in which a transaction held something back: from where, and up to where.
    pub fn held_back(&self) -> impl Iterator<Item = (PartitionId, Offset, Offset)> {
        self.numbered().filter_map(|(number, it)| Some((number, it.end, it.held_back_until?)))
    }

    pub fn numbered(&self) -> impl Iterator<Item = (PartitionId, &Partition)> {
        (0..).map(PartitionId).zip(&self.partitions)
    }

    pub fn bytes(&self) -> u64 {
        let segments = self.partitions.iter().flat_map(|partition| &partition.segments);
        segments.map(|segment| segment.bytes).sum()
    }
}

impl Manifest {
    /// The bytes of the file.
    pub fn render(&self) -> Vec<u8> {
        let body = serde_json::to_string(self).expect("there is nothing in it that JSON has not");
        framed(FORMAT, &body).into_bytes()
    }

    /// Reads the bytes of the file at `path`. What is not exactly as it was written is refused.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Manifest, Trouble> {
        let damaged = |from: usize, until: usize| Trouble::Damaged {
            path: path.to_owned(),
            from: from as u64,
            until: until as u64,
        };
        let all = || damaged(0, bytes.len());
        let text = str::from_utf8(bytes).map_err(|error| {
            let at = error.valid_up_to();
            damaged(at, at + 1)
        })?;
        let (head, rest) = text.split_once('\n').ok_or_else(all)?;
        let format = format(head).filter(|format| 0 < *format).ok_or_else(all)?;
        if FORMAT < format {
            return Err(Trouble::Newer { path: path.to_owned(), format });
        }
        let body = rest.strip_suffix("}\n").ok_or_else(all)?;
        if framed(format, body) != text {
            return Err(all());
        }
        let manifest: Manifest = serde_json::from_str(body).map_err(|_| all())?;
        if manifest.is_sound() { Ok(manifest) } else { Err(all()) }
    }

    /// Whether what it says can be: names stay inside the directory, segments follow each other.
    fn is_sound(&self) -> bool {
        let names = self.topics.keys().all(|name| is_topic_name(name));
        let partitions = self.topics.values().flat_map(|topic| &topic.partitions);
        names && partitions.into_iter().all(Partition::is_sound)
    }

    /// The groups that have committed something in these topics which is not among `others`.
    pub fn kept_beside(
        &self,
        others: &[(String, Offsets)],
        is_meant: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let is_among = |group: &String, topic: &String, partition: &PartitionId| {
            let own = others.iter().find(|(other, _)| other == group);
            let offsets = own.and_then(|(_, offsets)| offsets.get(topic));
            offsets.is_some_and(|offsets| offsets.contains_key(partition))
        };
        let kept = self.groups.iter().filter(|(group, offsets)| {
            let mut meant = offsets.iter().filter(|(topic, _)| is_meant(topic));
            meant.any(|(topic, own)| own.keys().any(|id| !is_among(group, topic, id)))
        });
        kept.map(|(group, _)| group.clone()).collect()
    }

    /// Drops what groups have committed in these topics, to be said anew.
    pub fn forget_offsets(&mut self, is_meant: impl Fn(&str) -> bool) {
        for offsets in self.groups.values_mut() {
            offsets.retain(|topic, _| !is_meant(topic));
        }
        self.groups.retain(|_, offsets| !offsets.is_empty());
    }
}

impl Partition {
    fn is_sound(&self) -> bool {
        let segments = &self.segments;
        let rising = segments.windows(2).all(|pair| pair[0].base < pair[1].base);
        let within = segments.iter().all(|segment| {
            Offset::ZERO <= segment.base
                && segment.base < self.end
                && 0 < segment.bytes
                && segment.sums.cover(segment.bytes)
        });
        let gaps = self.missing.is_sound() && self.skipped.is_sound();
        rising && within && gaps && Offset::ZERO <= self.start
    }

    /// Drops what the cluster no longer has.
    pub fn prune(&mut self) {
        self.start = self.log_start.take().unwrap_or(self.start);
        self.missing.drop_before(self.start);
        self.skipped.drop_before(self.start);
        self.drop_before_start();
    }

    /// Leaves out the segments of which nothing is after the start.
    fn drop_before_start(&mut self) {
        let after = |pair: &[Segment]| pair[1].base <= self.start;
        let gone = self.segments.windows(2).take_while(|pair| after(pair)).count();
        self.segments.drain(..gone);
        if self.end <= self.start {
            self.segments.clear();
        }
        let start = self.segments.first().map_or(self.start, |first| first.base);
        self.aborted.drop_before(start);
    }
}

/// Damage was all that format 1 knew.
fn unread<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Unread>, D::Error> {
    match Value::deserialize(from)? {
        Value::String(why) => Ok(Some(Unread::Damaged(why))),
        why => serde_json::from_value(why).map_err(D::Error::custom),
    }
}

fn framed(format: u64, body: &str) -> String {
    let sum = crc32c::crc32c(body.as_bytes());
    format!("{{\"kaw_backup\":{format},\"crc32c\":\"{sum:08x}\",\"backup\":\n{body}}}\n")
}

fn format(head: &str) -> Option<u64> {
    let digits = head.strip_prefix("{\"kaw_backup\":")?;
    digits[..digits.find(|c: char| !c.is_ascii_digit())?].parse().ok()
}

fn is_topic_name(name: &str) -> bool {
    let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    letters && !matches!(name, "" | "." | "..") && name.len() <= NAME_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ProducerId;

    fn gap(from: i64, until: i64) -> Gaps {
        let mut gaps = Gaps::default();
        gaps.add(Offset(from), Offset(until));
        gaps
    }

    fn sample() -> Manifest {
        let mut sums = Sums::default();
        sums.add(0, b"batches");
        let segment = Segment { base: Offset(3), bytes: 7, sums };
        let partition = Partition {
            start: Offset(4),
            log_start: Some(Offset(5)),
            end: Offset(9),
            held_back_until: Some(Offset(12)),
            leader_epoch: Some(LeaderEpoch(2)),
            batch_bytes_max: 7,
            aborted: vec![(ProducerId(8), Offset(5), None)].into(),
            segments: vec![segment],
            unread: Some(Unread::Damaged("CRC mismatch".to_owned())),
            missing: gap(5, 7),
            skipped: gap(8, 9),
        };
        let topic = Topic {
            id: Some("abc".to_owned()),
            taken: Timestamp(1_700_000_000_000),
            replicas: 1,
            configs: [("retention.ms".to_owned(), "-1".to_owned())].into(),
            partitions: vec![partition, Partition::default()],
        };
        let offsets = [("orders".to_owned(), [(PartitionId(0), Offset(7))].into())];
        Manifest {
            cluster: None,
            topics: [("orders".to_owned(), topic)].into(),
            groups: [("readers".to_owned(), offsets.into())].into(),
        }
    }

    fn parse(bytes: &[u8]) -> Result<Manifest, Trouble> {
        Manifest::parse(bytes, Path::new("m"))
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written_and_not_otherwise() {
        let bytes = sample().render();
        assert_eq!(parse(&bytes).unwrap(), sample());
        for cut in 0..bytes.len() {
            assert!(parse(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(parse(&bytes).is_err(), "bit {bit} flipped");
        }
        assert!(parse(&[&bytes[..], b"\n"].concat()).is_err());
        let newer = String::from_utf8(bytes).unwrap().replace("kaw_backup\":2", "kaw_backup\":3");
        let said = parse(newer.as_bytes()).unwrap_err().to_string();
        assert_eq!(said, "m has format 3, which a later kaw wrote; update kaw");
    }

    #[test]
    fn the_first_format_is_read() {
        let body = [
            r#"{"cluster":null,"topics":{"t":{"id":null,"taken":1,"replicas":1,"configs":{},"#,
            r#""partitions":[{"start":0,"end":9,"leader_epoch":0,"batch_bytes_max":0,"#,
            r#""aborted":[],"segments":[],"unread":"CRC mismatch"}]}},"groups":{}}"#,
        ]
        .concat();
        let manifest = parse(framed(1, &body).as_bytes()).unwrap();
        let partition = &manifest.topics["t"].partitions[0];
        assert_eq!(partition.unread, Some(Unread::Damaged("CRC mismatch".to_owned())));
        assert_eq!(parse(&manifest.render()).unwrap(), manifest);
        assert!(parse(framed(0, &body).as_bytes()).is_err());
    }

    #[test]
    fn a_manifest_that_says_what_cannot_be_is_refused() {
        #[track_caller]
        fn check(change: impl FnOnce(&mut Manifest)) {
            let mut manifest = sample();
            change(&mut manifest);
            assert!(parse(&manifest.render()).is_err());
        }
        fn orders(manifest: &mut Manifest) -> &mut Partition {
            &mut manifest.topics.get_mut("orders").unwrap().partitions[0]
        }
        check(|it| {
            let topic = it.topics.remove("orders").unwrap();
            it.topics.insert("../orders".to_owned(), topic);
        });
        check(|it| orders(it).segments[0].bytes = 1 << 21);
        check(|it| orders(it).segments[0].base = Offset(-1));
        check(|it| orders(it).end = Offset(3));
        check(|it| {
            let again = orders(it).segments[0].clone();
            orders(it).segments.push(again);
        });
        check(|it| orders(it).missing = serde_json::from_str("[[3,3]]").unwrap());
        check(|it| orders(it).skipped = serde_json::from_str("[[7,9],[1,2]]").unwrap());
    }

    #[test]
    fn segments_before_the_log_start_leave_when_they_are_dropped() {
        let at = |base| Segment { base: Offset(base), bytes: 1, sums: Sums::default() };
        let left = |start| {
            let segments = vec![at(0), at(10), at(20)];
            let (log_start, end) = (Some(Offset(start)), Offset(30));
            let (missing, skipped) = (gap(3, 5), gap(5, 6));
            let kept = Partition { log_start, end, segments, missing, ..Partition::default() };
            let mut partition = Partition { skipped, ..kept };
            partition.prune();
            let gaps = [&partition.missing, &partition.skipped].map(Gaps::offsets);
            assert_eq!(gaps, if start == 0 { [2, 1] } else { [0, 0] });
            assert_eq!((partition.start, partition.log_start), (Offset(start), None));
            partition.segments.iter().map(|segment| segment.base.get()).collect::<Vec<_>>()
        };
        assert_eq!(left(0), [0, 10, 20]);
        assert_eq!(left(9), [0, 10, 20]);
        assert_eq!(left(10), [10, 20]);
        assert_eq!(left(29), [20]);
        assert_eq!(left(30), [0i64; 0]);
    }
}
