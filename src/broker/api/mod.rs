//! Kafka's APIs, one row and one file each: the row is dispatch, ApiVersions and README's table.
//! Never knows: sockets, files.

mod alter_configs;
mod api_versions;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod fetch;
mod find_coordinator;
mod heartbeat;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_groups;
mod list_offsets;
mod list_partition_reassignments;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod private;
mod produce;
mod sasl;
mod sync_group;

use std::fmt;
use std::future::Future;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::node::Node;
use super::session::{Entrance, Session, Standing, Tokens};
use super::topic::{Slice, Unusable, now};
use crate::protocol::{
    ApiKey, DecodeError, EncodeError, Encoded, Envelope, ErrorCode, Request, Text, encode_response,
};
use crate::record::Timestamp;

/// Who may call an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    Everyone,
    /// Those who came by the door.
    Door,
}

/// One API: what is advertised of it and what executes it.
pub struct Api {
    pub key: ApiKey,
    /// What is executed.
    pub versions: RangeInclusive<i16>,
    /// What ApiVersions says is the lowest.
    pub advertised_from: i16,
    pub audience: Audience,
    run: fn(&mut Call<'_>, Envelope) -> Result<Option<Pending>, Refusal>,
}

/// One row an API, in the order of the keys.
macro_rules! apis {
    ($($audience:ident $request:ty => $handle:path $(, advertised from $low:literal)?;)*) => {
        pub static APIS: &[Api] = &[$(Api {
            key: <$request as Request>::KEY,
            versions: <$request as Request>::VERSIONS,
            advertised_from: apis!(@low $request $(, $low)?),
            audience: Audience::$audience,
            run: |call, envelope| run::<$request>(call, envelope, $handle),
        },)*];
    };
    (@low $request:ty) => { *<$request as Request>::VERSIONS.start() };
    (@low $request:ty, $low:literal) => { $low };
}

use crate::protocol::{
    alter_configs::AlterConfigsRequest,
    api_versions::ApiVersionsRequest,
    create_partitions::CreatePartitionsRequest,
    create_topics::CreateTopicsRequest,
    delete_groups::DeleteGroupsRequest,
    delete_records::DeleteRecordsRequest,
    delete_topics::DeleteTopicsRequest,
    describe_cluster::DescribeClusterRequest,
    describe_configs::DescribeConfigsRequest,
    describe_groups::DescribeGroupsRequest,
    describe_log_dirs::DescribeLogDirsRequest,
    fetch::FetchRequest,
    find_coordinator::FindCoordinatorRequest,
    heartbeat::HeartbeatRequest,
    incremental_alter_configs::IncrementalAlterConfigsRequest,
    init_producer_id::InitProducerIdRequest,
    join_group::JoinGroupRequest,
    leave_group::LeaveGroupRequest,
    list_groups::ListGroupsRequest,
    list_offsets::ListOffsetsRequest,
    list_partition_reassignments::ListPartitionReassignmentsRequest,
    metadata::MetadataRequest,
    offset_commit::OffsetCommitRequest,
    offset_delete::OffsetDeleteRequest,
    offset_fetch::OffsetFetchRequest,
    offset_for_leader_epoch::OffsetForLeaderEpochRequest,
    private::{LeaveRequest, StatusRequest},
    produce::ProduceRequest,
    sasl::{SaslAuthenticateRequest, SaslHandshakeRequest},
    sync_group::SyncGroupRequest,
};

apis! {
    // librdkafka before 2.9 compresses only where Produce 0 is advertised (KAFKA-18659).
    Everyone ProduceRequest => produce::handle, advertised from 0;
    Everyone FetchRequest => fetch::handle;
    Everyone ListOffsetsRequest => list_offsets::handle;
    Everyone MetadataRequest => metadata::handle;
    Everyone OffsetCommitRequest => offset_commit::handle;
    Everyone OffsetFetchRequest => offset_fetch::handle;
    Everyone FindCoordinatorRequest => find_coordinator::handle;
    Everyone JoinGroupRequest => join_group::handle;
    Everyone HeartbeatRequest => heartbeat::handle;
    Everyone LeaveGroupRequest => leave_group::handle;
    Everyone SyncGroupRequest => sync_group::handle;
    Everyone DescribeGroupsRequest => describe_groups::handle;
    Everyone ListGroupsRequest => list_groups::handle;
    Everyone SaslHandshakeRequest => sasl::handshake;
    Everyone ApiVersionsRequest => api_versions::handle;
    Everyone CreateTopicsRequest => create_topics::handle;
    Everyone DeleteTopicsRequest => delete_topics::handle;
    Everyone DeleteRecordsRequest => delete_records::handle;
    Everyone InitProducerIdRequest => init_producer_id::handle;
    Everyone OffsetForLeaderEpochRequest => offset_for_leader_epoch::handle;
    Everyone DescribeConfigsRequest => describe_configs::handle;
    Everyone AlterConfigsRequest => alter_configs::replace;
    Everyone DescribeLogDirsRequest => describe_log_dirs::handle;
    Everyone SaslAuthenticateRequest => sasl::authenticate;
    Everyone CreatePartitionsRequest => create_partitions::handle;
    Everyone DeleteGroupsRequest => delete_groups::handle;
    Everyone IncrementalAlterConfigsRequest => alter_configs::incremental;
    Everyone ListPartitionReassignmentsRequest => list_partition_reassignments::handle;
    Everyone OffsetDeleteRequest => offset_delete::handle;
    Everyone DescribeClusterRequest => describe_cluster::handle;
    Door StatusRequest => private::status;
    Door LeaveRequest => private::leave;
}

/// An API that this client may call.
fn find(key: ApiKey, entrance: Entrance) -> Option<&'static Api> {
    offered(entrance).find(|api| api.key == key)
}

/// The APIs that a client of this entrance is told of.
pub fn offered(entrance: Entrance) -> impl Iterator<Item = &'static Api> {
    APIS.iter().filter(move |api| api.audience == Audience::Everyone || entrance == Entrance::Door)
}

/// A request while it is executed.
pub struct Call<'a> {
    pub node: &'a Arc<Node>,
    pub session: &'a mut Session,
    pub version: i16,
    pub now: Timestamp,
    correlation: i32,
}

/// A response, with the files whose bytes belong into it.
pub struct Answer<T> {
    pub response: T,
    /// In the order of the message's `Records::Elsewhere`.
    pub slices: Vec<Slice>,
}

impl<T> From<T> for Answer<T> {
    fn from(response: T) -> Answer<T> {
        Answer { response, slices: Vec::new() }
    }
}

type Awaited<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a handler makes of a request.
pub enum Outcome<T> {
    Now(Answer<T>),
    /// When the disk, or somebody else, has done what it waits for.
    Later(Awaited<Answer<T>>),
    /// The client wants no response.
    Silent,
    /// There is nothing to be said, or no way to say it.
    Close(String),
}

impl<T> From<T> for Outcome<T> {
    fn from(response: T) -> Outcome<T> {
        Outcome::Now(response.into())
    }
}

/// Why a connection is closed instead of an answer.
#[derive(Debug)]
pub enum Refusal {
    Malformed(DecodeError),
    /// Kafka closes the connection here too: in what form to answer is not known.
    Unsupported {
        key: ApiKey,
        version: i16,
    },
    /// Not authenticated.
    Stranger {
        key: ApiKey,
    },
    Unspeakable(EncodeError),
    Said(String),
    Panicked {
        key: ApiKey,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Malformed(error) => write!(f, "malformed request: {error}"),
            Refusal::Unsupported { key, version } => {
                write!(f, "{key} version {version} is not supported")
            }
            Refusal::Stranger { key } => write!(f, "{key} before authentication"),
            Refusal::Unspeakable(error) => write!(f, "cannot encode the response: {error}"),
            Refusal::Said(why) => f.write_str(why),
            Refusal::Panicked { key } => write!(f, "a defect in {key}; see the line before"),
        }
    }
}

/// A response as it goes onto the wire.
pub struct Reply {
    pub encoded: Encoded,
    pub slices: Vec<Slice>,
}

/// What the connection owes its client, in the order of its requests.
pub enum Pending {
    Now(Reply),
    /// An error has been logged, and ends the connection.
    Later(Awaited<Result<Reply, ()>>),
}

/// Executes one frame. `None`: the client wants no answer.
pub fn execute(
    node: &Arc<Node>,
    session: &mut Session,
    frame: Bytes,
) -> Result<Option<Pending>, Refusal> {
    if let Standing::Proving(_, Tokens::Bare) = session.standing {
        return sasl::bare(node, session, &frame).map(Some);
    }
    let envelope = Envelope::open(frame).map_err(Refusal::Malformed)?;
    let (key, version) = (envelope.header.key, envelope.header.version);
    let client_id = envelope.header.client_id.as_deref().unwrap_or_default();
    session.hear(client_id);
    let api = find(key, session.entrance).ok_or(Refusal::Unsupported { key, version })?;
    if !sasl::is_in_turn(&session.standing, key) {
        return Err(Refusal::Stranger { key });
    }
    let correlation = envelope.header.correlation;
    if !api.versions.contains(&version) {
        return match key {
            ApiKey::API_VERSIONS => api_versions::unsupported(correlation).map(Some),
            _ => Err(Refusal::Unsupported { key, version }),
        };
    }
    tracing::debug!(peer = %session.peer, client = %session.client(), %key, version, "request");
    let mut call = Call { node, session, version, now: now(), correlation };
    let run = AssertUnwindSafe(|| (api.run)(&mut call, envelope));
    // What the request had locked is unlocked; a half-made change of a log shows in its own checks.
    catch_unwind(run).unwrap_or(Err(Refusal::Panicked { key }))
}

fn run<R: Request>(
    call: &mut Call<'_>,
    envelope: Envelope,
    handle: fn(&mut Call<'_>, R) -> Outcome<R::Response>,
) -> Result<Option<Pending>, Refusal>
where
    R::Response: Send + 'static,
{
    let request: R = envelope.request().map_err(Refusal::Malformed)?;
    let (version, correlation) = (call.version, call.correlation);
    match handle(call, request) {
        Outcome::Now(answer) => {
            encode::<R>(answer, version, correlation).map(|reply| Some(Pending::Now(reply)))
        }
        Outcome::Later(answer) => {
            let client = format!("{} {}", call.session.peer, call.session.client());
            let reply = Guarded { answer, key: R::KEY, client };
            Ok(Some(Pending::Later(Box::pin(async move {
                let client = reply.client.clone();
                encode::<R>(reply.await?, version, correlation).map_err(|why| {
                    tracing::error!(client, %why, "connection closed");
                })
            }))))
        }
        Outcome::Silent => Ok(None),
        Outcome::Close(why) => Err(Refusal::Said(why)),
    }
}

fn encode<R: Request>(
    answer: Answer<R::Response>,
    version: i16,
    correlation: i32,
) -> Result<Reply, Refusal> {
    let Answer { response, slices } = answer;
    let encoded = encode_response::<R>(&response, version, correlation);
    let encoded = encoded.map_err(Refusal::Unspeakable)?;
    assert_eq!(encoded.splices.len(), slices.len(), "a file for every gap");
    Ok(Reply { encoded, slices })
}

/// A future whose panic is an error that ends one connection.
struct Guarded<T> {
    answer: Awaited<T>,
    key: ApiKey,
    client: String,
}

impl<T> Future for Guarded<T> {
    type Output = Result<T, ()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match catch_unwind(AssertUnwindSafe(|| self.answer.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(_) => {
                let (key, client) = (self.key, &self.client);
                tracing::error!(%key, client, "connection closed: a defect; see the line before");
                Poll::Ready(Err(()))
            }
        }
    }
}

/// What a client hears of a partition that cannot be used.
fn unusable(why: Unusable) -> ErrorCode {
    match why {
        Unusable::Gone => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        Unusable::Broken => ErrorCode::KAFKA_STORAGE_ERROR,
    }
}

/// Members of a group need one with a name; offsets may be kept under an empty one.
fn group_id(id: &str) -> Result<(), ErrorCode> {
    match id.is_empty() {
        true => Err(ErrorCode::INVALID_GROUP_ID),
        false => Ok(()),
    }
}

/// A text for a message.
fn text(from: impl AsRef<str>) -> Text {
    from.as_ref().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_the_order_of_their_keys() {
        assert!(APIS.is_sorted_by_key(|api| api.key));
    }

    #[test]
    fn every_api_is_held_against_another_codec() {
        let mut covered = crate::protocol::oracle::covered();
        covered.sort();
        assert_eq!(covered, APIS.iter().map(|api| api.key).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_advertised_is_what_apache_4_1_has() {
        let check = |key: ApiKey, low: i16, high: i16| {
            let api = APIS.iter().find(|api| api.key == key).unwrap();
            assert_eq!((api.advertised_from, *api.versions.end()), (low, high), "{key}");
        };
        check(ApiKey::PRODUCE, 0, 13);
        check(ApiKey::FETCH, 4, 18);
        check(ApiKey::LIST_OFFSETS, 1, 10);
        check(ApiKey::METADATA, 0, 13);
        check(ApiKey::OFFSET_COMMIT, 2, 9);
        check(ApiKey::OFFSET_FETCH, 1, 9);
        check(ApiKey::FIND_COORDINATOR, 0, 6);
        check(ApiKey::JOIN_GROUP, 0, 9);
        check(ApiKey::HEARTBEAT, 0, 4);
        check(ApiKey::LEAVE_GROUP, 0, 5);
        check(ApiKey::SYNC_GROUP, 0, 5);
        check(ApiKey::DESCRIBE_GROUPS, 0, 6);
        check(ApiKey::LIST_GROUPS, 0, 5);
        check(ApiKey::SASL_HANDSHAKE, 0, 1);
        check(ApiKey::API_VERSIONS, 0, 4);
        check(ApiKey::CREATE_TOPICS, 2, 7);
        check(ApiKey::DELETE_TOPICS, 1, 6);
        check(ApiKey::DELETE_RECORDS, 0, 2);
        check(ApiKey::INIT_PRODUCER_ID, 0, 5);
        check(ApiKey::OFFSET_FOR_LEADER_EPOCH, 2, 4);
        check(ApiKey::DESCRIBE_CONFIGS, 1, 4);
        check(ApiKey::ALTER_CONFIGS, 0, 2);
        check(ApiKey::DESCRIBE_LOG_DIRS, 1, 4);
        check(ApiKey::SASL_AUTHENTICATE, 0, 2);
        check(ApiKey::DELETE_GROUPS, 0, 2);
        check(ApiKey::OFFSET_DELETE, 0, 0);
        check(ApiKey::CREATE_PARTITIONS, 0, 3);
        check(ApiKey::INCREMENTAL_ALTER_CONFIGS, 0, 1);
        check(ApiKey::LIST_PARTITION_REASSIGNMENTS, 0, 0);
        check(ApiKey::DESCRIBE_CLUSTER, 0, 2);
    }

    #[test]
    fn private_apis_are_offered_on_the_door_alone() {
        let public = |entrance| offered(entrance).all(|api| api.key < ApiKey::STATUS);
        assert!(public(Entrance::Public(0)) && !public(Entrance::Door));
    }
}
