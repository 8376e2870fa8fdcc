//! Compression of a batch's records: the formats and framings that Kafka's clients use.

use std::io::{self, Read, Write};

use super::BatchError;

/// How the records of a batch are compressed (`compression.type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// snappy-java's stream: this, two versions i32, then blocks of a length i32 and raw snappy.
const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const XERIAL_HEADER_BYTES: usize = 16;
/// snappy-java's default, which keeps each block decodable by every client.
const XERIAL_BLOCK_BYTES: usize = 32 * 1024;

impl Codec {
    pub const fn number(self) -> i16 {
        match self {
            Codec::None => 0,
            Codec::Gzip => 1,
            Codec::Snappy => 2,
            Codec::Lz4 => 3,
            Codec::Zstd => 4,
        }
    }

    pub const fn from_number(number: i16) -> Option<Codec> {
        match number {
            0 => Some(Codec::None),
            1 => Some(Codec::Gzip),
            2 => Some(Codec::Snappy),
            3 => Some(Codec::Lz4),
            4 => Some(Codec::Zstd),
            _ => None,
        }
    }

    /// Appends what `stored` holds to `out`, which may grow to `bytes_max` and no further.
    pub(super) fn decompress(
        self,
        stored: &[u8],
        out: &mut Vec<u8>,
        bytes_max: usize,
    ) -> Result<(), BatchError> {
        if self == Codec::Snappy {
            return unsnap(stored, out, bytes_max);
        }
        let room = bytes_max.saturating_sub(out.len()) as u64;
        let mut plain = self.reader(stored)?.take(room + 1);
        let read = plain.read_to_end(out).map_err(|_| BatchError::Compression)?;
        if read as u64 > room { Err(BatchError::Inflates { bytes_max }) } else { Ok(()) }
    }

    /// What `stored` holds, as it is read. Snappy has no end to its blocks: `decompress` does it.
    pub(super) fn reader(self, stored: &[u8]) -> Result<Box<dyn Read + '_>, BatchError> {
        Ok(match self {
            Codec::None => Box::new(stored),
            Codec::Snappy => return Err(BatchError::Compression),
            Codec::Gzip => Box::new(flate2::read::MultiGzDecoder::new(stored)),
            Codec::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(stored)),
            Codec::Zstd => Box::new(
                zstd::stream::read::Decoder::with_buffer(stored)
                    .map_err(|_| BatchError::Compression)?,
            ),
        })
    }

    /// To how many bytes one can inflate at the very best.
    pub(super) const fn ratio_max(self) -> u64 {
        match self {
            Codec::None => 1,
            // A copy of 64 bytes takes three.
            Codec::Snappy => 22,
            // DEFLATE: 258 bytes in two bits.
            Codec::Gzip => 1032,
            // A length grows by 255 with each byte.
            Codec::Lz4 => 255,
            // A block of 128 KiB that repeats one byte takes four (RFC 8878, 3.1.1.2).
            Codec::Zstd => 32 << 10,
        }
    }

    /// `plain` as a batch stores it.
    pub(super) fn compress(self, plain: &[u8]) -> Vec<u8> {
        let packed = match self {
            Codec::None => Ok(plain.to_vec()),
            Codec::Gzip => gzip(plain),
            Codec::Snappy => snap_xerial(plain),
            Codec::Lz4 => lz4(plain),
            Codec::Zstd => zstd::stream::encode_all(plain, zstd::DEFAULT_COMPRESSION_LEVEL),
        };
        packed.expect("writing to memory does not fail")
    }
}

/// Raw snappy, as librdkafka writes it, or snappy-java's stream of blocks, as Java does.
fn unsnap(stored: &[u8], out: &mut Vec<u8>, bytes_max: usize) -> Result<(), BatchError> {
    if !stored.starts_with(&XERIAL_MAGIC) {
        return unsnap_block(stored, out, bytes_max);
    }
    let mut rest = stored.get(XERIAL_HEADER_BYTES..).ok_or(BatchError::Compression)?;
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk().ok_or(BatchError::Compression)?;
        let length = u32::from_be_bytes(*length) as usize;
        let (block, after) = after.split_at_checked(length).ok_or(BatchError::Compression)?;
        unsnap_block(block, out, bytes_max)?;
        rest = after;
    }
    Ok(())
}

fn unsnap_block(block: &[u8], out: &mut Vec<u8>, bytes_max: usize) -> Result<(), BatchError> {
    let size = snap::raw::decompress_len(block).map_err(|_| BatchError::Compression)?;
    let start = out.len();
    // The block names its own size: checked before it is believed.
    if size as u64 > block.len() as u64 * Codec::Snappy.ratio_max() {
        return Err(BatchError::Compression);
    }
    if size > bytes_max.saturating_sub(start) {
        return Err(BatchError::Inflates { bytes_max });
    }
    out.resize(start + size, 0);
    snap::raw::Decoder::new()
        .decompress(block, &mut out[start..])
        .map_err(|_| BatchError::Compression)?;
    Ok(())
}

fn gzip(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(plain)?;
    writer.finish()
}

fn snap_xerial(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = XERIAL_MAGIC.to_vec();
    out.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
    for block in plain.chunks(XERIAL_BLOCK_BYTES) {
        let packed = snap::raw::Encoder::new().compress_vec(block)?;
        out.extend_from_slice(&(packed.len() as u32).to_be_bytes());
        out.extend_from_slice(&packed);
    }
    Ok(out)
}

fn lz4(plain: &[u8]) -> io::Result<Vec<u8>> {
    // Independent blocks, as Lz4BlockOutputStream.java writes: its reader refuses linked ones.
    let info = lz4_flex::frame::FrameInfo::new()
        .block_mode(lz4_flex::frame::BlockMode::Independent)
        .block_size(lz4_flex::frame::BlockSize::Max64KB);
    let mut writer = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    writer.write_all(plain)?;
    Ok(writer.finish()?)
}
