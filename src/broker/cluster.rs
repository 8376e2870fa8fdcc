//! The cluster that clients see: this broker under one node id, or under several.
//! Never knows: sockets, topics.

use std::sync::Arc;

use crate::protocol::NodeId;
use crate::record::PartitionId;

/// How many replicas a partition seems to have where there are nodes enough, as in librdkafka's
/// mock cluster.
const REPLICAS_MAX: usize = 3;

/// Nodes with ids one after the other. The same process serves all of them, and each has all
/// partitions; which of them leads one is for clients to know where to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// For each node the replicas of what it leads, itself first.
    replicas: Vec<Arc<[NodeId]>>,
}

impl Cluster {
    pub fn new(first: NodeId, size: usize) -> Cluster {
        assert!(0 < size, "somebody has to serve");
        let ids: Vec<NodeId> = (first.0..).map(NodeId).take(size).collect();
        let after = |n: usize| ids.iter().cycle().skip(n).take(REPLICAS_MAX.min(size)).copied();
        Cluster { replicas: (0..size).map(|n| after(n).collect()).collect() }
    }

    pub fn size(&self) -> usize {
        self.replicas.len()
    }

    pub fn ids(&self) -> impl Iterator<Item = NodeId> {
        self.replicas.iter().map(|replicas| replicas[0])
    }

    /// The n-th node.
    pub fn id(&self, n: usize) -> NodeId {
        self.replicas[n][0]
    }

    /// Where a partition is; the first leads it.
    pub fn replicas(&self, partition: PartitionId) -> &Arc<[NodeId]> {
        let n = usize::try_from(partition.get()).expect("partitions are counted from 0");
        &self.replicas[n % self.size()]
    }

    pub fn leader(&self, partition: PartitionId) -> NodeId {
        self.replicas(partition)[0]
    }

    pub fn replication_factor(&self) -> usize {
        self.replicas[0].len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(size: usize, want: &[&[i32]]) {
        let cluster = Cluster::new(NodeId(1), size);
        let replicas = |p: i32| cluster.replicas(PartitionId(p)).iter().map(|id| id.0).collect();
        let replicas: Vec<Vec<i32>> = (0..4).map(replicas).collect();
        assert_eq!(replicas, want);
        assert_eq!(cluster.leader(PartitionId(3)).0, want[3][0]);
        assert!(cluster.ids().map(|id| id.0).eq(1..=size as i32));
    }

    #[test]
    fn each_node_leads_its_share() {
        check(1, &[&[1], &[1], &[1], &[1]]);
        check(2, &[&[1, 2], &[2, 1], &[1, 2], &[2, 1]]);
        check(3, &[&[1, 2, 3], &[2, 3, 1], &[3, 1, 2], &[1, 2, 3]]);
        check(5, &[&[1, 2, 3], &[2, 3, 4], &[3, 4, 5], &[4, 5, 1]]);
    }
}
