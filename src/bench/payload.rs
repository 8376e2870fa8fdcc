//! The records of a run: seeded bytes that carry who sent them, when in its row, and a checksum.
//!
//! ```text
//! crc32c u32 of all that follows | producer u32 | sequence u64 | body …    (big-endian)
//! ```

/// What a value holds before its body.
pub const HEAD_BYTES: usize = 4 + 4 + 8;

/// Bodies are cut from a pool that is longer than a batch (1 MB), so that none repeats in one:
/// a compressor would find it.
const POOL_BYTES: usize = 4 << 20;

/// Which record of a run this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub producer: u32,
    /// From 0 up, without a gap, for each producer.
    pub sequence: u64,
}

/// Makes the records of a run.
pub struct Payloads {
    /// Holds at least one whole body.
    pool: Vec<u8>,
    body_bytes: usize,
    keys: Vec<Box<[u8]>>,
    seed: u64,
}

impl Payloads {
    /// Bodies of bytes that do not compress.
    pub fn random(shape: Shape) -> Payloads {
        let mut random = SplitMix(shape.seed);
        let pool = (0..shape.pool_bytes() / 8).flat_map(|_| random.next().to_le_bytes()).collect();
        Payloads::cut_from(pool, shape)
    }

    /// Bodies of words.
    pub fn text(shape: Shape) -> Payloads {
        let mut random = SplitMix(shape.seed);
        let mut pool = Vec::with_capacity(shape.pool_bytes() + 16);
        while pool.len() < shape.pool_bytes() {
            let word = WORDS[(random.next() % WORDS.len() as u64) as usize];
            pool.extend_from_slice(word.as_bytes());
            pool.push(b' ');
        }
        Payloads::cut_from(pool, shape)
    }

    /// Bodies of these bytes, which may not be empty, round and round.
    pub fn of(bytes: &[u8], shape: Shape) -> Payloads {
        assert!(!bytes.is_empty(), "a body needs bytes to be cut from");
        let pool = bytes.iter().copied().cycle().take(bytes.len().max(shape.pool_bytes()));
        Payloads::cut_from(pool.collect(), shape)
    }

    fn cut_from(pool: Vec<u8>, shape: Shape) -> Payloads {
        let body_bytes = shape.record_size - HEAD_BYTES;
        assert!(body_bytes <= pool.len(), "the pool holds a whole body");
        let key = |number| format!("key-{number}").into_bytes().into_boxed_slice();
        let keys = (0..shape.keys.unwrap_or(0)).map(key).collect();
        Payloads { pool, body_bytes, keys, seed: shape.seed }
    }

    /// Appends the value of this record.
    pub fn write_value(&self, mark: Mark, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&mark.producer.to_be_bytes());
        out.extend_from_slice(&mark.sequence.to_be_bytes());
        out.extend_from_slice(self.body(mark));
        let crc = crc32c::crc32c(&out[start + 4..]);
        out[start..][..4].copy_from_slice(&crc.to_be_bytes());
    }

    /// The most that key and value of a record are together.
    pub fn record_bytes_max(&self) -> usize {
        HEAD_BYTES + self.body_bytes + self.keys.last().map_or(0, |key| key.len())
    }

    /// What key and value of this record are together.
    pub fn record_bytes(&self, mark: Mark) -> u64 {
        (HEAD_BYTES + self.body_bytes + self.key(mark).map_or(0, <[u8]>::len)) as u64
    }

    pub fn body(&self, mark: Mark) -> &[u8] {
        let places = (self.pool.len() - self.body_bytes + 1) as u64;
        let turn = mark.sequence.wrapping_mul(self.body_bytes.max(1) as u64);
        let start = turn.wrapping_add(u64::from(mark.producer) * 4099) % places;
        &self.pool[start as usize..][..self.body_bytes]
    }

    /// The key of this record, if the run has keys: always the same, evenly spread.
    pub fn key(&self, mark: Mark) -> Option<&[u8]> {
        let count = self.keys.len() as u64;
        let picked = SplitMix(self.seed ^ mark.sequence).next().checked_rem(count)?;
        Some(&self.keys[picked as usize])
    }
}

/// What all records of a run have in common.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Bytes of a value, `HEAD_BYTES` at least.
    pub record_size: usize,
    pub keys: Option<u32>,
    pub seed: u64,
}

impl Shape {
    fn pool_bytes(&self) -> usize {
        POOL_BYTES.max(2 * self.record_size).next_multiple_of(8)
    }
}

/// The mark in a value, or `None` where a byte of it is not as it was sent.
pub fn read_value(value: &[u8]) -> Option<Mark> {
    let (crc, rest) = value.split_first_chunk()?;
    let (producer, rest_after) = rest.split_first_chunk()?;
    let sequence = rest_after.first_chunk()?;
    (u32::from_be_bytes(*crc) == crc32c::crc32c(rest)).then(|| Mark {
        producer: u32::from_be_bytes(*producer),
        sequence: u64::from_be_bytes(*sequence),
    })
}

/// Vigna's splitmix64: eight lines, and the same bytes on every machine.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

const WORDS: [&str; 64] = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "a",
    "is",
    "that",
    "for",
    "it",
    "was",
    "on",
    "with",
    "as",
    "be",
    "by",
    "at",
    "from",
    "this",
    "have",
    "not",
    "are",
    "or",
    "an",
    "which",
    "one",
    "were",
    "all",
    "their",
    "there",
    "been",
    "if",
    "more",
    "when",
    "will",
    "would",
    "who",
    "so",
    "no",
    "order",
    "customer",
    "payment",
    "account",
    "product",
    "delivery",
    "invoice",
    "address",
    "quantity",
    "price",
    "received",
    "shipped",
    "cancelled",
    "returned",
    "pending",
    "Monday",
    "Friday",
    "January",
    "October",
    "north",
    "river",
    "street",
    "number",
    "total",
    "balance",
];

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { record_size: 100, keys: Some(7), seed: 1 };
    const MARK: Mark = Mark { producer: 3, sequence: 1_000_003 };

    fn value(payloads: &Payloads, mark: Mark) -> Vec<u8> {
        let mut value = vec![];
        payloads.write_value(mark, &mut value);
        value
    }

    #[test]
    fn a_value_is_of_its_size_and_names_its_record() {
        for payloads in [Payloads::random(SHAPE), Payloads::text(SHAPE), Payloads::of(b"x", SHAPE)]
        {
            let value = value(&payloads, MARK);
            assert_eq!(value.len(), 100);
            assert_eq!(read_value(&value), Some(MARK));
        }
        let bare = Payloads::random(Shape { record_size: HEAD_BYTES, ..SHAPE });
        assert_eq!(read_value(&value(&bare, MARK)), Some(MARK));
    }

    #[test]
    fn any_flipped_or_missing_byte_is_found() {
        let sent = value(&Payloads::text(SHAPE), MARK);
        for at in 0..sent.len() {
            let mut bad = sent.clone();
            bad[at] ^= 1;
            assert_eq!(read_value(&bad), None, "byte {at}");
            assert_eq!(read_value(&sent[..at]), None, "cut at {at}");
        }
    }

    #[test]
    fn a_seed_replays_and_another_differs() {
        let one = value(&Payloads::random(SHAPE), MARK);
        assert_eq!(one, value(&Payloads::random(SHAPE), MARK));
        assert_ne!(one, value(&Payloads::random(Shape { seed: 2, ..SHAPE }), MARK));
    }

    #[test]
    fn neighbours_in_a_batch_share_no_body() {
        let payloads = Payloads::random(SHAPE);
        let body = |sequence| payloads.body(Mark { producer: 0, sequence }).to_vec();
        let bodies: std::collections::HashSet<_> = (0..10_000).map(body).collect();
        assert_eq!(bodies.len(), 10_000);
    }

    #[test]
    fn keys_are_as_many_as_asked_for_and_stay_with_their_record() {
        let payloads = Payloads::random(SHAPE);
        let key = |sequence| payloads.key(Mark { producer: 0, sequence });
        let different: std::collections::HashSet<_> = (0..1000).map(key).collect();
        assert_eq!(different.len(), 7);
        assert_eq!(key(5), key(5));
        let keyless = Payloads::random(Shape { keys: None, ..SHAPE });
        assert_eq!(keyless.key(MARK), None);
    }
}
