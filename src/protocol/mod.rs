//! Kafka's wire format: frames, primitives, one file of messages an API.
//! Never knows: sockets, files, the clock.

mod api_key;
mod codec;
mod error_code;
mod field;
mod frame;
mod message;
mod named;
#[cfg(test)]
pub mod oracle;
#[cfg(test)]
mod sample;
mod show;

pub mod alter_configs;
pub mod api_versions;
pub mod catalogue;
pub mod control;
pub mod create_partitions;
pub mod create_topics;
pub mod decoded;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_topics;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod fetch;
pub mod find_coordinator;
mod group_member;
pub mod group_record;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod join_group;
pub mod leave_group;
pub mod list_groups;
pub mod list_offsets;
pub mod list_partition_reassignments;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod private;
pub mod produce;
pub mod sasl;
pub mod scram;
pub mod sync_group;
pub mod transaction_record;

pub use api_key::ApiKey;
pub use codec::{DecodeError, EncodeError};
pub use error_code::ErrorCode;
pub use field::{Isolation, NodeId, Records, Secret, Text};
pub use frame::{
    Encoded, Envelope, Part, Request, decode_response, encode_request, encode_response,
    response_correlation,
};
