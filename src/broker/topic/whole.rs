//! Reading a log from end to end, for what its records add up to.
//! Never knows: what they say.

use std::ops::ControlFlow;

use super::partition::Partition;
use super::report;
use crate::log::Piece;
use crate::record::{BatchError, BatchView};

impl Partition {
    /// Shows every batch to `apply`, in order; none where there never was a log. What is damaged
    /// is an error: without it, the rest may add up to something else.
    pub fn each_batch(
        &self,
        mut apply: impl FnMut(&BatchView<'_>) -> Result<(), BatchError>,
    ) -> Result<(), String> {
        self.wake_if_known().map_err(|_| "its log cannot be opened")?;
        let Some(start) = self.if_open(|log| log.start()) else {
            // One that was taken away is not empty.
            return if self.is_gone() { Err("its log was closed".to_owned()) } else { Ok(()) };
        };
        let mut from = start;
        while let Some(part) = self.part(from).map_err(|error| error.to_string())? {
            let mut odd = None;
            let seen = part.each(|piece| {
                let (position, why) = match piece {
                    Piece::Damage(damage) => (damage.position, damage.why.to_string()),
                    Piece::Batch { batch, .. } if batch.next_offset() <= start => {
                        return ControlFlow::Continue(());
                    }
                    Piece::Batch { batch, position } => match apply(&batch) {
                        Ok(()) => return ControlFlow::Continue(()),
                        Err(error) => (position, error.to_string()),
                    },
                };
                odd = Some(format!("byte {position}: {why}"));
                ControlFlow::Break(())
            });
            let _enough = seen.map_err(|error| error.to_string())?;
            if let Some(odd) = odd {
                return Err(format!(
                    "{}: {odd}; {} takes it out",
                    part.path.display(),
                    report::repair(&self.core.data_dir)
                ));
            }
            from = part.end;
        }
        Ok(())
    }
}
