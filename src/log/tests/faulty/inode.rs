//! One file of the disk that fails: what readers see, what is durable, what is on its way.
//! Never knows: names, other files.

use super::dice::Dice;

/// What the disk writes at once, so small that a batch lies on several.
const PAGE_BYTES: usize = 64;

#[derive(Clone, Debug)]
pub enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

/// A sync that is under way.
#[derive(Clone, Debug)]
pub struct Begun {
    changes: usize,
    seen: Vec<u8>,
}

/// A file's contents.
#[derive(Clone, Debug, Default)]
pub struct Inode {
    pub seen: Vec<u8>,
    pub durable: Vec<u8>,
    pub modified_ms: i64,
    /// Not synced yet, in order.
    changes: Vec<Change>,
}

impl Inode {
    pub fn apply(&mut self, change: Change) {
        change.apply(&mut self.seen);
        self.changes.push(change);
    }

    /// Everything that is on its way arrives. What a failed sync has lost is on its way no more.
    pub fn sync(&mut self) {
        let begun = self.begin_sync();
        self.end_sync(begun);
    }

    pub fn begin_sync(&self) -> Begun {
        Begun { changes: self.changes.len(), seen: self.seen.clone() }
    }

    /// What was on its way when the sync began has arrived; what came meanwhile may have.
    pub fn end_sync(&mut self, begun: Begun) {
        let count = begun.changes.min(self.changes.len());
        for change in self.changes.drain(..count) {
            change.apply_pages(&begun.seen, &mut self.durable);
        }
    }

    /// The sync fails: some of it arrived, and the kernel takes the rest for clean. It is still
    /// seen, and no later sync writes it.
    pub fn fail_to_sync(&mut self, dice: &mut Dice) {
        let changes = std::mem::take(&mut self.changes);
        self.arrive(changes, dice);
    }

    /// The power goes: all of it arrived, or nothing, or some pages, in any order, some torn.
    pub fn lose(&mut self, dice: &mut Dice) {
        match dice.below(4) {
            0 => self.sync(),
            1 => self.changes.clear(),
            _ => self.fail_to_sync(dice),
        }
        self.seen = self.durable.clone();
    }

    /// Each page as it was at some moment since the last sync, and so is the length.
    fn arrive(&mut self, changes: Vec<Change>, dice: &mut Dice) {
        let mut moments = vec![self.durable.clone()];
        for change in &changes {
            let mut next = moments[moments.len() - 1].clone();
            change.apply(&mut next);
            moments.push(next);
        }
        let together = dice.chance(2).then(|| dice.below(moments.len() as u64) as usize);
        let moment = |dice: &mut Dice| {
            let at = together.unwrap_or_else(|| dice.below(moments.len() as u64) as usize);
            &moments[at]
        };
        let mut arrived = vec![0; moment(dice).len()];
        for (page, bytes) in arrived.chunks_mut(PAGE_BYTES).enumerate() {
            let torn_at = if dice.chance(4) { dice.below(PAGE_BYTES as u64) as usize } else { 0 };
            let halves = [(0, torn_at), (torn_at, bytes.len())];
            for (from, to) in halves.map(|(from, to)| (from, to.min(bytes.len()))) {
                let written = moment(dice).get(page * PAGE_BYTES..).unwrap_or_default();
                let to = to.min(written.len());
                if from < to {
                    bytes[from..to].copy_from_slice(&written[from..to]);
                }
            }
        }
        self.durable = arrived;
    }
}

impl Change {
    pub fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Change::Length(bytes) => content.resize(*bytes, 0),
            Change::Write { at, bytes } if !bytes.is_empty() => {
                let end = at + bytes.len();
                content.resize(content.len().max(end), 0);
                content[*at..end].copy_from_slice(bytes);
            }
            Change::Write { .. } => {}
        }
    }

    /// The same on the disk, where whole pages are written as they are `seen` now.
    fn apply_pages(&self, seen: &[u8], durable: &mut Vec<u8>) {
        durable.resize(seen.len(), 0);
        if let Change::Write { at, bytes } = self {
            let from = at / PAGE_BYTES * PAGE_BYTES;
            let to = (at + bytes.len()).next_multiple_of(PAGE_BYTES).min(seen.len());
            if from < to {
                durable[from..to].copy_from_slice(&seen[from..to]);
            }
        }
    }
}
