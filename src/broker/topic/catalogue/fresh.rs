//! The first records of a new catalogue: what makes Apache Kafka take the directory for its own.
//! Never knows: files.

use super::foreign::METADATA_VERSION_MAX;
use crate::broker::Identity;
use crate::broker::topic::producer_ids::FIRST_FREE;
use crate::protocol::catalogue::{CatalogueRecord, FeatureLevelRecord, ProducerIdsRecord};
use crate::protocol::control::{
    ControlRecord, KRaftVersion, KRaftVersions, KRaftVoter, KRaftVoters, LeaderChange, Voter,
    VoterEndpoint,
};
use crate::protocol::{NodeId, Text};

/// 4.0-IV3: every Kafka from 4.0 on can open the directory, and eligible leader replicas, whose
/// bookkeeping a single node does not need, are off.
const METADATA_VERSION: i16 = 25;

/// Where a stock Apache Kafka's controller listens. It corrects the record if it is elsewhere.
const CONTROLLER: (&str, &str, u16) = ("CONTROLLER", "localhost", 9093);

/// Features that Apache Kafka offers its clients when it takes the directory over.
const FEATURES: [(&str, i16); 2] = [("group.version", 1), ("transaction.version", 2)];

/// The control records of the first batch: a quorum of one, whose voter stands in the log.
pub fn quorum(identity: &Identity) -> [ControlRecord; 3] {
    let me = NodeId(identity.node_id);
    let voter = Voter { voter: me, ..Voter::default() };
    let (name, host, port) = CONTROLLER;
    let endpoint = VoterEndpoint { name: name.into(), host: host.into(), port };
    let voters = vec![KRaftVoter {
        voter: me,
        directory_id: identity.directory_id,
        endpoints: vec![endpoint],
        kraft_versions: KRaftVersions { version_min: 0, version_max: 1 },
    }];
    [
        ControlRecord::LeaderChange(LeaderChange {
            leader: me,
            voters: vec![voter.clone()],
            granting_voters: vec![voter],
        }),
        ControlRecord::KRaftVersion(KRaftVersion { version: 1 }),
        ControlRecord::KRaftVoters(KRaftVoters { voters }),
    ]
}

/// The data records of the second batch. `registered`: what a broker that was here knows, whose
/// records no lower level may be said of (ImageWriterOptions.handleLoss).
pub fn features(registered: Option<i16>) -> Vec<CatalogueRecord> {
    let level = registered.map_or(METADATA_VERSION, |level| level.min(METADATA_VERSION_MAX));
    let metadata = ("metadata.version", level.max(METADATA_VERSION));
    let features = [metadata].into_iter().chain(FEATURES);
    features
        .map(|(name, level)| FeatureLevelRecord { name: Text::from(name), level }.into())
        .collect()
}

/// The first block of producer ids, taken with the beginning.
pub fn producer_ids(identity: &Identity) -> CatalogueRecord {
    ProducerIdsRecord {
        broker_id: Some(NodeId(identity.node_id)),
        broker_epoch: -1,
        next_producer_id: FIRST_FREE,
    }
    .into()
}

/// The file `quorum-state` of a quorum whose voters stand in the log.
pub fn quorum_state(identity: &Identity, epoch: i32) -> String {
    format!(
        "{{\"leaderId\":{},\"leaderEpoch\":{epoch},\"votedId\":-1,\
         \"votedDirectoryId\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"data_version\":1}}",
        identity.node_id
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_level_is_below_what_a_broker_has_written_by() {
        let level = |registered| match features(registered).remove(0) {
            CatalogueRecord::FeatureLevel(record) => record.level,
            other => panic!("{}", other.name()),
        };
        assert_eq!([None, Some(30), Some(31), Some(7)].map(level), [25, 30, 30, 25]);
    }
}
