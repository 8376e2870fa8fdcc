//! Bytes that no client sends cost the sender its connection and the broker nothing.

use std::fs;

use kafka_protocol::messages::ApiVersionsRequest;

use crate::harness::raw::Raw;
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
    let pid = broker.pid().as_raw_nonzero();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn open_sockets(broker: &Broker) -> usize {
    let pid = broker.pid().as_raw_nonzero();
    let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let targets = open.filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}
