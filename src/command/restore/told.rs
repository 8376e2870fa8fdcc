//! What is said of a backup that has not all: whoever restores must know.

use std::path::Path;

use super::Wanted;
use crate::backup::{Partition, Unread};
use crate::command::Exit;
use crate::command::stdio::tell as say;

/// Says what the backup has not, and with what the command ends therefore.
pub fn tell(dir: &Path, wanted: &[Wanted<'_>]) -> Exit {
    let mut exit = Exit::Done;
    for Wanted { topic, name, .. } in wanted {
        for (number, partition) in topic.numbered() {
            let lines = lacks(dir, &format!("{name}-{number}"), partition);
            if !lines.is_empty() {
                exit = Exit::Refused;
            }
            lines.iter().for_each(|line| say(line));
            if !partition.skipped.is_empty() {
                say(&format!(
                    "{} lacks {} of {name}-{number}: gone from the cluster before a run saved it",
                    dir.display(),
                    partition.skipped
                ));
            }
        }
        for (number, end, until) in topic.held_back() {
            say(&format!(
                "{} has {name}-{number} only up to offset {end} of {until}: a transaction was \
                 open when it was taken, and held back what was behind it",
                dir.display(),
            ));
        }
    }
    exit
}

/// What the log had and the backup has not.
fn lacks(dir: &Path, of: &str, partition: &Partition) -> Vec<String> {
    let (dir, end) = (dir.display(), partition.end);
    let has = format!("{dir} has {of} only up to offset {end}");
    let unread = partition.unread.as_ref().map(|unread| match unread {
        Unread::Damaged(why) => format!(
            "{has}, where the log that was saved was damaged ({why}); what was behind it is not \
             restored"
        ),
        Unread::Refused(why) => {
            format!("{has}: the rest could not be saved ({why}), and is not restored")
        }
        Unread::Lost(at) => format!(
            "{has}, as it was saved before the cluster lost it from offset {at} on; what the \
             cluster had later is not restored"
        ),
    });
    let missing = (!partition.missing.is_empty()).then(|| {
        let missing = &partition.missing;
        format!("{dir} lacks {missing} of {of}: missing in the log that was saved")
    });
    unread.into_iter().chain(missing).collect()
}
