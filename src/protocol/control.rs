//! Control records: what a control batch says, in KRaft's log and in a topic's.
//! Never knows: batches.
//!
//! ```text
//! key     i16 version (0) | i16 type
//! value   i16 version | body, always flexible
//! ```
//! The markers that end a transaction (0, 1) are older: their body is an epoch, not flexible.

use bytes::Bytes;
use serde_json::Value;

use super::codec::{DecodeError, EncodeError, Fault, Field, Reader, Version, Writer};
use super::field::{NodeId, Text};
use super::message::message;
use super::show::{Show, shown};
use crate::record::{Timestamp, Uuid};

const ABORT: i16 = 0;
const COMMIT: i16 = 1;
const LEADER_CHANGE: i16 = 2;
const SNAPSHOT_HEADER: i16 = 3;
const SNAPSHOT_FOOTER: i16 = 4;
const KRAFT_VERSION: i16 = 5;
const KRAFT_VOTERS: i16 = 6;

#[derive(Clone, Debug, PartialEq)]
pub enum ControlRecord {
    Abort(EndOfTransaction),
    Commit(EndOfTransaction),
    LeaderChange(LeaderChange),
    SnapshotHeader(SnapshotHeader),
    SnapshotFooter(SnapshotFooter),
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
        let flexible = !matches!(self, ControlRecord::Abort(_) | ControlRecord::Commit(_));
        let mut value = Writer::new(Version { number: 0, flexible });
        0i16.write(&mut value)?;
        let kind = match self {
            ControlRecord::Abort(body) => body.write(&mut value).map(|()| ABORT),
            ControlRecord::Commit(body) => body.write(&mut value).map(|()| COMMIT),
            ControlRecord::LeaderChange(body) => body.write(&mut value).map(|()| LEADER_CHANGE),
            ControlRecord::SnapshotHeader(body) => body.write(&mut value).map(|()| SNAPSHOT_HEADER),
            ControlRecord::SnapshotFooter(body) => body.write(&mut value).map(|()| SNAPSHOT_FOOTER),
            ControlRecord::KRaftVersion(body) => body.write(&mut value).map(|()| KRAFT_VERSION),
            ControlRecord::KRaftVoters(body) => body.write(&mut value).map(|()| KRAFT_VOTERS),
        }?;
        let mut key = Writer::new(body_version(0));
        0i16.write(&mut key)?;
        kind.write(&mut key)?;
        Ok(KeyValue { key: key.into_parts().0, value: value.into_parts().0 })
    }

    pub fn decode(key: Bytes, value: Bytes) -> Result<ControlRecord, DecodeError> {
        let mut key = Reader::new(key, body_version(0));
        let _key_version = i16::read(&mut key)?;
        let kind = i16::read(&mut key)?;
        let mut body = Reader::new(value, body_version(0));
        let version = i16::read(&mut body)?;
        let flexible = COMMIT < kind;
        body.set_version(Version { number: version, flexible });
        let body = &mut body;
        let version_max = if kind == LEADER_CHANGE { 1 } else { 0 };
        if !(0..=version_max).contains(&version) {
            return Err(Fault::Version(version).into());
        }
        match kind {
            ABORT => Field::read(body).map(ControlRecord::Abort),
            COMMIT => Field::read(body).map(ControlRecord::Commit),
            LEADER_CHANGE => Field::read(body).map(ControlRecord::LeaderChange),
            SNAPSHOT_HEADER => Field::read(body).map(ControlRecord::SnapshotHeader),
            SNAPSHOT_FOOTER => Field::read(body).map(ControlRecord::SnapshotFooter),
            KRAFT_VERSION => Field::read(body).map(ControlRecord::KRaftVersion),
            KRAFT_VOTERS => Field::read(body).map(ControlRecord::KRaftVoters),
            other => Err(Fault::Key(i64::from(other)).into()),
        }
    }

    pub const fn name(&self) -> &'static str {
        match self {
            ControlRecord::Abort(_) => "Abort",
            ControlRecord::Commit(_) => "Commit",
            ControlRecord::LeaderChange(_) => "LeaderChange",
            ControlRecord::SnapshotHeader(_) => "SnapshotHeader",
            ControlRecord::SnapshotFooter(_) => "SnapshotFooter",
            ControlRecord::KRaftVersion(_) => "KRaftVersion",
            ControlRecord::KRaftVoters(_) => "KRaftVoters",
        }
    }

    /// Its fields by their names.
    pub fn show(&self) -> Value {
        match self {
            ControlRecord::Abort(body) | ControlRecord::Commit(body) => body.show(),
            ControlRecord::LeaderChange(body) => body.show(),
            ControlRecord::SnapshotHeader(body) => body.show(),
            ControlRecord::SnapshotFooter(body) => body.show(),
            ControlRecord::KRaftVersion(body) => body.show(),
            ControlRecord::KRaftVoters(body) => body.show(),
        }
    }
}

fn body_version(number: i16) -> Version {
    Version { number, flexible: true }
}

shown! {
    /// A transaction ends, by a coordinator of this epoch.
    pub struct EndOfTransaction {
        coordinator_epoch: i32,
    }
}

shown! {
    /// The first record of a checkpoint.
    pub struct SnapshotHeader {
        last_contained_log_timestamp: Timestamp,
    }
}

shown! {
    /// The last record of a checkpoint.
    pub struct SnapshotFooter {
    }
}

shown! {
    /// A leader begins its reign; it stands first in every epoch.
    pub struct LeaderChange {
        leader: NodeId,
        voters: Vec<Voter>,
        granting_voters: Vec<Voter>,
    }
}

shown! {
    pub struct Voter {
        voter: NodeId,
        directory_id: Uuid [1..],
    }
}

shown! {
    /// 1: the voters stand in the log (KIP-853).
    pub struct KRaftVersion {
        version: i16,
    }
}

shown! {
    pub struct KRaftVoters {
        voters: Vec<KRaftVoter>,
    }
}

shown! {
    pub struct KRaftVoter {
        voter: NodeId,
        directory_id: Uuid,
        endpoints: Vec<VoterEndpoint>,
        kraft_versions: KRaftVersions,
    }
}

shown! {
    pub struct VoterEndpoint {
        name: Text,
        host: Text,
        port: u16,
    }
}

shown! {
    pub struct KRaftVersions {
        version_min: i16,
        version_max: i16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ControlRecord::Abort(EndOfTransaction { coordinator_epoch: 7 }),
            ControlRecord::SnapshotHeader(SnapshotHeader::default()),
            ControlRecord::SnapshotFooter(SnapshotFooter {}),
            ControlRecord::LeaderChange(leader),
            ControlRecord::KRaftVersion(KRaftVersion { version: 1 }),
            ControlRecord::KRaftVoters(voters),
        ] {
            let KeyValue { key, value } = record.encode().unwrap();
            assert_eq!(ControlRecord::decode(key.into(), value.into()), Ok(record));
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
