//! The records of `__cluster_metadata`: KRaft's, all that an Apache directory can hold (4.3).
//! Never knows: what they add up to.
//!
//! ```text
//! value   uvarint frame version (1) | uvarint key | uvarint version | body, always flexible
//! ```
//! Versions written are those of metadata.version 25 (4.0-IV3), which 4.0 and later can read.

use std::ops::RangeInclusive;

use bytes::Bytes;

use super::codec::{DecodeError, EncodeError, Fault, Field, Reader, Version, Writer};
use super::describe_configs::ResourceType;
use super::field::{NodeId, Secret, Text};
use super::message::message;
use super::show::shown;
use crate::record::{LeaderEpoch, PartitionId, ProducerId, Uuid};

const FRAME_VERSION: u32 = 1;

/// One row a record: its key, the versions that are read, the version that is written.
macro_rules! records {
    ($(
        $(#[$about:meta])*
        $name:ident($type:ident) = $key:literal, $reads:expr, $writes:expr;
    )*) => {
        /// A change of the catalogue.
        #[derive(Clone, Debug, PartialEq)]
        pub enum CatalogueRecord {
            $($(#[$about])* $name($type),)*
        }

        impl CatalogueRecord {
            /// Kafka's name of the record.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(CatalogueRecord::$name(_) => stringify!($type),)*
                }
            }

            /// Its fields by their names.
            pub fn show(&self) -> serde_json::Value {
                match self {
                    $(CatalogueRecord::$name(body) => super::show::Show::show(body),)*
                }
            }

            fn read(key: u32, version: u32, from: &mut Reader) -> Result<Self, DecodeError> {
                match key {
                    $($key => {
                        check(stringify!($type), $reads, version)?;
                        $type::read(from).map(CatalogueRecord::$name)
                    })*
                    _ => Err(Fault::Key(i64::from(key)).into()),
                }
            }

            /// The value of a record that says this, at the version that we write.
            pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
                match self {
                    $(CatalogueRecord::$name(body) => encode($key, $writes, body),)*
                }
            }

            /// Every record that can be read: its version, and a value with every field set.
            #[cfg(test)]
            pub(super) fn samples() -> Vec<(i16, CatalogueRecord, Vec<u8>)> {
                let mut samples = Vec::new();
                $(for number in $reads {
                    let mut made_up = super::sample::Sampler::full(body_version(number));
                    let body: $type = made_up.field(true);
                    let bytes = encode($key, number, &body).expect("a sample fits its version");
                    samples.push((number, CatalogueRecord::$name(body), bytes));
                })*
                samples
            }
        }

        $(impl From<$type> for CatalogueRecord {
            fn from(body: $type) -> Self {
                CatalogueRecord::$name(body)
            }
        })*
    };
}

records! {
    RegisterBroker(RegisterBrokerRecord) = 0, 0..=4, 3;
    UnregisterBroker(UnregisterBrokerRecord) = 1, 0..=0, 0;
    Topic(TopicRecord) = 2, 0..=0, 0;
    Partition(PartitionRecord) = 3, 0..=2, 2;
    Config(ConfigRecord) = 4, 0..=0, 0;
    PartitionChange(PartitionChangeRecord) = 5, 0..=2, 2;
    FenceBroker(FenceBrokerRecord) = 7, 0..=0, 0;
    UnfenceBroker(UnfenceBrokerRecord) = 8, 0..=0, 0;
    RemoveTopic(RemoveTopicRecord) = 9, 0..=0, 0;
    DelegationToken(DelegationTokenRecord) = 10, 0..=0, 0;
    UserScramCredential(UserScramCredentialRecord) = 11, 0..=0, 0;
    FeatureLevel(FeatureLevelRecord) = 12, 0..=0, 0;
    ClientQuota(ClientQuotaRecord) = 14, 0..=0, 0;
    ProducerIds(ProducerIdsRecord) = 15, 0..=0, 0;
    BrokerRegistrationChange(BrokerRegistrationChangeRecord) = 17, 0..=3, 2;
    AccessControlEntry(AccessControlEntryRecord) = 18, 0..=0, 0;
    RemoveAccessControlEntry(RemoveAccessControlEntryRecord) = 19, 0..=0, 0;
    NoOp(NoOpRecord) = 20, 0..=0, 0;
    /// Of clusters that came from ZooKeeper; it says nothing any more.
    ZkMigrationState(ZkMigrationStateRecord) = 21, 0..=0, 0;
    RemoveUserScramCredential(RemoveUserScramCredentialRecord) = 22, 0..=0, 0;
    BeginTransaction(BeginTransactionRecord) = 23, 0..=0, 0;
    EndTransaction(EndTransactionRecord) = 24, 0..=0, 0;
    AbortTransaction(AbortTransactionRecord) = 25, 0..=0, 0;
    RemoveDelegationToken(RemoveDelegationTokenRecord) = 26, 0..=0, 0;
    RegisterController(RegisterControllerRecord) = 27, 0..=0, 0;
    ClearElr(ClearElrRecord) = 28, 0..=0, 0;
}

impl CatalogueRecord {
    /// Reads the value of a record. A key or a version from a newer Kafka is an error that names
    /// it: to skip it would be to serve a catalogue that is not what was written.
    pub fn decode(value: Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(value, body_version(0));
        let frame = reader.uvarint()?;
        if frame != FRAME_VERSION {
            return Err(DecodeError::from(Fault::Value(i64::from(frame))).within("frame version"));
        }
        let key = reader.uvarint()?;
        let version = reader.uvarint()?;
        reader.set_version(body_version(version as i16));
        let record = CatalogueRecord::read(key, version, &mut reader)?;
        reader.finish().map_err(|e| e.within(record.name()))?;
        Ok(record)
    }
}

fn body_version(number: i16) -> Version {
    Version { number, flexible: true }
}

fn check(
    record: &'static str,
    reads: RangeInclusive<i16>,
    version: u32,
) -> Result<(), DecodeError> {
    let number = i16::try_from(version).unwrap_or(i16::MAX);
    match reads.contains(&number) {
        true => Ok(()),
        false => Err(DecodeError::from(Fault::Version(number)).within(record)),
    }
}

fn encode(key: u32, version: i16, body: &impl Field) -> Result<Vec<u8>, EncodeError> {
    let mut writer = Writer::new(body_version(version));
    writer.uvarint(FRAME_VERSION);
    writer.uvarint(key);
    writer.uvarint(version as u32);
    body.write(&mut writer)?;
    Ok(writer.into_parts().0)
}

shown! {
    pub struct RegisterBrokerRecord {
        broker_id: NodeId,
        is_migrating_zk_broker: bool [2..],
        incarnation_id: Uuid,
        broker_epoch: i64,
        endpoints: Vec<RegisteredEndpoint>,
        features: Vec<RegisteredFeature>,
        rack: Option<Text>,
        fenced: bool = true,
        in_controlled_shutdown: bool [1..],
    }
    tagged {
        0 => log_dirs: Vec<Uuid> [3..],
        1 => cordoned_log_dirs: Option<Vec<Uuid>> [4..],
    }
}

shown! {
    pub struct RegisteredEndpoint {
        name: Text,
        host: Text,
        port: u16,
        security_protocol: i16,
    }
}

shown! {
    pub struct RegisteredFeature {
        name: Text,
        version_min: i16,
        version_max: i16,
    }
}

shown! {
    pub struct UnregisterBrokerRecord {
        broker_id: NodeId,
        broker_epoch: i64,
    }
}

shown! {
    pub struct TopicRecord {
        name: Text,
        topic_id: Uuid,
    }
}

shown! {
    pub struct PartitionRecord {
        partition: PartitionId,
        topic_id: Uuid,
        replicas: Vec<NodeId>,
        in_sync: Vec<NodeId>,
        removing: Vec<NodeId>,
        adding: Vec<NodeId>,
        leader: Option<NodeId>,
        leader_epoch: LeaderEpoch,
        partition_epoch: i32,
        directories: Vec<Uuid> [1..],
    }
    tagged {
        0 => leader_recovery_state: i8 [0..],
        1 => eligible_leaders: Option<Vec<NodeId>> [2..],
        2 => last_known_eligible_leaders: Option<Vec<NodeId>> [2..],
    }
}

shown! {
    pub struct ConfigRecord {
        resource_type: ResourceType,
        /// Of brokers: empty is the default of the cluster.
        resource_name: Text,
        name: Text,
        /// `None` takes the config away.
        value: Option<Text>,
    }
}

/// A PartitionChange that says nothing of the leader. -1 says that there is none.
pub const LEADER_UNCHANGED: NodeId = NodeId(-2);

shown! {
    /// What is `None` stays as it is. One that names a leader raises the leader epoch by 1; every
    /// one raises the partition epoch by 1 (PartitionRegistration.java).
    pub struct PartitionChangeRecord {
        partition: PartitionId,
        topic_id: Uuid,
    }
    tagged {
        0 => in_sync: Option<Vec<NodeId>> [0..],
        1 => leader: NodeId [0..] = LEADER_UNCHANGED,
        2 => replicas: Option<Vec<NodeId>> [0..],
        3 => removing: Option<Vec<NodeId>> [0..],
        4 => adding: Option<Vec<NodeId>> [0..],
        5 => leader_recovery_state: i8 [0..] = -1,
        6 => eligible_leaders: Option<Vec<NodeId>> [2..],
        7 => last_known_eligible_leaders: Option<Vec<NodeId>> [2..],
        8 => directories: Option<Vec<Uuid>> [1..],
    }
}

shown! {
    pub struct FenceBrokerRecord {
        broker_id: NodeId,
        broker_epoch: i64,
    }
}

shown! {
    pub struct UnfenceBrokerRecord {
        broker_id: NodeId,
        broker_epoch: i64,
    }
}

shown! {
    pub struct RemoveTopicRecord {
        topic_id: Uuid,
    }
}

shown! {
    pub struct DelegationTokenRecord {
        owner: Text,
        requester: Text,
        renewers: Vec<Text>,
        issue_timestamp: i64,
        max_timestamp: i64,
        expiration_timestamp: i64,
        token_id: Text,
    }
}

shown! {
    pub struct UserScramCredentialRecord {
        name: Text,
        /// 1 is SHA-256, 2 is SHA-512 (ScramMechanism.java).
        mechanism: i8,
        salt: Secret,
        stored_key: Secret,
        server_key: Secret,
        iterations: i32,
    }
}

shown! {
    pub struct FeatureLevelRecord {
        name: Text,
        /// 0 takes the feature away.
        level: i16,
    }
}

shown! {
    pub struct ClientQuotaRecord {
        entity: Vec<QuotaEntity>,
        key: Text,
        value: f64,
        remove: bool,
    }
}

shown! {
    pub struct QuotaEntity {
        kind: Text,
        /// `None` is the default of its kind.
        name: Option<Text>,
    }
}

shown! {
    pub struct ProducerIdsRecord {
        broker_id: Option<NodeId>,
        broker_epoch: i64 = -1,
        /// The first that has not been handed out.
        next_producer_id: ProducerId,
    }
}

shown! {
    pub struct BrokerRegistrationChangeRecord {
        broker_id: NodeId,
        broker_epoch: i64,
    }
    tagged {
        /// 1 fences, -1 unfences.
        0 => fenced: i8 [0..],
        1 => in_controlled_shutdown: i8 [1..],
        2 => log_dirs: Vec<Uuid> [2..],
        3 => cordoned_log_dirs: Option<Vec<Uuid>> [3..],
    }
}

shown! {
    pub struct AccessControlEntryRecord {
        id: Uuid,
        resource_type: i8,
        resource_name: Text,
        pattern_type: i8,
        principal: Text,
        host: Text,
        operation: i8,
        permission_type: i8,
    }
}

shown! {
    pub struct RemoveAccessControlEntryRecord {
        id: Uuid,
    }
}

shown! {
    pub struct NoOpRecord {
    }
}

shown! {
    pub struct ZkMigrationStateRecord {
        state: i8,
    }
}

shown! {
    pub struct RemoveUserScramCredentialRecord {
        name: Text,
        mechanism: i8,
    }
}

shown! {
    pub struct BeginTransactionRecord {
    }
    tagged {
        0 => name: Option<Text> [0..],
    }
}

shown! {
    pub struct EndTransactionRecord {
    }
}

shown! {
    pub struct AbortTransactionRecord {
    }
    tagged {
        0 => reason: Option<Text> [0..],
    }
}

shown! {
    pub struct RemoveDelegationTokenRecord {
        token_id: Text,
    }
}

shown! {
    pub struct RegisterControllerRecord {
        controller_id: NodeId,
        incarnation_id: Uuid,
        zk_migration_ready: bool,
        endpoints: Vec<RegisteredEndpoint>,
        features: Vec<RegisteredFeature>,
    }
}

shown! {
    pub struct ClearElrRecord {
        /// Empty is every topic.
        topic_name: Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<char> = hex.chars().filter(|digit| !digit.is_whitespace()).collect();
        let byte = |pair: &[char]| u8::from_str_radix(&String::from_iter(pair), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    /// What Apache Kafka 4.3.1 wrote is read as this, and this is written as that.
    #[track_caller]
    fn check(apache: &str, record: impl Into<CatalogueRecord>) {
        let record = record.into();
        let apache = bytes(apache);
        assert_eq!(CatalogueRecord::decode(apache.clone().into()), Ok(record.clone()));
        assert_eq!(hex(&record.encode().unwrap()), hex(&apache), "{record:?}");
    }

    const TOPIC_ID: &str = "egAsrudsQ3SDxCQKITJwLA";
    const TOPIC_ID_HEX: &str = "7a002caee76c437483c4240a2132702c";

    #[test]
    fn records_are_the_bytes_that_apache_writes() {
        let topic_id = Uuid::parse(TOPIC_ID).unwrap();
        let id = TOPIC_ID_HEX;
        check(
            "010c0011 6d657461646174612e76657273696f6e 001e 00",
            FeatureLevelRecord { name: "metadata.version".into(), level: 30 },
        );
        check(&format!("010200 0261 {id} 00"), TopicRecord { name: "a".into(), topic_id });
        check(&format!("010900 {id} 00"), RemoveTopicRecord { topic_id });
        check(
            "010400 04 01 14 6d696e2e696e73796e632e7265706c69636173 0231 00",
            ConfigRecord {
                resource_type: ResourceType::BROKER,
                resource_name: "".into(),
                name: "min.insync.replicas".into(),
                value: Some("1".into()),
            },
        );
        check("01140000", NoOpRecord {});
        check("01180000", EndTransactionRecord {});
        check(
            "01170001001212 426f6f747374726170207265636f726473",
            BeginTransactionRecord { name: Some("Bootstrap records".into()) },
        );
        check(
            "010f00 00000001 0000000000000047 00000000000003e8 00",
            ProducerIdsRecord {
                broker_id: Some(NodeId(1)),
                broker_epoch: 71,
                next_producer_id: ProducerId(1000),
            },
        );
        check(
            "011200 c1471443c3c04e839a2030b01cb5c5ea 02 0261 03 09557365723a626f62 022a 03 03 00",
            AccessControlEntryRecord {
                id: Uuid::parse("wUcUQ8PAToOaIDCwHLXF6g").unwrap(),
                resource_type: 2,
                resource_name: "a".into(),
                pattern_type: 3,
                principal: "User:bob".into(),
                host: "*".into(),
                operation: 3,
                permission_type: 3,
            },
        );
    }

    #[test]
    fn partitions_are_the_bytes_that_apache_writes() {
        let topic_id = Uuid::parse(TOPIC_ID).unwrap();
        let id = TOPIC_ID_HEX;
        let directory = Uuid::parse("3kRngB61RHGJTs_j9k8JSg").unwrap();
        check(
            &format!(
                "010302 00000000 {id} 0200000001 0200000001 01 01 00000001 00000000 00000000 \
                 02de4467801eb54471894ecfe3f64f094a 00"
            ),
            PartitionRecord {
                partition: PartitionId(0),
                topic_id,
                replicas: vec![NodeId(1)],
                in_sync: vec![NodeId(1)],
                leader: Some(NodeId(1)),
                directories: vec![directory],
                ..Default::default()
            },
        );
        check(
            &format!("010502 00000000 {id} 04 000101 0104ffffffff 06050200000001 07050200000001"),
            PartitionChangeRecord {
                partition: PartitionId(0),
                topic_id,
                in_sync: Some(Vec::new()),
                leader: NodeId(-1),
                eligible_leaders: Some(vec![NodeId(1)]),
                last_known_eligible_leaders: Some(vec![NodeId(1)]),
                ..Default::default()
            },
        );
    }

    #[test]
    fn every_record_is_read_at_every_version_and_no_truncation_is() {
        for (version, record, bytes) in CatalogueRecord::samples() {
            let read = CatalogueRecord::decode(bytes.clone().into());
            assert_eq!(read, Ok(record), "version {version}");
            let bytes = Bytes::from(bytes);
            for length in 0..bytes.len() {
                assert!(CatalogueRecord::decode(bytes.slice(..length)).is_err(), "{read:?}");
            }
        }
    }

    #[test]
    fn what_we_write_we_can_read() {
        for (_, record, _) in CatalogueRecord::samples() {
            let bytes = record.encode().unwrap();
            let again = CatalogueRecord::decode(bytes.clone().into()).unwrap();
            assert_eq!(again.encode().unwrap(), bytes, "{record:?}");
        }
    }

    #[test]
    fn what_a_newer_kafka_wrote_is_refused_by_name() {
        #[track_caller]
        fn refused(bytes: &'static [u8], want: &str) {
            let error = CatalogueRecord::decode(Bytes::from_static(bytes)).unwrap_err();
            assert_eq!(error.to_string(), want);
        }
        refused(&[1, 99, 0, 0], "key 99 is not known");
        refused(&[1, 20, 1, 0], "NoOpRecord: version 1 is not known");
        refused(&[2, 20, 0, 0], "frame version: 2 has no meaning here");
        refused(&[1, 20, 0, 0, 0], "NoOpRecord: 1 bytes are left over");
        refused(&[1, 12, 0, 3, 65], "FeatureLevelRecord.name: 2 bytes are announced, 1 are there");
    }
}
