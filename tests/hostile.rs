//! Bytes that no client sends cost the sender its connection and the broker nothing.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{ApiVersionsRequest, ListOffsetsRequest, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::compact::bytes;
use crate::harness::raw::{Raw, produce};
use crate::harness::{Broker, until};

/// What the broker may grow by over all that is thrown at it, in KiB.
const GROWTH_MAX: u64 = 16 << 10;

it!(hostile_frames_cost_the_sender_its_connection_and_the_broker_nothing, |kaw| {
    let broker = kaw.broker("--topic t");
    let mut witness = Raw::open(&broker.address).unwrap();
    let before = resident_kib(&broker);
    for (what, bytes) in frames() {
        // Twice, and the second sender leaves at once: neither may linger in the broker.
        for stays in [true, false] {
            let mut sender = Raw::open(&broker.address).unwrap();
            // It may be refused before all of it is sent.
            let sent = sender.write(&bytes);
            assert!(!stays || sent.is_err() || sender.closed(), "{what}");
        }
        witness.call(&ApiVersionsRequest::default(), 0).expect(what);
    }
    let promises: Vec<Raw> = (0..64).map(|_| promise(&broker)).collect();
    witness.call(&ApiVersionsRequest::default(), 0).expect("promises of large frames");
    let grown = resident_kib(&broker).saturating_sub(before);
    assert!(grown < GROWTH_MAX, "64 promised frames of 100 MB cost {grown} KiB");
    drop(promises);
    until("the broker holds no connection of theirs", || {
        (open_sockets(&broker) <= 8).then_some(())
    });
    let grown = resident_kib(&broker).saturating_sub(before);
    assert!(grown < GROWTH_MAX, "the broker grew by {grown} KiB");
    assert_eq!(kaw.ok("topic list"), "t\n");
    let done = broker.stop();
    assert!(!done.err().contains("panicked"), "{done}");
});

/// What the broker's peak may grow by: Java's own batches may inflate to 32 MiB, which compaction
/// holds once to read them.
const INFLATED_GROWTH_MAX: u64 = 64 << 10;

it!(a_few_kilobytes_that_inflate_take_little_memory, |kaw| {
    let broker = kaw.broker("-c log.cleaner.backoff.ms=50");
    kaw.ok("topic create t -p 1");
    kaw.ok("topic create compacted -p 1 -c cleanup.policy=compact -c segment.bytes=1048576 \
         -c min.cleanable.dirty.ratio=0.01 -c segment.ms=1");
    let mut raw = Raw::open(&broker.address).unwrap();
    let before = peak_kib(&broker);
    // Four million records, eight million headers of two bytes, and a count that cannot be.
    let record = b"\x0e\0\0\0\x02k\0\0";
    let many = inflating(4_000_000, &record.repeat(4_000_000));
    let headers = headers(8 << 20);
    let lie = inflating(i32::MAX, record);
    assert!(many.len() < 5000 && headers.len() < 5000 && lie.len() < 100);
    for topic in ["t", "compacted"] {
        assert_eq!(sent(&mut raw, topic, &many), 0, "{topic}");
        assert_eq!(sent(&mut raw, topic, &headers), 0, "{topic}");
        // INVALID_RECORD
        assert_eq!(sent(&mut raw, topic, &lie), 87, "{topic}");
        let partition = ListOffsetsPartition::default().with_timestamp(1);
        let name = TopicName(StrBytes::from_static_str(topic));
        let topic = ListOffsetsTopic::default().with_name(name).with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default().with_replica_id((-1).into());
        let found = raw.call(&request.with_topics(vec![topic]), 2).unwrap();
        assert_eq!(found.topics[0].partitions[0].offset, 0);
    }
    // MESSAGE_TOO_LARGE
    let more = inflating(5_000_000, &record.repeat(5_000_000));
    assert_eq!(sent(&mut raw, "compacted", &more), 10);
    assert_eq!(sent(&mut raw, "compacted", &inflating(1, record)), 0);
    until("it was compacted", || (bytes(kaw, "compacted-0") < 2000).then_some(()));
    let grown = peak_kib(&broker) - before;
    assert!(grown < INFLATED_GROWTH_MAX, "the broker grew by {grown} KiB");
});

/// A batch of zstd, its header saying that there are so many records.
fn inflating(count: i32, records: &[u8]) -> Vec<u8> {
    let packed = zstd::stream::encode_all(records, 3).unwrap();
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let body = [
        &4i16.to_be_bytes()[..],
        &(count - 1).to_be_bytes(),
        &time.to_be_bytes(),
        &time.to_be_bytes(),
        &[0xff; 14],
        &count.to_be_bytes(),
        &packed,
    ]
    .concat();
    let crc = crc32c::crc32c(&body).to_be_bytes();
    let length = (9 + body.len() as u32).to_be_bytes();
    [&[0; 8][..], &length, &[0xff; 4], &[2], &crc, &body].concat()
}

/// One record with key `k` and so many headers without a name or value.
fn headers(count: u32) -> Vec<u8> {
    let varint = |number: u32| {
        let (mut rest, mut bytes) = (u64::from(number) << 1, Vec::new());
        while 0x7f < rest {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
        bytes
    };
    let all = b"\0\x01".repeat(count as usize);
    let body = [b"\0\0\0\x02k\0", &varint(count)[..], &all].concat();
    inflating(1, &[varint(body.len() as u32), body].concat())
}

/// The error code that a batch meets.
fn sent(raw: &mut Raw, topic: &str, batch: &[u8]) -> i16 {
    let mut request = produce(topic, 1, &[]);
    let records = Bytes::copy_from_slice(batch);
    request.topic_data[0].partition_data[0].records = Some(records);
    raw.call(&request, 7).unwrap().responses[0].partition_responses[0].error_code
}

/// Frames that promise what they do not hold, and what speaks another protocol.
fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let metadata = b"\0\x03\0\x01\0\0\0\x01\xff\xff\x7f\xff\xff\xff".to_vec();
    let produce = b"\0\0\0\x03\0\0\0\x01\xff\xff\xff\xff\0\x01\0\0\0\x01\0\0\0\x01\0\x01t\
        \0\0\0\x01\0\0\0\0\x7f\xff\xff\xff";
    let tags = b"\0\x12\0\x03\0\0\0\x01\xff\xff\xff\xff\xff\xff\x0f";
    let frame = |body: &[u8]| [&(body.len() as u32).to_be_bytes()[..], body].concat();
    vec![
        ("a negative length", b"\xff\xff\xff\xff".to_vec()),
        ("a length of two gigabytes", b"\x7f\xff\xff\xff\0\0\0".to_vec()),
        ("a frame of nothing", b"\0\0\0\0".to_vec()),
        ("half a header", frame(b"\0\x12\0")),
        ("an API that is not", frame(b"\x7f\x7f\0\0\0\0\0\x01\xff\xff")),
        ("a version that is not", frame(b"\0\x03\x7f\xff\0\0\0\x01\xff\xff")),
        ("a client id longer than the frame", frame(b"\0\x12\0\0\0\0\0\x01\x7f\xff")),
        ("two billion topics", frame(&metadata)),
        ("records longer than the frame", frame(produce)),
        ("four billion tags", frame(tags)),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("TLS", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03".repeat(60)),
        ("random bytes", random(1 << 20)),
        ("random bytes in a frame", frame(&random(1 << 20))),
        ("random bytes after an API key", frame(&[b"\0\0\0\x09", &random(4 << 10)[..]].concat())),
        ("records of random bytes", frame(&[produce, &random(64 << 10)[..]].concat())),
    ]
}

/// Marsaglia's xorshift from a fixed seed: the same bytes in every run.
fn random(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// A connection that begins a frame as large as one may be, and says no more.
fn promise(broker: &Broker) -> Raw {
    let mut sender = Raw::open(&broker.address).unwrap();
    sender.write(&[&100_000_000_u32.to_be_bytes()[..], b"\0\0\0\x09"].concat()).unwrap();
    sender
}

fn resident_kib(broker: &Broker) -> u64 {
    status_kib(broker, "VmRSS:")
}

fn peak_kib(broker: &Broker) -> u64 {
    status_kib(broker, "VmHWM:")
}

fn status_kib(broker: &Broker, name: &str) -> u64 {
    let pid = broker.pid().as_raw_nonzero();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn open_sockets(broker: &Broker) -> usize {
    let pid = broker.pid().as_raw_nonzero();
    let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let targets = open.filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}
