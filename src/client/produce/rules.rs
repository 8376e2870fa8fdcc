//! What a topic takes, by its settings: whom it will refuse can be known beforehand.
//! Never knows: librdkafka, the clock.

use crate::client::sys::ConfigInfo;
use crate::record::{HEADER_BYTES, Header, Outgoing, Timestamp, varint};

/// How far a broker's clock may be from ours, and how long a record may be on its way.
const SKEW_MS: i64 = 300_000;

/// What a topic can have against a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// `max.message.bytes`, or `segment.bytes` where that is less.
    Size,
    /// `cleanup.policy=compact` takes no record without a key.
    Key,
    /// `message.timestamp.before.max.ms`.
    Past,
    /// `message.timestamp.after.max.ms`.
    Future,
}

/// A rule that a record breaks, by all that is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// The broker may see it otherwise.
    Likely(Rule),
    Sure(Rule),
}

impl Suspicion {
    pub fn rule(self) -> Rule {
        let (Suspicion::Likely(rule) | Suspicion::Sure(rule)) = self;
        rule
    }
}

/// The settings of a topic that a record can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    pub batch_bytes_max: usize,
    needs_key: bool,
    before_max_ms: i64,
    after_max_ms: i64,
}

impl Rules {
    /// `None` where the broker names no limit to a batch.
    pub fn of(settings: &[ConfigInfo]) -> Option<Rules> {
        let get = |name: &str| {
            let found = settings.iter().find(|setting| setting.name == name);
            found.and_then(|setting| setting.value.as_deref())
        };
        let is_create_time = get("message.timestamp.type") != Some("LogAppendTime");
        // Before KIP-937 one setting was for both directions.
        let both = "message.timestamp.difference.max.ms";
        let ms = |name| {
            let value = get(name).or_else(|| get(both)).and_then(|value| value.parse().ok());
            value.filter(|_| is_create_time).unwrap_or(i64::MAX)
        };
        let bytes = |name| get(name).and_then(|value| value.parse::<usize>().ok());
        Some(Rules {
            batch_bytes_max: bytes("max.message.bytes")?
                .min(bytes("segment.bytes").unwrap_or(usize::MAX)),
            needs_key: get("cleanup.policy")
                .is_some_and(|policy| policy.split(',').any(|word| word.trim() == "compact")),
            before_max_ms: ms("message.timestamp.before.max.ms"),
            after_max_ms: ms("message.timestamp.after.max.ms"),
        })
    }

    /// What is wrong with the record. Compression may yet make it smaller.
    pub fn suspicion(
        &self,
        outgoing: &Outgoing<'_>,
        compresses: bool,
        now: impl FnOnce() -> Timestamp,
    ) -> Option<Suspicion> {
        let record = &outgoing.record;
        if self.needs_key && record.key.is_none() {
            return Some(Suspicion::Sure(Rule::Key));
        }
        // Where it is near the limit is worth an exact count.
        let is_near = self.batch_bytes_max < HEADER_BYTES + record_bytes_bound(outgoing);
        if is_near && self.batch_bytes_max < batch_bytes(outgoing) {
            return Some(match compresses {
                true => Suspicion::Likely(Rule::Size),
                false => Suspicion::Sure(Rule::Size),
            });
        }
        let age_ms = outgoing.timestamp.map(|time| now().get().saturating_sub(time.get()));
        self.time(age_ms.unwrap_or(0))
    }

    /// LogValidator.recordHasInvalidTimestamp, by a clock that is not the broker's.
    fn time(&self, age_ms: i64) -> Option<Suspicion> {
        let beyond = |ms: i64, ms_max: i64, rule| {
            let skew = SKEW_MS.min(ms_max / 2);
            match ms {
                _ if ms_max.saturating_add(SKEW_MS) < ms => Some(Suspicion::Sure(rule)),
                _ if ms_max - skew < ms => Some(Suspicion::Likely(rule)),
                _ => None,
            }
        };
        beyond(age_ms, self.before_max_ms, Rule::Past)
            .or_else(|| beyond(age_ms.saturating_neg(), self.after_max_ms, Rule::Future))
    }
}

/// No less than a record takes in a batch: each length has five bytes at most, and what is fixed
/// is less than the rest.
pub fn record_bytes_bound(outgoing: &Outgoing<'_>) -> usize {
    let record = &outgoing.record;
    let bytes = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
    let headers = record.headers.iter().map(|h| h.name.len() + bytes(h.value) + 10);
    64 + bytes(record.key) + bytes(record.value) + headers.sum::<usize>()
}

/// What a batch of this record alone takes, uncompressed (DefaultRecord.java).
fn batch_bytes(outgoing: &Outgoing<'_>) -> usize {
    let record = &outgoing.record;
    let part = |part: Option<&[u8]>| match part {
        None => varint::size(-1),
        Some(bytes) => varint::size(bytes.len() as i64) + bytes.len(),
    };
    let header = |h: &Header<'_>| part(Some(h.name)) + part(h.value);
    // Attributes, and the deltas of timestamp and offset, which are 0.
    let body = 3
        + part(record.key)
        + part(record.value)
        + varint::size(record.headers.len() as i64)
        + record.headers.iter().map(header).sum::<usize>();
    HEADER_BYTES + varint::size(body as i64) + body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::sys::ConfigSource;
    use crate::record::{BatchBuilder, Record};

    const NOW: i64 = 1_700_000_000_000;

    fn rules(settings: &[(&str, &str)]) -> Option<Rules> {
        let info = |&(name, value): &(&str, &str)| ConfigInfo {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            default: None,
            source: ConfigSource::Topic,
        };
        Rules::of(&settings.iter().map(info).collect::<Vec<_>>())
    }

    #[track_caller]
    fn check(setting: (&str, &str), outgoing: &Outgoing<'_>, want: Option<Suspicion>) {
        let rules = rules(&[("max.message.bytes", "1000"), setting]).unwrap();
        let of = |compresses| rules.suspicion(outgoing, compresses, || Timestamp(NOW));
        assert_eq!(of(false), want, "{setting:?}");
    }

    #[test]
    fn a_compacted_topic_needs_keys() {
        let with = Outgoing {
            record: Record { key: Some(b""), ..Record::default() },
            ..Outgoing::default()
        };
        let sure = Some(Suspicion::Sure(Rule::Key));
        check(("cleanup.policy", "compact"), &Outgoing::default(), sure);
        check(("cleanup.policy", "delete,compact"), &Outgoing::default(), sure);
        check(("cleanup.policy", "delete"), &Outgoing::default(), None);
        check(("cleanup.policy", "compact"), &with, None);
    }

    #[test]
    fn times_are_sure_only_beyond_the_skew_of_clocks() {
        let hour = 3_600_000;
        let at = |ms| Outgoing { timestamp: Some(Timestamp(NOW + ms)), ..Outgoing::default() };
        let past = ("message.timestamp.before.max.ms", "3600000");
        check(past, &at(-hour - SKEW_MS - 1), Some(Suspicion::Sure(Rule::Past)));
        check(past, &at(-hour), Some(Suspicion::Likely(Rule::Past)));
        check(past, &at(-hour + SKEW_MS), None);
        check(past, &at(i64::MAX - NOW), None);
        let future = ("message.timestamp.after.max.ms", "3600000");
        check(future, &at(2 * hour), Some(Suspicion::Sure(Rule::Future)));
        check(future, &at(hour), Some(Suspicion::Likely(Rule::Future)));
        check(future, &at(-10 * hour), None);
        check(future, &Outgoing::default(), None);
        check(("message.timestamp.difference.max.ms", "1000"), &at(-5), None);
        let tight = ("message.timestamp.before.max.ms", "1000");
        check(tight, &Outgoing::default(), None);
        check(tight, &at(-999), Some(Suspicion::Likely(Rule::Past)));
    }

    #[test]
    fn times_do_not_count_where_the_broker_sets_them() {
        let settings = [
            ("max.message.bytes", "1000"),
            ("message.timestamp.type", "LogAppendTime"),
            ("message.timestamp.after.max.ms", "1"),
        ];
        let future = Outgoing { timestamp: Some(Timestamp(NOW * 2)), ..Outgoing::default() };
        let suspicion = rules(&settings).unwrap().suspicion(&future, false, || Timestamp(NOW));
        assert_eq!(suspicion, None);
        assert_eq!(rules(&settings[1..]), None);
    }

    #[test]
    fn a_size_is_that_of_the_whole_batch_to_the_byte() {
        let value = [b'x'; 2000];
        for size in [0, 63, 64, 900, 1000, 2000] {
            let headers =
                [Header { name: b"h", value: None }, Header { name: b"h", value: Some(b"vv") }];
            let record = Record { key: None, value: Some(&value[..size]), headers: &headers };
            let outgoing = Outgoing { record, ..Outgoing::default() };
            let mut builder = BatchBuilder::new();
            builder.push(Timestamp(NOW), &record);
            let exact = builder.build().len();
            assert_eq!(batch_bytes(&outgoing), exact, "{size}");
            assert!(exact <= HEADER_BYTES + record_bytes_bound(&outgoing));
            let of = |max: usize| {
                let rules = rules(&[("max.message.bytes", &max.to_string())]).unwrap();
                rules.suspicion(&outgoing, false, || Timestamp(NOW))
            };
            assert_eq!(of(exact), None);
            assert_eq!(of(exact - 1), Some(Suspicion::Sure(Rule::Size)));
        }
    }
}
