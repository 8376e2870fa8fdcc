//! Directories whose partition.metadata names another topic than the catalogue.

use super::super::partition::Unusable;
use super::*;

fn is_stray(path: &Path) -> bool {
    path.to_string_lossy().ends_with("-stray")
}

fn strays(place: &Place) -> usize {
    let found = fs::read_dir(&place.0).unwrap().map(|entry| entry.unwrap().path());
    found.filter(|path| is_stray(path)).count()
}

#[test]
fn an_id_that_was_never_given_out_refuses_the_partition_until_it_is_mended() {
    for clean in [true, false] {
        let place = Place::new();
        let topics = place.open();
        let id = create(&topics, "t");
        append(&topics, "t");
        append_to(&topics.get("t").unwrap().partitions[1]);
        if clean {
            topics.close().unwrap();
        } else {
            drop(topics);
        }
        let metadata = place.dir("t-0").join("partition.metadata");
        let before = fs::read(&metadata).unwrap();
        let other = Uuid([7; 16]);
        fs::write(&metadata, format!("version: 0\ntopic_id: {other}")).unwrap();
        for start in 1..3 {
            let topics = place.open();
            let topic = topics.get("t").unwrap();
            assert_eq!(topic.partitions[0].ask(|log| log.end()), Err(Unusable::Broken), "{id}");
            assert!(topic.partitions[0].each_batch(|_| Ok(())).is_err());
            assert_eq!(append_to(&topic.partitions[1]), Offset(start), "the others serve");
            assert_eq!(topics.close().is_ok(), clean, "what was not read is not called whole");
            assert_eq!(strays(&place), 0);
        }
        fs::write(&metadata, before).unwrap();
        assert_eq!(append(&place.open(), "t"), Offset(1));
    }
}

#[test]
fn what_a_crash_left_of_a_deleted_topic_is_set_aside() {
    let place = Place::new();
    let topics = place.open();
    let first = create(&topics, "t");
    append(&topics, "t");
    let left = topics.delete(first).unwrap().remove(0);
    create(&topics, "t");
    drop(topics);
    fs::rename(left, place.dir("t-0")).unwrap();
    assert_eq!(append(&place.open(), "t"), Offset(0));
    assert_eq!(strays(&place), 1);
}

#[test]
fn a_log_whose_directory_is_gone_is_opened_by_who_reads_all_of_it() {
    let place = Place::new();
    let topics = place.open();
    create(&topics, "t");
    append(&topics, "t");
    topics.close().unwrap();
    fs::remove_dir_all(place.dir("t-0")).unwrap();
    let topics = place.open();
    let topic = topics.get("t").unwrap();
    topic.partitions.iter().for_each(|one| one.each_batch(|_| Ok(())).unwrap());
    assert!(!topic.partitions[0].was_whole(), "it is known, and said");
    assert!(topic.partitions[1].was_whole() && !place.dir("t-1").exists(), "there never was one");
}
