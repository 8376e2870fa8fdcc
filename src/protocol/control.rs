//! Control records: what a control batch says, in KRaft's log and in a topic's.
//! Never knows: batches.
//!
//! ```text
//! key     i16 version (0) | i16 type
//! value   i16 version | body, always flexible
//! ```
//! Left out: the markers that end a transaction (0, 1), whose body is older, and the first and last
//! records of a checkpoint (3, 4).

use super::codec::{EncodeError, Field, Version, Writer};
use super::field::{NodeId, Text};
use super::message::message;
use crate::record::Uuid;

const LEADER_CHANGE: i16 = 2;
const KRAFT_VERSION: i16 = 5;
const KRAFT_VOTERS: i16 = 6;

#[derive(Clone, Debug, PartialEq)]
pub enum ControlRecord {
    LeaderChange(LeaderChange),
    KRaftVersion(KRaftVersion),
    KRaftVoters(KRaftVoters),
}

/// A record's key and value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
}

impl ControlRecord {
    /// At version 0 of each, which every Kafka with KRaft can read.
    pub fn encode(&self) -> Result<KeyValue, EncodeError> {
        let mut value = Writer::new(body_version(0));
        0i16.write(&mut value)?;
        let kind = match self {
            ControlRecord::LeaderChange(body) => body.write(&mut value).map(|()| LEADER_CHANGE),
            ControlRecord::KRaftVersion(body) => body.write(&mut value).map(|()| KRAFT_VERSION),
            ControlRecord::KRaftVoters(body) => body.write(&mut value).map(|()| KRAFT_VOTERS),
        }?;
        let mut key = Writer::new(body_version(0));
        0i16.write(&mut key)?;
        kind.write(&mut key)?;
        Ok(KeyValue { key: key.into_parts().0, value: value.into_parts().0 })
    }
}

fn body_version(number: i16) -> Version {
    Version { number, flexible: true }
}

message! {
    /// A leader begins its reign; it stands first in every epoch.
    pub struct LeaderChange {
        leader: NodeId,
        voters: Vec<Voter>,
        granting_voters: Vec<Voter>,
    }
}

message! {
    pub struct Voter {
        voter: NodeId,
        directory_id: Uuid [1..],
    }
}

message! {
    /// 1: the voters stand in the log (KIP-853).
    pub struct KRaftVersion {
        version: i16,
    }
}

message! {
    pub struct KRaftVoters {
        voters: Vec<KRaftVoter>,
    }
}

message! {
    pub struct KRaftVoter {
        voter: NodeId,
        directory_id: Uuid,
        endpoints: Vec<VoterEndpoint>,
        kraft_versions: KRaftVersions,
    }
}

message! {
    pub struct VoterEndpoint {
        name: Text,
        host: Text,
        port: u16,
    }
}

message! {
    pub struct KRaftVersions {
        version_min: i16,
        version_max: i16,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::codec::{DecodeError, Fault, Reader};
    use super::*;

    /// Tests alone read them: who leads and who votes, a single node knows.
    fn decode(key: Bytes, value: Bytes) -> Result<ControlRecord, DecodeError> {
        let mut key = Reader::new(key, body_version(0));
        let _key_version = i16::read(&mut key)?;
        let kind = i16::read(&mut key)?;
        let mut body = Reader::new(value, body_version(0));
        let version = i16::read(&mut body)?;
        body.set_version(body_version(version));
        let body = &mut body;
        let version_max = if kind == LEADER_CHANGE { 1 } else { 0 };
        if !(0..=version_max).contains(&version) {
            return Err(Fault::Version(version).into());
        }
        match kind {
            LEADER_CHANGE => LeaderChange::read(body).map(ControlRecord::LeaderChange),
            KRAFT_VERSION => KRaftVersion::read(body).map(ControlRecord::KRaftVersion),
            KRAFT_VOTERS => KRaftVoters::read(body).map(ControlRecord::KRaftVoters),
            other => Err(Fault::Key(i64::from(other)).into()),
        }
    }

    #[test]
    fn control_records_are_written_and_read() {
        let voter = Voter { voter: NodeId(1), ..Default::default() };
        let endpoint =
            VoterEndpoint { name: "CONTROLLER".into(), host: "localhost".into(), port: 9093 };
        let voters = KRaftVoters {
            voters: vec![KRaftVoter {
                voter: NodeId(1),
                directory_id: Uuid([9; 16]),
                endpoints: vec![endpoint],
                kraft_versions: KRaftVersions { version_min: 0, version_max: 1 },
            }],
        };
        let leader = LeaderChange {
            leader: NodeId(1),
            voters: vec![voter.clone()],
            granting_voters: vec![voter],
        };
        for record in [
            ControlRecord::LeaderChange(leader),
            ControlRecord::KRaftVersion(KRaftVersion { version: 1 }),
            ControlRecord::KRaftVoters(voters),
        ] {
            let KeyValue { key, value } = record.encode().unwrap();
            assert_eq!(decode(key.into(), value.into()), Ok(record));
        }
    }

    /// What Apache Kafka 4.3.1 wrote.
    #[test]
    fn control_records_are_the_bytes_that_apache_writes() {
        let version = ControlRecord::KRaftVersion(KRaftVersion { version: 1 });
        let want = KeyValue { key: vec![0, 0, 0, 5], value: vec![0, 0, 0, 1, 0] };
        assert_eq!(version.encode(), Ok(want));
        let voter = Voter { voter: NodeId(1), ..Default::default() };
        let leader = ControlRecord::LeaderChange(LeaderChange {
            leader: NodeId(1),
            voters: vec![voter.clone()],
            granting_voters: vec![voter],
        });
        let value = vec![0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1, 0, 2, 0, 0, 0, 1, 0, 0];
        assert_eq!(leader.encode(), Ok(KeyValue { key: vec![0, 0, 0, 2], value }));
    }
}
