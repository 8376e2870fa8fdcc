//! Which part of a partition is read: what a user types, and what it comes to once the edges of
//! the partition are known. Pure: it asks nobody.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::record::{Offset, Timestamp};

/// A place in a partition, as it is named before anything is known about the partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Start,
    End,
    AfterStart(i64),
    BeforeEnd(i64),
    At(Offset),
    /// The same, or the nearest offset that the log has.
    Near(Offset),
    /// The first record at or after this time.
    Since(Timestamp),
    /// Where a group has read to.
    Stored,
}

/// What happens at the end of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtEnd {
    Follow,
    Stop,
}

/// The part of every partition that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: Place,
    /// Exclusive.
    pub until: Option<Place>,
    pub at_end: AtEnd,
}

impl Span {
    pub const ALL: Span = Span { from: Place::Start, until: None, at_end: AtEnd::Follow };

    /// Reads the specs of a command line; more than one only as kcat's `s@` and `e@`.
    pub fn parse(specs: &[String], now: Timestamp) -> Result<Span, String> {
        let kcat = |spec: &String| spec.starts_with("s@") || spec.starts_with("e@");
        match specs {
            [] => Ok(Span::ALL),
            _ if specs.iter().all(kcat) => parse_kcat(specs),
            [spec] => parse_one(spec, now),
            [.., last] => Err(format!("'{last}' is one too many; only s@ and e@ go together")),
        }
    }

    /// Takes the nearest offset that the log has for one that is gone.
    pub fn clamped(self) -> Span {
        match self.from {
            Place::At(offset) => Span { from: Place::Near(offset), ..self },
            _ => self,
        }
    }

    pub fn stopping_at_end(self) -> Span {
        Span { at_end: AtEnd::Stop, ..self }
    }

    /// What the span comes to in one partition.
    pub fn reach(&self, edges: Edges, found: Found) -> Result<Reach, Gone> {
        let from = match self.from {
            Place::At(offset) if offset < edges.start => return Err(Gone { offset, edges }),
            // Where the end is waited for, the broker knows better: an offset may lie between
            // the end of what is committed and that of the log.
            Place::At(offset) if edges.end < offset && self.at_end == AtEnd::Stop => {
                return Err(Gone { offset, edges });
            }
            Place::Stored => found.from.unwrap_or(edges.start),
            place => place.resolve(edges, found.from),
        };
        let until = self.until.map(|place| place.resolve(edges, found.until));
        let stop = match self.at_end {
            AtEnd::Follow => until,
            AtEnd::Stop => Some(until.map_or(edges.end, |until| until.min(edges.end))),
        };
        Ok(Reach { from, stop, at_end: self.at_end })
    }
}

impl Place {
    /// Reads one place, such as `--to` names.
    pub fn parse(text: &str, now: Timestamp) -> Result<Place, String> {
        let not_one = || format!("'{text}' is not a place; write start, end, N, +N, -N or @TIME");
        match text.strip_prefix('@') {
            Some(when) => Ok(Place::Since(time(when, now)?)),
            None => place(text).ok_or_else(not_one),
        }
    }

    /// The place in one partition; an offset that its log does not have is an error.
    pub fn within(self, edges: Edges, found: Found) -> Result<Offset, Gone> {
        match self {
            Place::At(offset) if offset < edges.start || edges.end < offset => {
                Err(Gone { offset, edges })
            }
            place => Ok(place.resolve(edges, found.from)),
        }
    }

    /// The place in one partition, or the nearest that its log has.
    pub fn nearest(self, edges: Edges, found: Found) -> Offset {
        let Edges { start, end } = edges;
        self.resolve(edges, found.from).max(start).min(end.max(start))
    }

    /// `found` is what the cluster says of a time or a group; nothing found is the end.
    fn resolve(self, edges: Edges, found: Option<Offset>) -> Offset {
        let Edges { start, end } = edges;
        let within = |offset: i64| Offset(offset.clamp(start.get(), end.get().max(start.get())));
        match self {
            Place::Start => start,
            Place::End => end,
            Place::AfterStart(count) => within(start.get().saturating_add(count)),
            Place::BeforeEnd(count) => within(end.get().saturating_sub(count)),
            Place::At(offset) => offset,
            Place::Near(offset) => within(offset.get()),
            Place::Since(_) | Place::Stored => found.unwrap_or(end),
        }
    }
}

/// Where a partition begins and ends; the end is that of the isolation in force, exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edges {
    pub start: Offset,
    pub end: Offset,
}

impl Edges {
    pub fn is_empty(self) -> bool {
        self.end <= self.start
    }
}

/// What the cluster says of the two places of a span, where it must be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub from: Option<Offset>,
    pub until: Option<Offset>,
}

/// An offset that the log does not have, too old or not there yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    pub offset: Offset,
    pub edges: Edges,
}

/// A span in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    pub from: Offset,
    /// Exclusive; without it the partition is followed.
    pub stop: Option<Offset>,
    pub at_end: AtEnd,
}

/// How far a partition was read, and whether that is all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    pub position: Offset,
    reach: Reach,
    done: bool,
}

impl Reading {
    pub fn new(reach: Reach) -> Reading {
        let done = reach.stop.is_some_and(|stop| stop <= reach.from);
        Reading { position: reach.from, reach, done }
    }

    /// Goes on from here, past the end too.
    pub fn onwards(&self) -> Reach {
        Reach { from: self.position, stop: None, at_end: AtEnd::Follow }
    }

    /// How many offsets there were from the start of what is wanted to its end, where it has one.
    pub fn offsets(&self) -> Option<i64> {
        Some(self.reach.stop?.get() - self.reach.from.get())
    }

    /// Nothing more is wanted.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Takes note of a record; whether it is wanted.
    pub fn at_record(&mut self, offset: Offset) -> bool {
        let wanted = !self.done && self.reach.stop.is_none_or(|stop| offset < stop);
        self.moved_to(offset.plus(1));
        wanted
    }

    /// Takes note that all up to `end` was read: control records and compacted tails have no
    /// record to show for it.
    pub fn at_end(&mut self, end: Offset) {
        self.moved_to(end);
        self.done |= self.reach.at_end == AtEnd::Stop;
    }

    /// Gives up on what is still missing.
    pub fn give_up(&mut self) {
        self.done = true;
    }

    fn moved_to(&mut self, position: Offset) {
        self.position = self.position.max(position);
        self.done |= self.reach.stop.is_some_and(|stop| stop <= self.position);
    }
}

/// `s@ms` and `e@ms`, the last of each.
fn parse_kcat(specs: &[String]) -> Result<Span, String> {
    let mut span = Span::ALL;
    for spec in specs {
        let (kind, ms) = spec.split_at(2);
        let Some(time) = number(ms).map(Timestamp) else {
            return Err(format!("'{spec}' is not a time; write {kind} and milliseconds"));
        };
        match kind {
            "s@" => span.from = Place::Since(time),
            _ => span.until = Some(Place::Since(time)),
        }
    }
    Ok(span)
}

fn parse_one(spec: &str, now: Timestamp) -> Result<Span, String> {
    if let Some(times) = spec.strip_prefix('@') {
        return parse_times(times, now).ok_or_else(|| {
            format!("'{spec}' is not a time; write @2026-01-31T08:00 or @ and milliseconds")
        });
    }
    let (from, until) = match spec.split_once("..").or_else(|| spec.split_once(':')) {
        Some((from, until)) => (from, Some(until)),
        None => (spec, None),
    };
    let not_an_offset =
        || format!("'{spec}' is not an offset; write start, end, N, +N, -N, N..M or @TIME");
    if from.is_empty() && until.is_none_or(str::is_empty) {
        return Err(not_an_offset());
    }
    let from = match from {
        "" => Place::Start,
        from => place(from).ok_or_else(not_an_offset)?,
    };
    let until = match until {
        None | Some("") => None,
        Some(until) => Some(place(until).ok_or_else(not_an_offset)?),
    };
    if let (Place::At(from), Some(Place::At(until))) = (from, until)
        && until < from
    {
        return Err(format!("'{spec}' ends before it starts"));
    }
    Ok(Span { from, until, at_end: AtEnd::Follow })
}

fn place(text: &str) -> Option<Place> {
    Some(match text {
        "start" | "beginning" | "earliest" | "oldest" => Place::Start,
        "end" | "latest" | "newest" => Place::End,
        "stored" => Place::Stored,
        _ => match text.find(['+', '-']) {
            None => Place::At(Offset(number(text)?)),
            Some(at) => match text.split_at(at) {
                ("" | "start", count) if count.starts_with('+') => {
                    Place::AfterStart(number(&count[1..])?)
                }
                ("" | "end", count) if count.starts_with('-') => {
                    Place::BeforeEnd(number(&count[1..])?)
                }
                _ => return None,
            },
        },
    })
}

/// One time or a range of two. A colon divides only times without colons of their own.
fn parse_times(text: &str, now: Timestamp) -> Option<Span> {
    if let Some(from) = parse_time(text, now) {
        return Some(Span { from: Place::Since(from.time), ..Span::ALL });
    }
    let (from, until) = match text.split_once("..") {
        Some(pair) => pair,
        None => text.split_once(':').filter(|(_, until)| !until.contains(':'))?,
    };
    // @FROM..@UNTIL is as clear.
    let until = until.strip_prefix('@').unwrap_or(until);
    if from.is_empty() && until.is_empty() {
        return None;
    }
    let from = match from {
        "" => None,
        from => Some(parse_time(from, now)?),
    };
    // A duration goes on from an absolute time; after a relative one both count from now (rpk).
    let base = from.filter(|from| !from.relative).map_or(now, |from| from.time);
    let until = match until {
        "" => None,
        "end" => Some(Place::End),
        until => Some(Place::Since(parse_time(until, base)?.time)),
    };
    Some(Span {
        from: from.map_or(Place::Start, |from| Place::Since(from.time)),
        until,
        at_end: AtEnd::Follow,
    })
}

/// A time alone, in every form that a range of times has.
pub fn time(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    parse_time(text, now).map(|time| time.time).ok_or_else(|| {
        format!("'{text}' is not a time; write 2026-01-31T08:00Z, milliseconds since 1970 or -1h")
    })
}

#[derive(Clone, Copy)]
struct Time {
    time: Timestamp,
    relative: bool,
}

/// RFC 3339, a date or a time without a zone (UTC), epoch seconds or milliseconds, a duration.
fn parse_time(text: &str, base: Timestamp) -> Option<Time> {
    let absolute = |ms| Some(Time { time: Timestamp(ms), relative: false });
    if let Some(epoch) = number(text) {
        return absolute(epoch_ms(epoch));
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return absolute(time.as_millisecond());
    }
    if let Ok(time) = text.parse::<DateTime>() {
        return absolute(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond());
    }
    let base = jiff::Timestamp::from_millisecond(base.get()).ok()?.to_zoned(TimeZone::UTC);
    // jiff takes a time of day for a duration too.
    let duration = (!text.contains(':')).then(|| text.parse::<jiff::Span>().ok())??;
    let time = base.checked_add(duration).ok()?.timestamp();
    Some(Time { time: Timestamp(time.as_millisecond()), relative: true })
}

/// Seconds up to the year 5138, which leaves milliseconds everything since March 1973.
fn epoch_ms(epoch: i64) -> i64 {
    match epoch < 100_000_000_000 {
        true => epoch * 1000,
        false => epoch,
    }
}

/// Digits alone.
fn number(text: &str) -> Option<i64> {
    match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse().ok(),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2023-11-14T22:13:20Z.
    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn shown_place(place: Place) -> String {
        match place {
            Place::Start => "start".into(),
            Place::End => "end".into(),
            Place::AfterStart(count) => format!("{count} after the start"),
            Place::BeforeEnd(count) => format!("{count} before the end"),
            Place::At(offset) => offset.to_string(),
            Place::Near(offset) => format!("near {offset}"),
            Place::Since(time) => format!("time {time}"),
            Place::Stored => "stored".into(),
        }
    }

    fn shown(span: Result<Span, String>) -> String {
        match span {
            Ok(span) => match span.until {
                Some(until) => format!("{} to {}", shown_place(span.from), shown_place(until)),
                None => shown_place(span.from),
            },
            Err(error) => error,
        }
    }

    #[track_caller]
    fn check(spec: &str, want: &str) {
        let specs: Vec<_> = spec.split_whitespace().map(str::to_owned).collect();
        assert_eq!(shown(Span::parse(&specs, NOW)), want, "{spec}");
    }

    #[test]
    fn offsets() {
        check("", "start");
        check("start", "start");
        check("beginning", "start");
        check("earliest", "start");
        check("oldest", "start");
        check("end", "end");
        check("latest", "end");
        check("newest", "end");
        check("stored", "stored");
        check("0", "0");
        check("9223372036854775807", "9223372036854775807");
        check("+5", "5 after the start");
        check("start+5", "5 after the start");
        check("-5", "5 before the end");
        check("end-5", "5 before the end");
    }

    #[test]
    fn ranges_of_offsets() {
        check("3..7", "3 to 7");
        check("3:7", "3 to 7");
        check("3..", "3");
        check("3:", "3");
        check("..end", "start to end");
        check(":end", "start to end");
        check(":7", "start to 7");
        check("3..end", "3 to end");
        check("-10..-5", "10 before the end to 5 before the end");
        check("+1..+2", "1 after the start to 2 after the start");
        check("start..end-1", "start to 1 before the end");
    }

    #[test]
    fn times() {
        check("@1700000000123", "time 1700000000123");
        check("@1700000000", "time 1700000000000");
        check("@0", "time 0");
        check("@2023-11-14", "time 1699920000000");
        check("@2023-11-14T22:13", "time 1699999980000");
        check("@2023-11-14T22:13:20.5", "time 1700000000500");
        check("@2023-11-14T22:13:20Z", "time 1700000000000");
        check("@2023-11-14T22:13:20.123456Z", "time 1700000000123");
        check("@2023-11-15T00:13:20+02:00", "time 1700000000000");
        check("@1969-12-31T23:59:59Z", "time -1000");
        check("@-1h", "time 1699996400000");
        check("@-1h30m", "time 1699994600000");
        check("@-1d", "time 1699913600000");
        check("@-500ms", "time 1699999999500");
    }

    #[test]
    fn ranges_of_times() {
        check("@1700000000..1700000060", "time 1700000000000 to time 1700000060000");
        check("@1700000000:1700000060", "time 1700000000000 to time 1700000060000");
        check("@2023-11-14..2023-11-15", "time 1699920000000 to time 1700006400000");
        check("@2023-11-14:2023-11-15", "time 1699920000000 to time 1700006400000");
        check("@2023-11-14..@2023-11-15", "time 1699920000000 to time 1700006400000");
        check(
            "@2023-11-14T22:13:20Z..2023-11-14T22:13:21Z",
            "time 1700000000000 to time 1700000001000",
        );
        check("@-1h..-30m", "time 1699996400000 to time 1699998200000");
        check("@-1h:-30m", "time 1699996400000 to time 1699998200000");
        check("@1600000000:1m", "time 1600000000000 to time 1600000060000");
        check("@1600000000..+1m", "time 1600000000000 to time 1600000060000");
        check("@1700000000:end", "time 1700000000000 to end");
        check("@1700000000:", "time 1700000000000");
        check("@:1700000000", "start to time 1700000000000");
        check("@..1700000000", "start to time 1700000000000");
        check("s@5", "time 5");
        check("e@7", "start to time 7");
        check("s@5 e@7", "time 5 to time 7");
        check("e@7 s@5", "time 5 to time 7");
    }

    #[test]
    fn what_is_neither_is_named() {
        let time = |spec: &str| {
            let write = "write @2026-01-31T08:00 or @ and milliseconds";
            check(spec, &format!("'{spec}' is not a time; {write}"));
        };
        let offset = |spec: &str| {
            let write = "write start, end, N, +N, -N, N..M or @TIME";
            check(spec, &format!("'{spec}' is not an offset; {write}"));
        };
        time("@soon");
        time("@");
        time("@:");
        time("@..");
        time("@2023-11-31");
        time("@-1h..soon");
        time("@22:13:20");
        time("@99999999999999999999");
        offset("soon");
        offset("..");
        offset(":");
        offset("+");
        offset("-");
        offset("1-5");
        offset("--5");
        offset("end+1");
        offset("start-1");
        offset("99999999999999999999");
        offset("1..x");
        check("s@soon", "'s@soon' is not a time; write s@ and milliseconds");
        check("e@-1", "'e@-1' is not a time; write e@ and milliseconds");
        check("1 2", "'2' is one too many; only s@ and e@ go together");
        check("s@1 2", "'2' is one too many; only s@ and e@ go together");
    }

    const EDGES: Edges = Edges { start: Offset(10), end: Offset(20) };

    #[track_caller]
    fn check_reach(spec: &str, found: Found, want: &str) {
        let shown = |span: Span| match span.reach(EDGES, found) {
            Ok(Reach { from, stop: Some(stop), .. }) => format!("{from}..{stop}"),
            Ok(Reach { from, stop: None, .. }) => format!("{from}.."),
            Err(Gone { offset, edges }) if offset < edges.start => "below".to_owned(),
            Err(_) => "beyond".to_owned(),
        };
        let span = Span::parse(&[spec.to_owned()], NOW).unwrap();
        assert_eq!(format!("{} {}", shown(span), shown(span.stopping_at_end())), want, "{spec}");
    }

    /// The reach of a span when it follows, then when it stops at the end.
    #[test]
    fn a_span_reaches_what_the_edges_allow() {
        let none = Found::default();
        check_reach("start", none, "10.. 10..20");
        check_reach("end", none, "20.. 20..20");
        check_reach("+3", none, "13.. 13..20");
        check_reach("+30", none, "20.. 20..20");
        check_reach("-3", none, "17.. 17..20");
        check_reach("-30", none, "10.. 10..20");
        check_reach("15", none, "15.. 15..20");
        check_reach("20", none, "20.. 20..20");
        check_reach("25", none, "25.. beyond");
        check_reach("9", none, "below below");
        check_reach("12..15", none, "12..15 12..15");
        check_reach("12..25", none, "12..25 12..20");
        check_reach("..end", none, "10..20 10..20");
        check_reach("..5", none, "10..5 10..5");
        check_reach("@1", none, "20.. 20..20");
        check_reach("@1..2", none, "20..20 20..20");
        let found =
            |from: i64, until: i64| Found { from: Some(Offset(from)), until: Some(Offset(until)) };
        check_reach("@1", found(12, 0), "12.. 12..20");
        check_reach("@1..2", found(12, 14), "12..14 12..14");
        check_reach("stored", found(13, 0), "13.. 13..20");
        check_reach("stored", none, "10.. 10..20");
    }

    fn reading(from: i64, stop: Option<i64>, at_end: AtEnd) -> Reading {
        Reading::new(Reach { from: Offset(from), stop: stop.map(Offset), at_end })
    }

    #[test]
    fn a_partition_is_done_at_the_record_before_its_stop() {
        let mut reading = reading(0, Some(3), AtEnd::Stop);
        assert!(reading.at_record(Offset(0)) && !reading.is_done());
        assert!(reading.at_record(Offset(2)) && reading.is_done());
        assert!(!reading.at_record(Offset(3)), "it came after the end was taken");
    }

    #[test]
    fn a_record_past_the_stop_ends_a_partition_unwanted() {
        let mut reading = reading(0, Some(3), AtEnd::Follow);
        assert!(!reading.at_record(Offset(7)));
        assert!(reading.is_done());
    }

    #[test]
    fn an_empty_span_is_done_before_it_begins() {
        assert!(reading(3, Some(3), AtEnd::Follow).is_done());
        assert!(reading(25, Some(20), AtEnd::Stop).is_done());
        assert!(!reading(3, None, AtEnd::Follow).is_done());
    }

    #[test]
    fn the_end_of_the_log_ends_what_stops_there() {
        let ends = |stop, at_end, eof| {
            let mut reading = reading(0, stop, at_end);
            reading.at_end(Offset(eof));
            reading.is_done()
        };
        assert!(ends(Some(10), AtEnd::Stop, 10));
        assert!(ends(Some(10), AtEnd::Stop, 4), "the log became shorter");
        assert!(ends(Some(10), AtEnd::Follow, 10));
        assert!(!ends(Some(10), AtEnd::Follow, 4), "4..10 are still to come");
        assert!(!ends(None, AtEnd::Follow, 10));
    }
}
