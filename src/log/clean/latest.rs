//! The last offset of each key, in a fixed amount of memory.
//! Never knows: keys themselves, but 96 bits of a hash of theirs that nobody can foresee. Of a
//! billion records, one in 10^13 logs would lose one by a collision (Apache's SkimpyOffsetMap has
//! 128 bits of MD5, for which anybody can make two keys that collide).

use std::hash::{BuildHasher, RandomState};

use crate::record::Offset;

/// 64 bits of the hash, then 32 more and the offset, counted from `first` and 1: 0 is no entry.
type Slot = [u64; 2];

/// The map is full when so many of a hundred slots are taken: probing becomes long.
const FULL_PERCENT: usize = 75;

/// Where each key was written last, from some offset on.
pub(super) struct Latest {
    slots: Vec<Slot>,
    free: usize,
    hashes: [RandomState; 2],
    first: Offset,
}

/// There is no room for another key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Latest {
    /// For offsets in `first..end`, in at most so much memory.
    pub(super) fn new(first: Offset, end: Offset, bytes_max: usize) -> Latest {
        let keys_max = usize::try_from(end.get() - first.get()).unwrap_or(usize::MAX);
        let wanted = (keys_max / FULL_PERCENT).saturating_add(1).saturating_mul(100);
        let count = wanted.min(bytes_max / size_of::<Slot>()).max(2);
        Latest {
            slots: vec![[0; 2]; count],
            free: (count / 100 * FULL_PERCENT + count % 100 * FULL_PERCENT / 100).max(1),
            hashes: [RandomState::new(), RandomState::new()],
            first,
        }
    }

    /// `key` is at `offset`, behind all that were put before.
    pub(super) fn put(&mut self, key: &[u8], offset: Offset) -> Result<(), Full> {
        let distance = u32::try_from(offset.get() - self.first.get() + 1).map_err(|_| Full)?;
        let (hash, tag) = self.hash(key);
        let at = self.find(hash, tag);
        if self.slots[at][1] == 0 {
            self.free = self.free.checked_sub(1).ok_or(Full)?;
        }
        self.slots[at] = [hash, tag | u64::from(distance)];
        Ok(())
    }

    /// Where `key` was put last.
    pub(super) fn get(&self, key: &[u8]) -> Option<Offset> {
        let (hash, tag) = self.hash(key);
        match self.slots[self.find(hash, tag)][1] as u32 {
            0 => None,
            distance => Some(self.first.plus(i64::from(distance) - 1)),
        }
    }

    fn hash(&self, key: &[u8]) -> (u64, u64) {
        let [first, second] = &self.hashes;
        (first.hash_one(key), second.hash_one(key) & TAG)
    }

    /// The slot of a key, or the one that it would have. There is always a free one.
    fn find(&self, hash: u64, tag: u64) -> usize {
        let count = self.slots.len();
        let mut at = ((u128::from(hash) * count as u128) >> 64) as usize;
        loop {
            let [found, rest] = self.slots[at];
            if rest == 0 || (found == hash && rest & TAG == tag) {
                return at;
            }
            at = if at + 1 < count { at + 1 } else { 0 };
        }
    }
}

const TAG: u64 = !(u32::MAX as u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_offset_of_each_key_is_found() {
        let mut latest = Latest::new(Offset(500), Offset(10_500), 1 << 20);
        for n in 0..10_000i64 {
            latest.put(format!("key {}", n % 3000).as_bytes(), Offset(500 + n)).unwrap();
        }
        for key in 0..3000i64 {
            let want = if key < 1000 { 9500 + key } else { 6500 + key };
            assert_eq!(latest.get(format!("key {key}").as_bytes()), Some(Offset(want)), "{key}");
        }
        assert_eq!(latest.get(b"key 3000"), None);
        assert_eq!(latest.get(b""), None);
    }

    #[test]
    fn memory_is_bounded_and_what_is_full_still_takes_known_keys() {
        let mut latest = Latest::new(Offset(0), Offset(i64::MAX), 1600);
        assert_eq!(latest.slots.len(), 100);
        let keys: Vec<String> = (0..75).map(|n| n.to_string()).collect();
        for (n, key) in keys.iter().enumerate() {
            latest.put(key.as_bytes(), Offset(n as i64)).unwrap();
        }
        assert_eq!(latest.put(b"one more", Offset(75)), Err(Full));
        latest.put(b"7", Offset(76)).unwrap();
        assert_eq!(latest.get(b"7"), Some(Offset(76)));
        assert_eq!(latest.get(b"one more"), None);
        assert_eq!(latest.put(b"7", Offset(i64::from(u32::MAX))), Err(Full));
    }

    #[test]
    fn the_smallest_map_takes_a_key_and_few_offsets_need_few_slots() {
        assert_eq!(Latest::new(Offset(0), Offset(9), 0).put(b"k", Offset(3)), Ok(()));
        assert_eq!(Latest::new(Offset(0), Offset(10), 1 << 30).slots.len(), 100);
    }
}
