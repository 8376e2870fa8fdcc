//! The last offset of each key, in a fixed amount of memory.
//! Never knows: keys themselves, but a hash of theirs that nobody can foresee: 64 bits, compared
//! only with the few keys that lie next to where other 64 bits say. So of two thousand million logs
//! with a thousand million records each, one would lose a record. (Apache's SkimpyOffsetMap has
//! 128 bits of MD5, for which anybody can make two keys that collide.)

use std::hash::{BuildHasher, RandomState};

use crate::record::Offset;

/// So many keys are looked up together: see `warm`.
pub(super) const KEYS_AT_ONCE: usize = 1024;

/// Two halves of a hash, and the offset, counted from `first` and 1: 0 is no entry.
type Slot = [u32; 3];

/// The map is full when so many of a hundred slots are taken: probing becomes long.
const FULL_PERCENT: usize = 75;

/// Where each key was written last, from some offset on.
pub(super) struct Latest {
    slots: Vec<Slot>,
    free: usize,
    hashes: [RandomState; 2],
    first: Offset,
}

/// Where a key would be, and the rest of its hash.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    at: usize,
    hash: [u32; 2],
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
            slots: vec![[0; 3]; count],
            free: (count / 100 * FULL_PERCENT + count % 100 * FULL_PERCENT / 100).max(1),
            hashes: [RandomState::new(), RandomState::new()],
            first,
        }
    }

    pub(super) fn spot(&self, key: &[u8]) -> Spot {
        let place = u128::from(self.hashes[0].hash_one(key));
        let hash = self.hashes[1].hash_one(key);
        let at = ((place * self.slots.len() as u128) >> 64) as usize;
        Spot { at, hash: [(hash >> 32) as u32, hash as u32] }
    }

    /// Brings what is there closer. The map is larger than any cache: looked at one by one, a
    /// million keys cost 300 ns each, most of it waiting for memory; together they wait once.
    pub(super) fn warm(&self, spots: impl Iterator<Item = Spot>) {
        let all = spots.fold(0, |all, spot| all ^ self.slots[spot.at][2]);
        std::hint::black_box(all);
    }

    /// The key is at `offset`, behind all that were put before.
    pub(super) fn put(&mut self, spot: Spot, offset: Offset) -> Result<(), Full> {
        let distance = u32::try_from(offset.get() - self.first.get() + 1).map_err(|_| Full)?;
        let at = self.find(spot);
        if self.slots[at][2] == 0 {
            self.free = self.free.checked_sub(1).ok_or(Full)?;
        }
        let [high, low] = spot.hash;
        self.slots[at] = [high, low, distance];
        Ok(())
    }

    /// Where the key was put last.
    pub(super) fn get(&self, spot: Spot) -> Option<Offset> {
        match self.slots[self.find(spot)][2] {
            0 => None,
            distance => Some(self.first.plus(i64::from(distance) - 1)),
        }
    }

    /// The slot of a key, or the one that it would have. There is always a free one.
    fn find(&self, Spot { mut at, hash }: Spot) -> usize {
        loop {
            let [high, low, distance] = self.slots[at];
            if distance == 0 || [high, low] == hash {
                return at;
            }
            at = if at + 1 < self.slots.len() { at + 1 } else { 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(latest: &mut Latest, key: &str, offset: i64) -> Result<(), Full> {
        latest.put(latest.spot(key.as_bytes()), Offset(offset))
    }

    fn get(latest: &Latest, key: &str) -> Option<i64> {
        latest.get(latest.spot(key.as_bytes())).map(Offset::get)
    }

    #[test]
    fn the_last_offset_of_each_key_is_found() {
        let mut latest = Latest::new(Offset(500), Offset(10_500), 1 << 20);
        for n in 0..10_000i64 {
            put(&mut latest, &format!("key {}", n % 3000), 500 + n).unwrap();
        }
        for key in 0..3000i64 {
            let want = if key < 1000 { 9500 + key } else { 6500 + key };
            assert_eq!(get(&latest, &format!("key {key}")), Some(want), "{key}");
        }
        assert_eq!(get(&latest, "key 3000"), None);
        assert_eq!(get(&latest, ""), None);
    }

    #[test]
    fn memory_is_bounded_and_what_is_full_still_takes_known_keys() {
        let mut latest = Latest::new(Offset(0), Offset(i64::MAX), 1200);
        assert_eq!(latest.slots.len(), 100);
        let keys: Vec<String> = (0..75).map(|n| n.to_string()).collect();
        for (n, key) in keys.iter().enumerate() {
            put(&mut latest, key, n as i64).unwrap();
        }
        assert_eq!(put(&mut latest, "one more", 75), Err(Full));
        put(&mut latest, "7", 76).unwrap();
        assert_eq!(get(&latest, "7"), Some(76));
        assert_eq!(get(&latest, "one more"), None);
        assert_eq!(put(&mut latest, "7", i64::from(u32::MAX)), Err(Full));
    }

    #[test]
    fn the_smallest_map_takes_a_key_and_few_offsets_need_few_slots() {
        assert_eq!(put(&mut Latest::new(Offset(0), Offset(9), 0), "k", 3), Ok(()));
        assert_eq!(Latest::new(Offset(0), Offset(10), 1 << 30).slots.len(), 100);
    }
}
