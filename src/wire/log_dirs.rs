//! What replicas take on a broker's disks.
//! Never knows: who leads them.

use std::collections::HashMap;
use std::time::Instant;

use super::connection::Connection;
use super::error::{Error, Trouble};
use crate::protocol::describe_log_dirs::{
    DescribableTopic, DescribeLogDirsRequest, DescribeLogDirsResponse,
};
use crate::protocol::{ErrorCode, Request};
use crate::record::PartitionId;

/// Bytes by topic and partition.
pub type Sizes = HashMap<(String, PartitionId), u64>;

impl Connection {
    /// The sizes of those of these replicas that the broker has.
    pub fn sizes(
        &mut self,
        wanted: &[(String, Vec<PartitionId>)],
        deadline: Instant,
    ) -> Result<Sizes, Error> {
        let topics = wanted.iter().map(|(name, partitions)| DescribableTopic {
            name: name.as_str().into(),
            partitions: partitions.clone(),
        });
        let request = DescribeLogDirsRequest { topics: Some(topics.collect()) };
        let answer = self.call(&request, deadline)?;
        let code = refusal(&answer);
        if code.is_error() {
            let calling = DescribeLogDirsRequest::KEY;
            return Err(self.error(Trouble::Refused { calling, code, message: None }));
        }
        Ok(found(answer))
    }
}

/// Before version 3 a broker that refuses names no directory at all (KIP-784).
fn refusal(answer: &DescribeLogDirsResponse) -> ErrorCode {
    match (answer.error_code, answer.results.as_slice()) {
        (ErrorCode::NONE, []) => ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
        // No disk of it can be read.
        (ErrorCode::NONE, [first, rest @ ..])
            if first.error_code.is_error() && rest.iter().all(|dir| dir.error_code.is_error()) =>
        {
            first.error_code
        }
        (code, _) => code,
    }
}

fn found(answer: DescribeLogDirsResponse) -> Sizes {
    let mut sizes = Sizes::new();
    let topics = answer.results.into_iter().flat_map(|dir| dir.topics);
    for topic in topics {
        // What moves to another directory is there twice for a while.
        for partition in topic.partitions.iter().filter(|partition| !partition.is_future_key) {
            if let Ok(bytes) = u64::try_from(partition.partition_size) {
                sizes.insert((topic.name.to_string(), partition.partition), bytes);
            }
        }
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::describe_log_dirs::{DescribedLogDir, DescribedPartition, DescribedTopic};

    fn dir(error_code: ErrorCode, replicas: &[(i64, bool)]) -> DescribedLogDir {
        let partition = |(number, &(partition_size, is_future_key)): (usize, &(i64, bool))| {
            let partition = PartitionId(i32::try_from(number).unwrap());
            DescribedPartition { partition, partition_size, is_future_key, ..Default::default() }
        };
        let partitions = replicas.iter().enumerate().map(partition).collect();
        let topics = vec![DescribedTopic { name: "t".into(), partitions }];
        DescribedLogDir { error_code, topics, ..Default::default() }
    }

    #[track_caller]
    fn check(results: Vec<DescribedLogDir>, want: Result<&[(i32, u64)], ErrorCode>) {
        let answer = DescribeLogDirsResponse { results, ..Default::default() };
        let code = refusal(&answer);
        let mut got: Vec<_> =
            found(answer).into_iter().map(|((_, id), bytes)| (id.get(), bytes)).collect();
        got.sort_unstable();
        let got = if code.is_error() { Err(code) } else { Ok(got.as_slice()) };
        assert_eq!(got, want);
    }

    #[test]
    fn a_replica_counts_where_it_lies_and_not_where_it_moves_to() {
        let none = ErrorCode::NONE;
        let broken = ErrorCode::KAFKA_STORAGE_ERROR;
        check(vec![dir(none, &[(7, false), (0, false)])], Ok(&[(0, 7), (1, 0)]));
        check(vec![dir(none, &[(7, false)]), dir(none, &[(3, true)])], Ok(&[(0, 7)]));
        check(vec![dir(none, &[(3, true)]), dir(none, &[(7, false)])], Ok(&[(0, 7)]));
        // A size that is not known is no size.
        check(vec![dir(none, &[(-1, false)])], Ok(&[]));
        check(vec![dir(broken, &[]), dir(none, &[(7, false)])], Ok(&[(0, 7)]));
        check(vec![dir(broken, &[]), dir(broken, &[])], Err(broken));
        check(vec![], Err(ErrorCode::CLUSTER_AUTHORIZATION_FAILED));
    }
}
