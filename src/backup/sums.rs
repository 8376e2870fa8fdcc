//! Checksums of a file that grows: one for each MiB, so that damage can be placed.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub const BLOCK_BYTES: usize = 1 << 20;

/// CRC-32C of each block; the last block may be shorter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums(Vec<u32>);

impl Sums {
    /// `bytes` were written at `position`, the end of what is summed.
    pub fn add(&mut self, position: u64, mut bytes: &[u8]) {
        let mut into = (position % BLOCK_BYTES as u64) as usize;
        while !bytes.is_empty() {
            if into == 0 {
                self.0.push(0);
            }
            let (now, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - into));
            let last = self.0.last_mut().expect("a block was begun");
            *last = crc32c::crc32c_append(*last, now);
            (into, bytes) = (0, rest);
        }
    }

    /// Whether there are as many as a file of this size has.
    pub fn cover(&self, bytes: u64) -> bool {
        bytes.div_ceil(BLOCK_BYTES as u64) == self.0.len() as u64
    }

    pub fn get(&self, block: usize) -> Option<u32> {
        self.0.get(block).copied()
    }
}

impl Serialize for Sums {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let text: String = self.0.iter().map(|sum| format!("{sum:08x}")).collect();
        to.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Sums {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Sums, D::Error> {
        let text = String::deserialize(from)?;
        let sum = |digits: &[u8]| {
            let digits = str::from_utf8(digits).ok().filter(|digits| digits.len() == 8)?;
            u32::from_str_radix(digits, 16).ok()
        };
        let sums: Option<Vec<u32>> = text.as_bytes().chunks(8).map(sum).collect();
        sums.map(Sums).ok_or_else(|| serde::de::Error::custom("no checksums"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_sum_up_to_the_same_as_the_whole() {
        let bytes: Vec<u8> = (0..2 * BLOCK_BYTES + 77).map(|n| (n % 251) as u8).collect();
        let mut whole = Sums::default();
        whole.add(0, &bytes);
        assert_eq!(whole.0.len(), 3);
        assert_eq!(whole.get(2), Some(crc32c::crc32c(&bytes[2 * BLOCK_BYTES..])));
        for piece in [1000, 4096, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES] {
            let mut sums = Sums::default();
            for (index, bytes) in bytes.chunks(piece).enumerate() {
                sums.add((index * piece) as u64, bytes);
            }
            assert_eq!(sums, whole, "{piece}");
        }
        assert!(whole.cover(bytes.len() as u64) && !whole.cover(BLOCK_BYTES as u64 * 2));
        let text = serde_json::to_string(&whole).unwrap();
        assert_eq!(text.len(), 2 + 3 * 8);
        assert_eq!(serde_json::from_str::<Sums>(&text).unwrap(), whole);
        assert!(serde_json::from_str::<Sums>("\"0123456\"").is_err());
    }
}
