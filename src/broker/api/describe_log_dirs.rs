//! DescribeLogDirs (35) v1-4. v3: an error for the whole (KIP-784); v4: the size of the volume
//! (KIP-827). Left out: nothing; the data directory is the only one, and nothing moves to another.

use std::collections::HashMap;

use tokio::task::block_in_place;

use super::{Call, Outcome, text};
use crate::broker::topic::Topic;
use crate::protocol::describe_log_dirs::{
    DescribableTopic, DescribeLogDirsRequest, DescribeLogDirsResponse, DescribedLogDir,
    DescribedPartition, DescribedTopic,
};
use crate::record::PartitionId;

pub fn handle(
    call: &mut Call<'_>,
    request: DescribeLogDirsRequest,
) -> Outcome<DescribeLogDirsResponse> {
    let topics = &call.node.topics;
    let (cluster, me) = (&call.node.cluster, call.node.visited(call.session));
    let wanted = request.topics.map(chosen);
    let described = topics.all().into_iter().filter_map(|topic| {
        let chosen = match &wanted {
            None => None,
            Some(wanted) => Some(wanted.get(&**topic.name())?),
        };
        let described = block_in_place(|| {
            describe(&topic, |id| {
                let is_chosen = chosen.is_none_or(|ids| ids.binary_search(&id).is_ok());
                is_chosen && cluster.replicas(id).contains(&me)
            })
        });
        Some(described).filter(|topic| !topic.partitions.is_empty())
    });
    let described = described.collect();
    let volume = topics.volume();
    let dir = DescribedLogDir {
        log_dir: text(topics.data_dir.display().to_string()),
        topics: described,
        total_bytes: volume.map_or(-1, |volume| bytes(volume.total_bytes)),
        usable_bytes: volume.map_or(-1, |volume| bytes(volume.usable_bytes)),
        ..DescribedLogDir::default()
    };
    DescribeLogDirsResponse { results: vec![dir], ..DescribeLogDirsResponse::default() }.into()
}

fn chosen(topics: Vec<DescribableTopic>) -> HashMap<String, Vec<PartitionId>> {
    let mut chosen: HashMap<String, Vec<PartitionId>> = HashMap::new();
    for topic in topics {
        chosen.entry(topic.name.to_string()).or_default().extend(topic.partitions);
    }
    for partitions in chosen.values_mut() {
        partitions.sort_unstable();
        partitions.dedup();
    }
    chosen
}

/// What a topic's partitions take.
fn describe(topic: &Topic, is_chosen: impl Fn(PartitionId) -> bool) -> DescribedTopic {
    let partitions = topic.partitions.iter().filter(|partition| is_chosen(partition.id));
    let partitions = partitions.map(|partition| DescribedPartition {
        partition: partition.id,
        partition_size: bytes(partition.bytes_on_disk()),
        ..DescribedPartition::default()
    });
    DescribedTopic { name: topic.name().clone(), partitions: partitions.collect() }
}

fn bytes(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
