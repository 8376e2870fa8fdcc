//! The log on the machine's own disk. `KAW_KEEP_LOG=DIR` leaves the files there, so that Apache
//! Kafka's dump-log can read them; `KAW_READ_LOG=DIR` reads a log that Apache wrote.

use std::path::PathBuf;

use super::*;
use crate::record::Header;

fn settings() -> Settings {
    Settings { segment_bytes: 200_000, ..Settings::default() }
}

/// A directory of its own, removed in the end unless the files are to be kept.
struct Folder {
    dir: PathBuf,
    kept: bool,
}

impl Folder {
    fn new(name: &str) -> Folder {
        let kept = std::env::var_os("KAW_KEEP_LOG");
        let top = kept.as_ref().map_or_else(std::env::temp_dir, PathBuf::from);
        let dir = top.join(format!("kaw-log-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Folder { dir, kept: kept.is_some() }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

fn any_batch(n: i32) -> Vec<u8> {
    let codecs = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
    let id = ProducerId(i64::from(n % 3));
    let producer = Producer { id, epoch: ProducerEpoch(0), base_sequence: n / 3 * 4 };
    let codec = codecs[n as usize % codecs.len()];
    let mut builder = BatchBuilder::new().codec(codec).producer(producer);
    for record in 0..4 {
        let value = format!("batch {n} record {record} {}", "x".repeat(n as usize * 7 % 3000));
        let headers = [Header { name: b"n", value: None }, Header { name: b"n", value: Some(b"") }];
        let record = Record { key: Some(b"key"), value: Some(value.as_bytes()), headers: &headers };
        // Times go back and forth, as those of several producers do.
        builder.push(Timestamp(1_700_000_000_000 + i64::from(n * 37 % 1000)), &record);
    }
    builder.build()
}

#[test]
fn the_real_disk_keeps_what_was_closed_and_what_was_only_written() {
    let folder = Folder::new("written");
    let dir = folder.dir.join("t-0");
    let open =
        |known| Log::open(RealDisk, &dir, TOPIC_ID, settings(), known, Timestamp(0)).unwrap();
    let (mut log, _) = open(Known::default());
    for n in 0..500 {
        append(&mut log, &any_batch(n)).unwrap();
    }
    assert!(log.segments.len() > 2);
    let whole = contents_by(&mut log, 1 << 20);
    assert_eq!(whole.len(), 2000);
    drop(log);
    let (mut log, recovered) = open(Known::default());
    assert_eq!(contents_by(&mut log, 1 << 20), whole);
    assert!(recovered.scanned_bytes > 200_000 && recovered.torn.is_none());
    sync(&mut log);
    log.close(Timestamp(0)).unwrap();
    let (mut log, recovered) = open(Known { trust: Trust::Clean, ..Known::default() });
    assert_eq!(recovered, Recovered::default());
    assert_eq!(contents_by(&mut log, 1 << 20), whole);
    let last = append(&mut log, &any_batch(499)).unwrap();
    assert_eq!((last.outcome, last.base_offset), (Outcome::Duplicate, Offset(1996)));
    // What Apache does not know may go: it must all come back.
    for name in [saved::NAME, EPOCHS] {
        std::fs::remove_file(dir.join(name)).unwrap();
    }
    let (mut log, _) = open(Known::default());
    assert_eq!(contents_by(&mut log, 1 << 20), whole);
    log.close(Timestamp(0)).unwrap();
}

#[test]
fn a_log_that_apache_wrote_is_read() {
    let Some(dir) = std::env::var_os("KAW_READ_LOG").map(PathBuf::from) else { return };
    let metadata = std::fs::read(dir.join(METADATA)).unwrap();
    let topic_id = text::parse_partition_metadata(&metadata).unwrap();
    let name = dir.file_name().unwrap().to_str().unwrap().to_owned();
    let points = dir.parent().unwrap().join("recovery-point-offset-checkpoint");
    let points = read_offsets(&RealDisk, &points).unwrap().unwrap();
    let point = points.iter().find(|at| format!("{}-{}", at.topic, at.partition) == name);
    for trust in [Trust::Clean, Trust::Nothing] {
        let recovery_point = point.map(|point| point.offset);
        let known = Known { trust, recovery_point, ..Known::default() };
        let (mut log, recovered) =
            Log::open(RealDisk, &dir, topic_id, settings(), known, Timestamp(0)).unwrap();
        let records = contents_by(&mut log, 1 << 20).len();
        let (start, end) = (log.start(), log.end());
        eprintln!("{trust:?}: {start}..{end}, {records} records, {recovered:?}");
        if trust == Trust::Clean {
            assert_eq!(recovered, Recovered::default());
        }
    }
}
