//! Leaders of partitions that are away for a while: who asks them waits, and says for what.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiKey, BrokerId, DeleteGroupsResponse, DescribeGroupsResponse, ListOffsetsResponse,
    MetadataResponse, OffsetCommitResponse, OffsetFetchResponse, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable};

use crate::harness::raw::Raw;
use crate::harness::{Broker, Kaw};

const LIMIT: Duration = Duration::from_secs(60);
const NOT_COORDINATOR: i16 = 16;
const UNKNOWN_TOPIC_ID: i16 = 100;

/// What is wrong with the answers to some requests.
#[derive(Clone, Copy)]
enum Fault {
    /// ListOffsets is refused for each partition.
    Refused(i16),
    /// Metadata knows of no leader.
    NoLeader,
    /// Such requests are refused for each group.
    NoGroup(ApiKey, i16),
    /// They are refused until the client asks where the coordinator is.
    Moved(ApiKey),
}

// A broker of Apache Kafka's that has just started answers so: it tells of leaders before it is
// one.
it!(a_leader_that_is_none_yet_is_asked_again, |kaw| {
    for code in [3, 5, 6, 9, 56, 74, 75, 78] {
        let (broker, address) = faulty(kaw, Fault::Refused(code), 3);
        let done = kaw.cmd(&format!("consume -e t -b {address}")).within(LIMIT).run().ok();
        assert_eq!(done.out(), "one\n", "{code}");
        finish(kaw, broker);
    }
});

it!(what_another_leader_would_say_too_is_said_at_once, |kaw| {
    let (broker, address) = faulty(kaw, Fault::Refused(UNKNOWN_TOPIC_ID), usize::MAX);
    let line = format!("consume -e t -b {address} --connect-timeout 50s");
    kaw.cmd(&line).within(Duration::from_secs(20)).run().fails(1);
    finish(kaw, broker);
});

it!(a_partition_that_nobody_leads_is_waited_for, |kaw| {
    let (broker, address) = faulty(kaw, Fault::NoLeader, 4);
    let done = kaw.cmd(&format!("consume -e t -b {address}")).within(LIMIT).run().ok();
    assert_eq!(done.out(), "one\n");
    finish(kaw, broker);
});

it!(a_groups_coordinator_is_waited_for, |kaw| {
    let reset = "group reset g -t t --to start";
    for code in [14, 15, 16] {
        for (key, line, want) in [
            (ApiKey::OffsetFetch, "group describe g -J", "\"committed\":0"),
            (ApiKey::DescribeGroups, "group describe g -J", "\"committed\":0"),
            (ApiKey::OffsetFetch, reset, "g"),
            (ApiKey::OffsetCommit, reset, "g"),
            // The broker behind the proxy has deleted it by the time it is asked again.
            (ApiKey::DeleteGroups, "group delete g --if-exists", "g does not exist"),
        ] {
            let (broker, address) = faulty(kaw, Fault::NoGroup(key, code), 3);
            kaw.ok(&format!("{reset} -b {}", broker.address));
            let done = kaw.cmd(&format!("{line} -b {address}")).within(LIMIT).run().ok();
            let said = done.out() + &done.err();
            assert!(said.contains(want), "{line}, {code}: {said}");
            finish(kaw, broker);
        }
    }
});

// librdkafka would ask the former one until time is out.
it!(a_coordinator_that_moved_is_looked_up_anew, |kaw| {
    for (key, line) in [
        (ApiKey::DescribeGroups, "group describe g"),
        (ApiKey::OffsetCommit, "group reset g -t t --to start"),
    ] {
        let (broker, address) = faulty(kaw, Fault::Moved(key), usize::MAX);
        kaw.ok(&format!("group reset g -t t --to start -b {}", broker.address));
        kaw.cmd(&format!("{line} -b {address} --connect-timeout 20s")).within(LIMIT).run().ok();
        finish(kaw, broker);
    }
});

it!(a_group_without_a_coordinator_is_named, |kaw| {
    let (broker, address) = faulty(kaw, Fault::NoGroup(ApiKey::DeleteGroups, 16), usize::MAX);
    kaw.ok(&format!("group reset g -t t --to start -b {}", broker.address));
    let line = format!("group delete g -b {address} --connect-timeout 3s");
    let done = kaw.cmd(&line).within(LIMIT).run().code(1);
    let why = "Broker: Not coordinator";
    let want = format!("kaw: group 'g': {why}; still trying\nkaw: cannot delete 'g': {why}\n");
    assert_eq!(done.err(), want);
    finish(kaw, broker);
});

it!(a_partition_that_nobody_comes_to_lead_is_named, |kaw| {
    for (fault, why) in [
        (Fault::NoLeader, "offsets of t-0: nobody leads it; see `kaw topic describe t`"),
        (Fault::Refused(75), "offsets of t-0: Broker: Leader epoch is newer than broker epoch"),
    ] {
        let (broker, address) = faulty(kaw, fault, usize::MAX);
        let line = format!("consume -e t -b {address} --connect-timeout 3s");
        let done = kaw.cmd(&line).within(LIMIT).run().code(1);
        assert_eq!(done.err(), format!("kaw: {why}; still trying\nkaw: {why}\n"));
        let gone = kaw.cmd(&format!("consume -e u -b {address}")).within(LIMIT).run().fails(1);
        assert!(gone.contains("topic 'u' does not exist"), "{gone}");
        finish(kaw, broker);
    }
});

fn finish(kaw: &Kaw, broker: Broker) {
    broker.stop();
    std::fs::remove_dir_all(kaw.data()).unwrap();
}

/// A broker with a record in topic t, and an address where so many of its answers are faulty.
fn faulty(kaw: &Kaw, fault: Fault, count: usize) -> (Broker, String) {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap().to_string();
    let broker = kaw.broker(&format!("--advertise {address}"));
    let (real, left) = (broker.address.clone(), Arc::new(AtomicUsize::new(0)));
    let armed = Arc::clone(&left);
    thread::spawn(move || {
        for client in proxy.incoming().flatten() {
            let Ok(broker) = Raw::open(&real) else { return };
            let left = Arc::clone(&left);
            // It ends with one of the two.
            thread::spawn(move || serve(client, broker, fault, &left));
        }
    });
    kaw.cmd(&format!("produce t -b {address}")).stdin("one\n").run().ok();
    armed.store(count, Ordering::SeqCst);
    (broker, address)
}

fn serve(
    mut client: TcpStream,
    mut broker: Raw,
    fault: Fault,
    left: &AtomicUsize,
) -> io::Result<()> {
    loop {
        let mut length = [0; 4];
        client.read_exact(&mut length)?;
        let mut request = vec![0; u32::from_be_bytes(length) as usize];
        client.read_exact(&mut request)?;
        broker.write(&[&length[..], &request].concat())?;
        let answer = spoiled(&request, broker.frame()?, fault, left);
        client.write_all(&(answer.len() as u32).to_be_bytes())?;
        client.write_all(&answer)?;
    }
}

/// The answer with its fault, if the request is of the kind and it is not enough yet.
fn spoiled(request: &[u8], answer: Vec<u8>, fault: Fault, left: &AtomicUsize) -> Vec<u8> {
    let number = |at: usize| i16::from_be_bytes([request[at], request[at + 1]]);
    let (key, version) = (number(0), number(2));
    let meant = match fault {
        Fault::Refused(_) => ApiKey::ListOffsets,
        Fault::NoLeader => ApiKey::Metadata,
        Fault::NoGroup(key, _) | Fault::Moved(key) => key,
    };
    let is_lookup = key == ApiKey::FindCoordinator as i16;
    if is_lookup && matches!(fault, Fault::Moved(_)) && left.load(Ordering::SeqCst) < usize::MAX {
        left.store(0, Ordering::SeqCst);
    }
    let take = |left: usize| left.checked_sub(1);
    let is_meant = key == meant as i16;
    if !is_meant || left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_err() {
        return answer;
    }
    let (mut answer, mut out) = (Bytes::from(answer), BytesMut::new());
    let header_version = meant.response_header_version(version);
    let header = ResponseHeader::decode(&mut answer, header_version).unwrap();
    header.encode(&mut out, header_version).unwrap();
    match fault {
        Fault::Refused(code) => {
            let mut answer = ListOffsetsResponse::decode(&mut answer, version).unwrap();
            for partition in answer.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
                (partition.error_code, partition.offset) = (code, -1);
            }
            answer.encode(&mut out, version).unwrap();
        }
        Fault::NoLeader => {
            let mut answer = MetadataResponse::decode(&mut answer, version).unwrap();
            for partition in answer.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
                (partition.error_code, partition.leader_id) = (5, BrokerId(-1));
            }
            answer.encode(&mut out, version).unwrap();
        }
        Fault::NoGroup(key, code) => refuse(key, code, version, &mut answer, &mut out),
        Fault::Moved(key) => refuse(key, NOT_COORDINATOR, version, &mut answer, &mut out),
    }
    out.into()
}

/// Refuses what a request about groups asked.
fn refuse(key: ApiKey, code: i16, version: i16, answer: &mut Bytes, out: &mut BytesMut) {
    match key {
        ApiKey::OffsetFetch => {
            let mut answer = OffsetFetchResponse::decode(answer, version).unwrap();
            answer.groups.iter_mut().for_each(|group| group.error_code = code);
            // Before version 8 there is one group, which has no name.
            answer.error_code = if version < 8 { code } else { 0 };
            answer.encode(out, version).unwrap();
        }
        ApiKey::OffsetCommit => {
            let mut answer = OffsetCommitResponse::decode(answer, version).unwrap();
            let partitions = answer.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            partitions.for_each(|partition| partition.error_code = code);
            answer.encode(out, version).unwrap();
        }
        ApiKey::DescribeGroups => {
            let mut answer = DescribeGroupsResponse::decode(answer, version).unwrap();
            answer.groups.iter_mut().for_each(|group| group.error_code = code);
            answer.encode(out, version).unwrap();
        }
        ApiKey::DeleteGroups => {
            let mut answer = DeleteGroupsResponse::decode(answer, version).unwrap();
            answer.results.iter_mut().for_each(|group| group.error_code = code);
            answer.encode(out, version).unwrap();
        }
        key => panic!("{key:?} is about no group"),
    }
}
