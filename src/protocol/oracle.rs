//! (test) Every message at every version against the kafka-protocol crate, both ways.
//! Never knows: the broker's table; that table asks here whether a key is covered.

use std::fmt::Debug;
use std::fs;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{Decodable, Encodable};

use super::alter_configs::AlterConfigsRequest;
use super::api_versions::ApiVersionsRequest;
use super::catalogue::CatalogueRecord;
use super::codec::{Field, Reader, Version, Writer};
use super::create_partitions::CreatePartitionsRequest;
use super::create_topics::CreateTopicsRequest;
use super::delete_groups::DeleteGroupsRequest;
use super::delete_records::DeleteRecordsRequest;
use super::delete_topics::DeleteTopicsRequest;
use super::describe_cluster::DescribeClusterRequest;
use super::describe_configs::DescribeConfigsRequest;
use super::describe_groups::DescribeGroupsRequest;
use super::describe_log_dirs::DescribeLogDirsRequest;
use super::fetch::FetchRequest;
use super::find_coordinator::FindCoordinatorRequest;
use super::heartbeat::HeartbeatRequest;
use super::incremental_alter_configs::IncrementalAlterConfigsRequest;
use super::init_producer_id::InitProducerIdRequest;
use super::join_group::JoinGroupRequest;
use super::leave_group::LeaveGroupRequest;
use super::list_groups::ListGroupsRequest;
use super::list_offsets::ListOffsetsRequest;
use super::list_partition_reassignments::ListPartitionReassignmentsRequest;
use super::message::Message;
use super::metadata::MetadataRequest;
use super::offset_commit::OffsetCommitRequest;
use super::offset_delete::OffsetDeleteRequest;
use super::offset_fetch::OffsetFetchRequest;
use super::offset_for_leader_epoch::OffsetForLeaderEpochRequest;
use super::private::{LeaveRequest, StatusRequest};
use super::produce::ProduceRequest;
use super::sample::{Leaf, Sample, Sampler};
use super::sasl::{SaslAuthenticateRequest, SaslHandshakeRequest};
use super::sync_group::SyncGroupRequest;
use super::{ApiKey, Envelope, Request};
use crate::record::Uuid;

/// What a check does with a message of ours and its counterpart in the crate.
trait Check {
    fn pair<M, T>(&mut self, version: Version)
    where
        M: Message + Sample + PartialEq + Debug,
        T: Encodable + Decodable + Debug;

    fn own<M: Message + Sample + PartialEq + Debug>(&mut self, version: Version);
}

fn api<R, Q, A>(check: &mut impl Check) -> ApiKey
where
    R: Request + Sample + PartialEq + Debug,
    R::Response: Sample + PartialEq + Debug,
    Q: Encodable + Decodable + Debug,
    A: Encodable + Decodable + Debug,
{
    for number in R::VERSIONS {
        check.pair::<R, Q>(R::version(number));
        check.pair::<R::Response, A>(R::version(number));
    }
    R::KEY
}

/// An API that is ours alone.
fn own<R>(check: &mut impl Check) -> ApiKey
where
    R: Request + Sample + PartialEq + Debug,
    R::Response: Sample + PartialEq + Debug,
{
    for number in R::VERSIONS {
        check.own::<R>(R::version(number));
        check.own::<R::Response>(R::version(number));
    }
    R::KEY
}

fn apis(check: &mut impl Check) -> Vec<ApiKey> {
    let mut all = everyday(check);
    all.extend(administration(check));
    all
}

fn administration(check: &mut impl Check) -> Vec<ApiKey> {
    vec![
        api::<DeleteRecordsRequest, theirs::DeleteRecordsRequest, theirs::DeleteRecordsResponse>(
            check,
        ),
        api::<AlterConfigsRequest, theirs::AlterConfigsRequest, theirs::AlterConfigsResponse>(
            check,
        ),
        api::<
            DescribeLogDirsRequest,
            theirs::DescribeLogDirsRequest,
            theirs::DescribeLogDirsResponse,
        >(check),
        api::<
            CreatePartitionsRequest,
            theirs::CreatePartitionsRequest,
            theirs::CreatePartitionsResponse,
        >(check),
        api::<
            IncrementalAlterConfigsRequest,
            theirs::IncrementalAlterConfigsRequest,
            theirs::IncrementalAlterConfigsResponse,
        >(check),
        api::<
            ListPartitionReassignmentsRequest,
            theirs::ListPartitionReassignmentsRequest,
            theirs::ListPartitionReassignmentsResponse,
        >(check),
    ]
}

fn everyday(check: &mut impl Check) -> Vec<ApiKey> {
    vec![
        api::<ProduceRequest, theirs::ProduceRequest, theirs::ProduceResponse>(check),
        api::<FetchRequest, theirs::FetchRequest, theirs::FetchResponse>(check),
        api::<ListOffsetsRequest, theirs::ListOffsetsRequest, theirs::ListOffsetsResponse>(check),
        api::<MetadataRequest, theirs::MetadataRequest, theirs::MetadataResponse>(check),
        api::<
            FindCoordinatorRequest,
            theirs::FindCoordinatorRequest,
            theirs::FindCoordinatorResponse,
        >(check),
        api::<JoinGroupRequest, theirs::JoinGroupRequest, theirs::JoinGroupResponse>(check),
        api::<HeartbeatRequest, theirs::HeartbeatRequest, theirs::HeartbeatResponse>(check),
        api::<LeaveGroupRequest, theirs::LeaveGroupRequest, theirs::LeaveGroupResponse>(check),
        api::<SyncGroupRequest, theirs::SyncGroupRequest, theirs::SyncGroupResponse>(check),
        api::<DescribeGroupsRequest, theirs::DescribeGroupsRequest, theirs::DescribeGroupsResponse>(
            check,
        ),
        api::<ListGroupsRequest, theirs::ListGroupsRequest, theirs::ListGroupsResponse>(check),
        api::<OffsetCommitRequest, theirs::OffsetCommitRequest, theirs::OffsetCommitResponse>(
            check,
        ),
        api::<OffsetFetchRequest, theirs::OffsetFetchRequest, theirs::OffsetFetchResponse>(check),
        api::<SaslHandshakeRequest, theirs::SaslHandshakeRequest, theirs::SaslHandshakeResponse>(
            check,
        ),
        api::<ApiVersionsRequest, theirs::ApiVersionsRequest, theirs::ApiVersionsResponse>(check),
        api::<CreateTopicsRequest, theirs::CreateTopicsRequest, theirs::CreateTopicsResponse>(
            check,
        ),
        api::<DeleteTopicsRequest, theirs::DeleteTopicsRequest, theirs::DeleteTopicsResponse>(
            check,
        ),
        api::<InitProducerIdRequest, theirs::InitProducerIdRequest, theirs::InitProducerIdResponse>(
            check,
        ),
        api::<
            OffsetForLeaderEpochRequest,
            theirs::OffsetForLeaderEpochRequest,
            theirs::OffsetForLeaderEpochResponse,
        >(check),
        api::<
            DescribeConfigsRequest,
            theirs::DescribeConfigsRequest,
            theirs::DescribeConfigsResponse,
        >(check),
        api::<
            SaslAuthenticateRequest,
            theirs::SaslAuthenticateRequest,
            theirs::SaslAuthenticateResponse,
        >(check),
        api::<
            DescribeClusterRequest,
            theirs::DescribeClusterRequest,
            theirs::DescribeClusterResponse,
        >(check),
        api::<DeleteGroupsRequest, theirs::DeleteGroupsRequest, theirs::DeleteGroupsResponse>(
            check,
        ),
        api::<OffsetDeleteRequest, theirs::OffsetDeleteRequest, theirs::OffsetDeleteResponse>(
            check,
        ),
        own::<StatusRequest>(check),
        own::<LeaveRequest>(check),
    ]
}

/// The APIs whose messages are held against the crate, for the broker's table to compare.
pub fn covered() -> Vec<ApiKey> {
    struct Nothing;
    impl Check for Nothing {
        fn pair<M, T>(&mut self, _: Version) {}
        fn own<M>(&mut self, _: Version) {}
    }
    apis(&mut Nothing)
}

#[test]
fn every_request_of_this_folder_is_covered() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/protocol");
    let mut found = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        found += text.lines().filter(|line| line.starts_with("impl Request for ")).count();
    }
    assert_eq!(covered().len(), found, "a row of `apis` for every request");
}

fn encode<M: Field>(message: &M, version: Version) -> Bytes {
    let mut writer = Writer::new(version);
    message.write(&mut writer).unwrap();
    writer.into_parts().0.into()
}

fn decode<M: Field>(bytes: &Bytes, version: Version) -> M {
    let mut reader = Reader::new(bytes.clone(), version);
    let message = M::read(&mut reader).unwrap();
    reader.finish().unwrap();
    message
}

/// Reads ours with theirs, compares what was read name by name, and writes it back with theirs.
struct Agreement;

impl Agreement {
    fn agree<M, T>(&self, message: M, version: Version, compare: bool)
    where
        M: Message + Sample + PartialEq + Debug,
        T: Encodable + Decodable + Debug,
    {
        let bytes = encode(&message, version);
        let context = format!("version {}: {message:?}", version.number);
        assert_eq!(decode::<M>(&bytes, version), message, "{context}");
        let mut rest = bytes.clone();
        let other = T::decode(&mut rest, version.number).expect(&context);
        assert!(rest.is_empty(), "{context}");
        let mut back = BytesMut::new();
        other.encode(&mut back, version.number).expect(&context);
        assert_eq!(back, bytes, "{context}");
        if compare {
            let mut leaves = Vec::new();
            message.leaves("", &mut leaves);
            compare_leaves(leaves, their_leaves(&format!("{other:?}")), &context);
        }
    }
}

impl Check for Agreement {
    fn pair<M, T>(&mut self, version: Version)
    where
        M: Message + Sample + PartialEq + Debug,
        T: Encodable + Decodable + Debug,
    {
        self.agree::<M, T>(M::sample(&mut Sampler::full(version)), version, true);
        for seed in 0..200 {
            let message = M::sample(&mut Sampler::wild(version, seed));
            self.agree::<M, T>(message, version, false);
        }
    }

    fn own<M: Message + Sample + PartialEq + Debug>(&mut self, version: Version) {
        for seed in 0..200 {
            let message = M::sample(&mut Sampler::wild(version, seed));
            assert_eq!(decode::<M>(&encode(&message, version), version), message);
        }
    }
}

#[test]
fn every_message_at_every_version_is_what_kafka_protocol_says() {
    apis(&mut Agreement);
}

/// Ours on the left; where Kafka calls the same by several names, one after the other.
const NAMES: &[(&str, &str)] = &[
    ("assignment", "member_assignment"),
    ("authorized_operations", "topic_authorized_operations"),
    ("config_error_code", "topic_config_error_code"),
    ("config_names", "configuration_keys"),
    ("generation", "generation_id"),
    ("generation", "generation_id_or_member_epoch"),
    ("group_ids", "groups_names"),
    ("in_sync", "isr_nodes"),
    ("instance_id", "group_instance_id"),
    ("isolation", "isolation_level"),
    ("key", "api_key"),
    ("keys", "coordinator_keys"),
    ("kind", "group_type"),
    ("kind", "key_type"),
    ("kind", "resource_type"),
    ("leader", "leader_id"),
    ("leader_epoch", "committed_leader_epoch"),
    ("level_max", "max_version_level"),
    ("level_min", "min_version_level"),
    ("log_append_time", "log_append_time_ms"),
    ("metadata", "member_metadata"),
    ("message", "batch_index_error_message"),
    ("metadata", "committed_metadata"),
    ("name", "topic"),
    ("name", "resource_name"),
    ("node", "node_id"),
    ("offset", "committed_offset"),
    ("offline", "offline_replicas"),
    ("operation", "config_operation"),
    ("partition", "partition_indexes"),
    ("partition", "partition_index"),
    ("partition", "index"),
    ("partition_count", "num_partitions"),
    ("partitions", "partition_index"),
    ("partitions", "partition_indexes"),
    ("partitions", "partitions"),
    ("protocol", "protocol_data"),
    ("rack", "rack_id"),
    ("replica", "replica_id"),
    ("replicas", "replica_nodes"),
    ("replicas", "broker_ids"),
    ("retention_ms", "retention_time_ms"),
    ("source", "config_source"),
    ("spec", "timestamp"),
    ("state", "group_state"),
    ("states", "states_filter"),
    ("token", "auth_bytes"),
    ("types", "types_filter"),
    ("version_max", "max_version"),
    ("version_min", "min_version"),
];

/// Of versions that Apache does not call stable: two-phase commit (KIP-939).
const LEFT_OUT: &[&str] =
    &["enable_2_pc", "keep_prepared_txn", "ongoing_txn_producer_id", "ongoing_txn_producer_epoch"];

fn compare_leaves(ours: Vec<Leaf>, mut theirs: Vec<(String, String)>, context: &str) {
    for (name, value) in ours {
        let same = |(other, text): &(String, String)| {
            // A text that the version lacks is null to us, empty to some of theirs.
            let same = text == &value || text.is_empty() && value == "None";
            same && (other == name || NAMES.contains(&(name, other)))
        };
        let at = theirs.iter().position(same);
        let at = at.unwrap_or_else(|| panic!("{name} = {value} is missing: {theirs:?}\n{context}"));
        theirs.remove(at);
    }
    // Where theirs has a topic id in later versions only.
    let unset = |name: &str, value: &str| name == "topic_id" && value == Uuid::ZERO.to_string();
    theirs.retain(|(name, value)| !LEFT_OUT.contains(&name.as_str()) && !unset(name, value));
    assert!(theirs.is_empty(), "{theirs:?} is not ours\n{context}");
}

/// The names and values in the debug form of a struct of theirs, types and brackets left out.
fn their_leaves(debug: &str) -> Vec<(String, String)> {
    let mut leaves = Vec::new();
    let mut name = String::new();
    let debug = debug.replace("b\"", "\"");
    for word in debug.split([' ', ',', '(', ')', '[', ']', '{', '}']) {
        let value = match word {
            word if word.ends_with(':') => {
                name = word.trim_end_matches(':').to_owned();
                continue;
            }
            word if word.len() == 36 && word.matches('-').count() == 4 => uuid(word),
            word if word.starts_with('"') => word.trim_matches('"').to_owned(),
            "true" | "false" | "None" => word.to_owned(),
            word if word.parse::<i64>().is_ok() => word.to_owned(),
            _ => continue,
        };
        leaves.push((name.clone(), value));
    }
    leaves
}

fn uuid(text: &str) -> String {
    let digits = text.replace('-', "");
    let byte = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap();
    Uuid(std::array::from_fn(byte)).to_string()
}

/// Reads every prefix of ours: none is a whole message.
struct Truncation;

impl Truncation {
    fn refuse<M: Message + Sample + Debug>(version: Version) {
        let bytes = encode(&M::sample(&mut Sampler::full(version)), version);
        for length in 0..bytes.len() {
            let read = M::read(&mut Reader::new(bytes.slice(..length), version));
            assert!(read.is_err(), "{length} of {} bytes: {read:?}", bytes.len());
        }
    }
}

impl Check for Truncation {
    fn pair<M: Message + Sample + Debug, T>(&mut self, version: Version) {
        Truncation::refuse::<M>(version);
    }

    fn own<M: Message + Sample + Debug>(&mut self, version: Version) {
        Truncation::refuse::<M>(version);
    }
}

#[test]
fn every_truncation_of_every_message_is_an_error() {
    apis(&mut Truncation);
}

/// What reading may reserve, in multiples of what is read: an empty text of a list is a byte on the
/// wire and a pointer and a length in memory, and a short one is an allocation of its own.
const MEMORY_FACTOR_MAX: u64 = 40;

/// Of each kind, for each message at each version.
const ATTEMPTS: u64 = 100;

/// Reads noise, and messages with a few bytes changed, and counts what that allocates.
struct Hostility {
    seed: u64,
    worst: f64,
}

impl Hostility {
    fn read<M: Message + Debug>(&mut self, bytes: Bytes, version: Version) {
        let size = bytes.len().max(1) as u64;
        let mut reader = Reader::new(bytes, version);
        let used = allocation_counter::measure(|| drop(M::read(&mut reader)));
        let factor = used.bytes_max as f64 / size as f64;
        self.worst = self.worst.max(factor);
        assert!(used.bytes_max <= MEMORY_FACTOR_MAX * size, "{factor} times {size} bytes");
    }

    fn attack<M: Message + Sample + Debug>(&mut self, version: Version) {
        for _ in 0..ATTEMPTS {
            self.seed += 1;
            let mut sampler = Sampler::wild(version, self.seed);
            let mut noise: Vec<u8> =
                (0..1 + sampler.next() % 300).map(|_| sampler.next() as u8).collect();
            if self.seed.is_multiple_of(2) {
                // Small numbers pass for counts and lengths, and lead further in.
                noise.iter_mut().for_each(|byte| *byte %= 8);
            }
            self.read::<M>(noise.into(), version);
        }
        for _ in 0..ATTEMPTS {
            self.seed += 1;
            let mut bytes = encode(&M::sample(&mut Sampler::full(version)), version).to_vec();
            let mut sampler = Sampler::wild(version, self.seed);
            for _ in 0..bytes.len().min(3) {
                let at = sampler.next() as usize % bytes.len();
                bytes[at] = [0, 1, 0x7f, 0x80, 0xff, sampler.next() as u8][at % 6];
            }
            self.read::<M>(bytes.into(), version);
        }
    }
}

impl Check for Hostility {
    fn pair<M: Message + Sample + Debug, T>(&mut self, version: Version) {
        self.attack::<M>(version);
    }

    fn own<M: Message + Sample + Debug>(&mut self, version: Version) {
        self.attack::<M>(version);
    }
}

#[test]
fn noise_is_no_frame_and_no_record() {
    let version = Version { number: 0, flexible: true };
    for seed in 0..5_000 {
        let mut sampler = Sampler::wild(version, seed);
        let mut noise: Vec<u8> = (0..sampler.next() % 100).map(|_| sampler.next() as u8).collect();
        // A frame version and a key that exist lead further in.
        let start = [1, sampler.next() as u8 % 32, 0];
        noise.iter_mut().zip(start).for_each(|(byte, known)| *byte = known);
        let noise = Bytes::from(noise);
        let size = noise.len().max(1) as u64;
        let used = allocation_counter::measure(|| {
            drop(CatalogueRecord::decode(noise.clone()));
            drop(Envelope::open(noise.clone()));
        });
        assert!(used.bytes_max <= MEMORY_FACTOR_MAX * size, "{used:?} for {noise:?}");
    }
}

#[test]
fn a_hostile_frame_never_allocates_more_than_a_small_multiple_of_its_size() {
    let mut hostility = Hostility { seed: 0, worst: 0.0 };
    apis(&mut hostility);
    assert!(1.0 < hostility.worst, "the counter counts");
    // The worst there is: many names of one letter.
    let version = DeleteTopicsRequest::version(5);
    let topic_names = vec!["n".into(); 100_000];
    let request = DeleteTopicsRequest { topic_names, ..Default::default() };
    hostility.read::<DeleteTopicsRequest>(encode(&request, version), version);
    eprintln!("at worst {:.1} times the size of a frame", hostility.worst);
}
