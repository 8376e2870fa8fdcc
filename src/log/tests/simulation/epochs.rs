//! What Apache Kafka would make of the leader epochs, if it were to open the directory next.

use super::model::{End, Model};
use super::*;
use crate::log::epochs::Epochs;
use crate::log::tests::faulty::FaultyDisk;

/// What need not be read again is covered by the file; and where no power was lost, what is read
/// again tells the rest.
pub fn covered(model: &Model, end: End) {
    let point = model.known.recovery_point.unwrap_or(Offset::ZERO);
    let written = written(&model.disk);
    let logs = model.disk.named("log");
    agree(&model.disk, &logs, &written, |offset| offset < point, &format!("{end:?} {point}"));
    let told = match end {
        End::Clean => written,
        End::Killed | End::PowerLost => recovered(&model.disk, &logs, written, point),
    };
    agree(&model.disk, &logs, &told, |_| true, &format!("Apache Kafka, {end:?} {point}"));
}

fn written(disk: &FaultyDisk) -> Epochs {
    let path = Path::new(DIR).join(EPOCHS);
    disk.read(&path).map_or_else(|_| Epochs::default(), |bytes| Epochs::parse(&bytes).unwrap())
}

/// First the segments that have no offset index are recovered, then those from the recovery point
/// on (LogLoader.loadSegmentFiles, recoverLog).
fn recovered(disk: &FaultyDisk, logs: &[PathBuf], mut epochs: Epochs, point: Offset) -> Epochs {
    let without_index = logs.iter().filter(|log| disk.read(&log.with_extension("index")).is_err());
    let below = logs.iter().rposition(|log| base(log) <= point).unwrap_or(0);
    for log in without_index.chain(&logs[below.min(logs.len())..]) {
        each(disk, log, |batch| epochs.assign(batch.leader_epoch(), batch.base_offset()));
    }
    epochs
}

fn base(log: &Path) -> Offset {
    Offset(log.file_stem().unwrap().to_str().unwrap().parse().unwrap())
}

/// The batches of a segment, up to where a power loss has torn it: offset and epoch are in no CRC.
fn each(disk: &FaultyDisk, log: &Path, mut see: impl FnMut(&BatchView<'_>)) {
    let bytes = disk.read(log).unwrap();
    let mut end = base(log);
    for batch in batches(&bytes).map_while(Result::ok) {
        if batch.base_offset() < end || batch.check_crc().is_err() {
            break;
        }
        end = batch.next_offset();
        see(&batch);
    }
}

fn agree(
    disk: &FaultyDisk,
    logs: &[PathBuf],
    epochs: &Epochs,
    is_told: impl Fn(Offset) -> bool,
    context: &str,
) {
    // What is deleted and comes back has none.
    let first = epochs.entries().first().map_or(Offset::ZERO, |epoch| epoch.start);
    for log in logs {
        each(disk, log, |batch| {
            let offset = batch.base_offset();
            if first <= offset && is_told(offset) {
                let told = epochs.at(offset);
                assert_eq!(told, Some(batch.leader_epoch()), "{offset} {epochs:?}: {context}");
            }
        });
    }
}
