//! Blocks of input that librdkafka reads from, and the opaque that leads from a report back to one.

use bytes::Bytes;

/// A record's name among those sent; it comes back with its report.
pub type Token = u64;

const TOKEN_BITS: u32 = 40;
const BLOCKS_MAX: usize = 1 << (64 - TOKEN_BITS);

/// A block of input that records are sent from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold(usize);

impl Hold {
    /// What goes with a record of this block.
    pub fn opaque(self, token: Token) -> u64 {
        assert!(token >> TOKEN_BITS == 0, "a token fits its bits");
        ((self.0 as u64) << TOKEN_BITS) | token
    }
}

pub fn token_of(opaque: u64) -> Token {
    opaque & ((1 << TOKEN_BITS) - 1)
}

/// Blocks of input, each kept until all that was sent from it is reported.
#[derive(Default)]
pub struct Blocks {
    slots: Vec<Block>,
    free: Vec<usize>,
    /// Records in all of them that are not yet reported.
    pub lent: usize,
    /// Of all of them together.
    pub bytes: usize,
}

struct Block {
    bytes: Bytes,
    lent: usize,
    released: bool,
}

impl Blocks {
    pub fn hold(&mut self, bytes: Bytes) -> Hold {
        self.bytes += bytes.len();
        let block = Block { bytes, lent: 0, released: false };
        if let Some(slot) = self.free.pop() {
            self.slots[slot] = block;
            return Hold(slot);
        }
        assert!(self.slots.len() < BLOCKS_MAX, "more blocks than an opaque has bits for");
        self.slots.push(block);
        Hold(self.slots.len() - 1)
    }

    pub fn release(&mut self, hold: Hold) {
        self.slots[hold.0].released = true;
        self.drop_if_done(hold.0);
    }

    /// Whether `part` lies in the block.
    pub fn has(&self, hold: Hold, part: &[u8]) -> bool {
        contains(&self.slots[hold.0].bytes, part)
    }

    pub fn lend(&mut self, hold: Hold) {
        assert!(!self.slots[hold.0].released, "a released block lends no more");
        self.slots[hold.0].lent += 1;
        self.lent += 1;
    }

    pub fn returned(&mut self, opaque: u64) {
        let slot = (opaque >> TOKEN_BITS) as usize;
        self.slots[slot].lent -= 1;
        self.lent -= 1;
        self.drop_if_done(slot);
    }

    fn drop_if_done(&mut self, slot: usize) {
        let block = &mut self.slots[slot];
        if block.released && block.lent == 0 {
            self.bytes -= block.bytes.len();
            block.bytes = Bytes::new();
            self.free.push(slot);
        }
    }
}

/// Whether `part` is a piece of `block`, by address.
fn contains(block: &Bytes, part: &[u8]) -> bool {
    let (block, part) = (block.as_ptr_range(), part.as_ptr_range());
    block.start <= part.start && part.end <= block.end
}
