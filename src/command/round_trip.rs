//! Whatever record is printed is read back as the same one.
//! Goal: no record is changed by what `consume` prints and `produce` reads. Method: random records
//! through a view, one after the other, and the text through a reader in drips.

use std::rc::Rc;

use proptest::prelude::*;

use crate::input::{self, Parsed, Pattern, Splitter};
use crate::output::{Format, Json, Null, Template, View};
use crate::record::{
    Delivered, Header, LeaderEpoch, Offset, PartitionId, Record, Timestamp, TimestampType,
};

type Part = Option<Vec<u8>>;

/// A record that owns its parts.
#[derive(Clone, Debug, PartialEq)]
struct Owned {
    partition: i32,
    timestamp: i64,
    key: Part,
    value: Part,
    headers: Vec<(Vec<u8>, Part)>,
}

impl Owned {
    fn print(&self, view: &mut View, out: &mut Vec<u8>) {
        let header = |(name, value)| Header { name, value };
        let parts = self.headers.iter().map(|(name, value)| (name.as_slice(), value.as_deref()));
        let headers: Vec<Header<'_>> = parts.map(header).collect();
        let (key, value) = (self.key.as_deref(), self.value.as_deref());
        let delivered = Delivered {
            topic: "t",
            partition: PartitionId(self.partition),
            offset: Offset(7),
            timestamp: Some((TimestampType::CreateTime, Timestamp(self.timestamp))),
            leader_epoch: Some(LeaderEpoch(0)),
            watermarks: None,
            record: Record { key, value, headers: &headers },
        };
        view.print(&delivered, out);
    }

    fn of(parsed: &Parsed<'_>) -> Owned {
        let mut headers = Vec::new();
        let outgoing = parsed.outgoing(&mut headers);
        let part = |part: Option<&[u8]>| part.map(<[u8]>::to_vec);
        Owned {
            partition: outgoing.partition.map_or(-1, PartitionId::get),
            timestamp: outgoing.timestamp.map_or(-1, Timestamp::get),
            key: part(outgoing.record.key),
            value: part(outgoing.record.value),
            headers: {
                let headers = outgoing.record.headers.iter();
                headers.map(|header| (header.name.to_vec(), part(header.value))).collect()
            },
        }
    }

    /// The same without what a format has no words for.
    fn without(mut self, lost: Lost) -> Owned {
        match lost {
            Lost::Headers => self.headers.clear(),
            Lost::NullInHeaders => {
                self.headers.iter_mut().for_each(|(_, value)| {
                    value.get_or_insert_default();
                });
            }
            Lost::Nulls => {
                self.headers.clear();
                self.key.get_or_insert_default();
                self.value.get_or_insert_default();
            }
        }
        self
    }
}

#[derive(Clone, Copy, Debug)]
enum Lost {
    Headers,
    NullInHeaders,
    Nulls,
}

const PAIRS: &[(&str, Lost)] = &[
    ("%p %d %R%s%K,%k;", Lost::Headers),
    (r"%T %p %K %S %k%s\n", Lost::Headers),
    ("%p,%d,%S:%s%K:%k%H{big16}%h{%K{big32}%k%V{hex32}%v}", Lost::NullInHeaders),
    ("%p{big32}%d{little64}%S{hex64}%s%K %k%H %h{%K{little32}%k%V %v}", Lost::NullInHeaders),
    (r"%p %d{hex64} %k{hex}\t%v{base64}\n", Lost::Nulls),
    (r"%t %p %o %d %e %k{base64raw}:%v{hex}\r\n", Lost::Nulls),
    ("%K{big32}%k%V{big32}%v%p{big16}%d{big64}", Lost::Nulls),
];

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        "[a-z\"\\\\/ \n\t\r\u{0}ü€😀\u{2028}]{0,12}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..20),
    ]
}

fn record() -> impl Strategy<Value = Owned> {
    let part = || prop::option::of(bytes());
    let headers = prop::collection::vec((bytes(), part()), 0..4);
    let timestamp = prop_oneof![Just(1), Just(i64::MAX), 1..2_000_000_000_000i64];
    (0..70i32, timestamp, part(), part(), headers).prop_map(
        |(partition, timestamp, key, value, headers)| Owned {
            partition,
            timestamp,
            key,
            value,
            headers,
        },
    )
}

/// All that comes out, read in drips of so many bytes.
fn read(
    mut splitter: Splitter,
    text: &[u8],
    drip: usize,
    parse: impl Fn(&[u8]) -> Owned,
) -> Vec<Owned> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        let now = &rest[..drip.min(rest.len())];
        let mut unread = now;
        let read = splitter.read(&mut unread).unwrap();
        rest = &rest[now.len() - unread.len()..];
        assert_eq!(read.left_out, None, "{}", text.escape_ascii());
        for block in read.block.iter() {
            found.extend(splitter.records(block).map(&parse));
        }
        if read.is_end {
            return found;
        }
    }
}

fn printed(records: &[Owned], format: Format) -> Vec<u8> {
    let mut view = View { filter: None, format };
    let mut text = Vec::new();
    records.iter().for_each(|record| record.print(&mut view, &mut text));
    text
}

proptest! {
    #[test]
    fn json_changes_no_record(
        records in prop::collection::vec(record(), 0..8),
        drip in 1..200usize,
    ) {
        let text = printed(&records, Format::Json(Json::ended_by(b"\n".to_vec())));
        let parse = |line: &[u8]| Owned::of(&input::parse(line).unwrap());
        prop_assert_eq!(read(Splitter::new(b"\n", 1 << 20), &text, drip, parse), records);
    }

    #[test]
    fn formats_change_no_record(
        records in prop::collection::vec(record(), 0..8),
        drip in 1..200usize,
        pair in prop::sample::select(PAIRS),
    ) {
        let (format, lost) = pair;
        let template = Template::parse(format, Null::Nothing).unwrap();
        let text = printed(&records, Format::Template(template));
        let pattern = Rc::new(Pattern::parse(format, false).unwrap());
        let parse = |bytes: &[u8]| Owned::of(&pattern.read(bytes).unwrap());
        let back = read(Splitter::matching(pattern.clone(), 1 << 20), &text, drip, parse);
        let want: Vec<_> = records.into_iter().map(|record| record.without(lost)).collect();
        prop_assert_eq!(back, want, "{}", format);
    }
}
