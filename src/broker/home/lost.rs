//! What a lost meta.properties has said, as far as the rest of the directory tells.
//! Never knows: topics.

use std::path::Path;

use bytes::Bytes;

use super::identity::random_id;
use crate::log::inspect::{self, Name, Piece, Pieces};
use crate::log::{DiskFile, RealFile};
use crate::protocol::NodeId;
use crate::protocol::control::{ControlRecord, KRaftVoter};
use crate::record::{INFLATED_BYTES_MAX, Scratch};

const CATALOGUE: &str = "__cluster_metadata-0";

/// The lines to write, where the directory is one of a broker. The cluster's id stands in no other
/// file; a new one serves, to those who do not know the old one.
pub fn lines(dir: &Path) -> Option<String> {
    let catalogue = dir.join(CATALOGUE);
    if !catalogue.is_dir() {
        return None;
    }
    let (node, directory) = match voter(&catalogue) {
        Some(KRaftVoter { voter: NodeId(node), directory_id, .. }) => {
            (node.to_string(), directory_id.to_string())
        }
        None => ("its node.id".to_owned(), random_id().to_string()),
    };
    let cluster = random_id();
    Some(format!(
        "version=1, node.id={node}, directory.id={directory} and cluster.id={cluster} (better \
         the old one, if you know it)"
    ))
}

/// The quorum's only voter, as the catalogue's first batch names it.
fn voter(catalogue: &Path) -> Option<KRaftVoter> {
    let entries = inspect::list(catalogue).ok()?;
    let first = entries.iter().find(|entry| matches!(Name::parse(&entry.name), Name::Log(_)))?;
    let Name::Log(base) = Name::parse(&first.name) else { return None };
    let file = RealFile::open_to_read(&catalogue.join(&first.name)).ok()?;
    let mut pieces = Pieces::new(&file, file.len().ok()?, base, None);
    let mut scratch = Scratch::default();
    while let Ok(Some(Piece::Batch { batch, .. })) = pieces.next_piece() {
        if !batch.is_control() {
            continue;
        }
        let records = batch.records(&mut scratch, INFLATED_BYTES_MAX).ok()?;
        for entry in records.filter_map(Result::ok) {
            let bytes = |bytes: Option<&[u8]>| Bytes::copy_from_slice(bytes.unwrap_or_default());
            let record = ControlRecord::decode(bytes(entry.key), bytes(entry.value));
            if let Ok(ControlRecord::KRaftVoters(mut found)) = record {
                return found.voters.pop().filter(|_| found.voters.is_empty());
            }
        }
    }
    None
}
