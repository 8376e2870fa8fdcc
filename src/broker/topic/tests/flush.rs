//! Checkpoints in the background.

use super::*;
use crate::broker::topic::housekeeping::flush_once;

/// A closed segment and one behind it, not checkpointed.
fn rolled(topics: &Topics, name: &str) -> std::sync::Arc<Partition> {
    let configs = [("segment.bytes".into(), "1048576".into())].into();
    topics.create(&[NewTopic { configs, ..wanted(name) }]).pop().unwrap().unwrap();
    let partition = topics.get(name).unwrap().partitions[0].clone();
    let value = vec![b'x'; 600 << 10];
    for _ in 0..2 {
        let mut batch = BatchBuilder::new();
        batch.push(now(), &Record { value: Some(&value), ..Record::default() });
        let batch = batch.build();
        let batch = BatchView::parse(&batch).unwrap();
        partition.append(&batch, Times::Keep, now()).unwrap().unwrap();
    }
    partition
}

#[test]
fn a_log_that_cannot_be_flushed_keeps_no_other_from_it() {
    let place = Place::new();
    let topics = place.open();
    let (gone, there) = (rolled(&topics, "gone"), rolled(&topics, "there"));
    fs::remove_dir_all(gone.dir()).unwrap();
    let is_unchecked =
        |partition: &Partition| partition.if_open(|log| log.unchecked()).unwrap().is_some();
    assert!(is_unchecked(&gone) && is_unchecked(&there));
    flush_once(&topics, false);
    assert!(is_unchecked(&gone) && !is_unchecked(&there));
}
