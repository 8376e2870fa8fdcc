//! Transactions as the batches tell of them, and as the index of aborted ones does.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::Expected;
use super::segment::Beside;
use super::state::Pass;
use crate::log::files::Kind;
use crate::log::inspect::{Entries, Piece, Pieces};
use crate::log::transactions::Marker;
use crate::log::{Aborted, Decision, DiskFile, RealFile};
use crate::record::{BatchView, Offset, ProducerId};

/// Entries of one index of aborted transactions that are compared.
const ABORTED_MAX: usize = 1 << 20;

/// Transactions that are open at once and remembered.
const OPEN_MAX: usize = 1 << 20;

impl Pass<'_> {
    /// A transaction ended here: one that was aborted stands in the index.
    pub(super) fn ended(
        &mut self,
        path: &Path,
        position: u32,
        batch: &BatchView<'_>,
        marker: Option<&Marker>,
        aborted: &mut std::iter::Peekable<std::vec::IntoIter<(u64, Aborted)>>,
        beside: &Beside,
    ) {
        while let Some((byte, entry)) =
            aborted.next_if(|(_, entry)| entry.last < batch.base_offset())
        {
            let (path, _) = beside.aborted.as_ref().expect("its entries are there");
            let what = "there is no marker that aborts this transaction";
            self.findings().damage_of(path, byte, entry.last, what);
        }
        let Some(producer) = batch.producer().filter(|_| marker.is_some()) else { return };
        let open = self.producers.as_ref().and_then(|producers| producers.get(producer.id));
        let began = open.and_then(|state| state.transaction);
        let is_abort = marker.is_some_and(|marker| marker.decision == Decision::Abort);
        let told = aborted.next_if(|(_, entry)| entry.last == batch.base_offset());
        match (is_abort, told) {
            // It is written with the checkpoint; a start makes it of what comes behind that.
            (true, None) if self.may_not_be_saved(batch) => {}
            (true, None) if began.is_some() && !self.expected.compacted => {
                let what = "the transaction was aborted, but is not in the .txnindex";
                self.findings().damage_of(path, position.into(), batch.base_offset(), what);
            }
            (_, None) => {}
            (is_abort, Some((byte, entry))) => {
                let Aborted { producer: id, first, .. } = entry;
                let same_first = began.is_none_or(|began| began == first);
                if !is_abort || id != producer.id || !same_first && !self.expected.compacted {
                    let (path, _) = beside.aborted.as_ref().expect("its entries are there");
                    let what = format!(
                        "it says that producer {id} aborted what it began at offset {first}"
                    ) + "; the log does not";
                    self.findings().damage_of(path, byte, entry.last, what);
                }
            }
        }
    }

    fn may_not_be_saved(&self, batch: &BatchView<'_>) -> bool {
        let is_behind = self.durable().is_some_and(|durable| durable <= batch.base_offset());
        !self.is_clean() && is_behind
    }

    /// The entries of the index of aborted transactions, if there is one.
    pub(super) fn aborted(
        &mut self,
        beside: &Beside,
        base: Offset,
        next: Option<Offset>,
    ) -> io::Result<Vec<(u64, Aborted)>> {
        let Some((path, file)) = &beside.aborted else { return Ok(Vec::new()) };
        let mut entries = Entries::<{ Aborted::BYTES }>::new(file)?;
        let odd = entries.odd_bytes();
        if odd > 0 {
            let byte = file.len()?.saturating_sub(odd);
            let what = format!("its last {odd} bytes are no whole entry");
            self.findings().damage_at(path, byte, what);
        }
        let mut all: Vec<(u64, Aborted)> = Vec::new();
        while let Some((byte, bytes)) = entries.next()? {
            let entry = Aborted::parse(&bytes).filter(|entry| {
                let last = entry.last;
                let rises = all.last().is_none_or(|(_, before)| before.last < last);
                rises
                    && base <= last
                    && next.is_none_or(|next| last < next)
                    && Offset::ZERO <= entry.first
                    && entry.stable_end.get() <= last.get().saturating_add(1)
            });
            match entry {
                Some(entry) if all.len() < ABORTED_MAX => all.push((byte, entry)),
                Some(_) => break,
                None => self.findings().damage_at(path, byte, "no transaction can be like this"),
            }
        }
        Ok(all)
    }
}

/// The aborted transactions by the segments in which they ended, as the batches tell.
pub(in crate::log::inspect) fn aborted_in(
    dir: &Path,
    bases: &[Offset],
    expected: &Expected,
) -> io::Result<Vec<(Offset, Vec<Aborted>)>> {
    let mut open: BTreeMap<ProducerId, Offset> = BTreeMap::new();
    let mut all = Vec::new();
    for (at, &base) in bases.iter().enumerate() {
        let path = dir.join(format!("{:020}{}", base.get(), Kind::Log.suffix()));
        let file = RealFile::open_to_read(&path)?;
        let next = bases.get(at + 1).copied();
        let mut pieces = Pieces::new(&file, file.len()?, base, next);
        let mut aborted = Vec::new();
        while let Some(piece) = pieces.next_piece()? {
            let Piece::Batch { batch, .. } = piece else { continue };
            let Some(producer) = batch.producer() else { continue };
            let offset = batch.base_offset();
            let Some(marker) = Marker::of(&batch) else {
                if batch.is_transactional() && open.len() < OPEN_MAX {
                    open.entry(producer.id).or_insert(offset);
                }
                continue;
            };
            // One that began before the log does is taken to have begun with it.
            let first = open.remove(&producer.id).or(expected.log_start.or(bases.first().copied()));
            if let Some(first) = first.filter(|_| marker.decision == Decision::Abort) {
                let stable_end = open.values().min().copied().unwrap_or(offset.plus(1));
                let (producer, last) = (producer.id, offset);
                aborted.push(Aborted { producer, first, last, stable_end });
            }
        }
        all.push((base, aborted));
    }
    Ok(all)
}
