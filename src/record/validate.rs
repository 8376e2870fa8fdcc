//! What a produced batch must be before the log takes it, in the order in which Apache Kafka
//! checks it (ProduceRequest.validateRecords, UnifiedLog.analyzeAndValidateRecords,
//! LogValidator.java), so that the first fault found, and with it the error code, is the same.

use std::fmt;
use std::ops::ControlFlow;

use super::batch::HEADER_BYTES;
use super::entries::RECORD_BYTES_MIN;
use super::{BatchError, BatchView, Codec, Glimpse, Offset, Timestamp, TimestampType};

/// So many records at fault are named: a small batch may hold millions.
const CULPRITS_MAX: usize = 100;

/// Which codecs the request's version may carry: zstd came with Produce 7 (KIP-110).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zstd {
    Allowed,
    TooNew,
}

/// Whether a record may come without a key: not where the log is compacted by key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    Optional,
    Required,
}

/// What the topic and the request ask of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub zstd: Zstd,
    /// `max.message.bytes`, of the whole batch.
    pub batch_bytes_max: usize,
    /// To what the records may decompress. It is seen where they must be looked at; else a header
    /// is refused that says there are more records than could be in so much.
    pub inflated_bytes_max: usize,
    pub keys: Keys,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`; `i64::MAX` allows all.
    pub before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub after_max_ms: i64,
    pub now: Timestamp,
}

/// A batch that passed, and which timestamps it is to be stored with.
#[derive(Clone, Copy, Debug)]
pub struct Valid<'a> {
    pub batch: BatchView<'a>,
    pub times: Times,
}

/// What the stored batch's header says of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// What the producer wrote, untouched.
    Keep,
    /// The producer's, but its header named a wrong maximum: this is the right one.
    Max(Timestamp),
    /// The append time for all records (`message.timestamp.type=LogAppendTime`).
    Append,
}

/// Why a batch is refused. Each is one Kafka error code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// No whole batch (INVALID_RECORD).
    NoBatch,
    /// More than one batch (INVALID_RECORD).
    SecondBatch,
    /// An old message format (INVALID_RECORD).
    OldFormat(i8),
    /// zstd in a request too old for it (UNSUPPORTED_COMPRESSION_TYPE).
    ZstdTooNew,
    /// The base offset is the broker's to give (INVALID_RECORD).
    BaseOffset,
    /// `max.message.bytes` (MESSAGE_TOO_LARGE).
    TooLarge { size: usize, size_max: usize },
    /// Damaged, or never a batch (CORRUPT_MESSAGE).
    Corrupt(BatchError),
    /// The count of records disagrees with the offsets (INVALID_RECORD).
    Count,
    /// So few bytes cannot hold so many records (INVALID_RECORD).
    Unlikely { count: i32, size: usize },
    /// The records decompress to more than the topic takes (MESSAGE_TOO_LARGE, at which Java's
    /// producer sends them in smaller batches).
    Inflates { bytes_max: usize },
    /// Control records are the broker's to write (INVALID_RECORD).
    Control,
    /// A producer id without a sequence (INVALID_RECORD).
    Sequence,
    /// The records cannot be read (INVALID_RECORD).
    Records(BatchError),
    /// These records, the first of them, have no key, by their place in the batch (INVALID_RECORD).
    KeylessRecords(Vec<i32>),
    /// LogAppendTime is the broker's to set (INVALID_TIMESTAMP).
    TimestampType,
    /// These records' times, the first of them, are out of bounds, by their place in the batch
    /// (INVALID_TIMESTAMP).
    /// Empty: only the batch's header was read.
    TimestampRange(Vec<i32>),
}

/// The one batch that a produce request may hold for a partition, checked.
///
/// Uncompressed records are walked one by one. Compressed ones only where the topic asks for what
/// their header cannot tell: Apache Kafka decompresses always, which costs more than all else.
pub fn validate<'a>(records: &'a [u8], rules: &Rules) -> Result<Valid<'a>, Invalid> {
    let batch = only_batch(records, rules)?;
    check_header(&batch, rules)?;
    let codec = batch.codec().map_err(Invalid::Records)?;
    check_count(&batch, codec, rules)?;
    let keyless = rules.keys == Keys::Required;
    let bounded = rules.before_max_ms != i64::MAX && batch.max_timestamp().get() >= 0;
    let times = match codec {
        codec if codec == Codec::None || keyless || bounded => walk(&batch, rules)?,
        _ => check_times_of_header(&batch, rules)?,
    };
    Ok(Valid { batch, times })
}

fn only_batch<'a>(records: &'a [u8], rules: &Rules) -> Result<BatchView<'a>, Invalid> {
    let batch = BatchView::parse(records).map_err(|error| match error {
        BatchError::Short => Invalid::NoBatch,
        BatchError::Magic(magic @ 0..=1) => Invalid::OldFormat(magic),
        error => Invalid::Corrupt(error),
    })?;
    if rules.zstd == Zstd::TooNew && batch.codec() == Ok(Codec::Zstd) {
        return Err(Invalid::ZstdTooNew);
    }
    // What follows the batch counts only if it is a batch itself, as for MemoryRecords.java.
    match BatchView::parse(&records[batch.size()..]) {
        Err(BatchError::Short) => Ok(batch),
        _ => Err(Invalid::SecondBatch),
    }
}

fn check_header(batch: &BatchView<'_>, rules: &Rules) -> Result<(), Invalid> {
    if batch.base_offset() != Offset::ZERO {
        return Err(Invalid::BaseOffset);
    }
    if batch.size() > rules.batch_bytes_max {
        return Err(Invalid::TooLarge { size: batch.size(), size_max: rules.batch_bytes_max });
    }
    batch.check_crc().map_err(Invalid::Corrupt)?;
    if batch.count() <= 0 || i64::from(batch.last_offset_delta()) + 1 != i64::from(batch.count()) {
        return Err(Invalid::Count);
    }
    if batch.is_control() {
        return Err(Invalid::Control);
    }
    if batch.producer().is_some_and(|producer| producer.base_sequence < 0) {
        return Err(Invalid::Sequence);
    }
    Ok(())
}

/// The offsets that the log gives away are as many as the header says there are records: that it
/// can be so is seen without them. Uncompressed ones are counted.
fn check_count(batch: &BatchView<'_>, codec: Codec, rules: &Rules) -> Result<(), Invalid> {
    let (count, size) = (batch.count(), batch.size());
    let least = u64::from(count.unsigned_abs()) * RECORD_BYTES_MIN as u64;
    if (size - HEADER_BYTES) as u64 * codec.ratio_max() < least {
        return Err(Invalid::Unlikely { count, size });
    }
    match codec {
        Codec::None => Ok(()),
        _ if least <= rules.inflated_bytes_max as u64 => Ok(()),
        _ => Err(Invalid::Inflates { bytes_max: rules.inflated_bytes_max }),
    }
}

/// Reads every record.
fn walk(batch: &BatchView<'_>, rules: &Rules) -> Result<Times, Invalid> {
    let mut max = Timestamp(-1);
    let (mut keyless, mut untimely, mut kind) = (Vec::new(), Vec::new(), None);
    let mut place = 0;
    let skimmed = batch.skim(rules.inflated_bytes_max, |Glimpse { timestamp, has_key, .. }| {
        if rules.keys == Keys::Required && !has_key {
            blame(&mut keyless, place);
        } else {
            match check_time(timestamp, batch, rules) {
                Ok(()) => {}
                Err(Invalid::TimestampType) => kind = Some(Invalid::TimestampType),
                Err(_) => blame(&mut untimely, place),
            }
        }
        max = max.max(timestamp);
        place += 1;
        ControlFlow::Continue(())
    });
    skimmed.map_err(|error| match error {
        BatchError::Inflates { bytes_max } => Invalid::Inflates { bytes_max },
        error => Invalid::Records(error),
    })?;
    // LogValidator.processRecordErrors: a wrong timestamp outweighs a missing key.
    match (kind, untimely.is_empty(), keyless.is_empty()) {
        (Some(kind), ..) => Err(kind),
        (None, false, _) => Err(Invalid::TimestampRange(untimely)),
        (None, true, false) => Err(Invalid::KeylessRecords(keyless)),
        (None, true, true) => Ok(times(batch, rules, max)),
    }
}

fn blame(culprits: &mut Vec<i32>, place: i32) {
    if culprits.len() < CULPRITS_MAX {
        culprits.push(place);
    }
}

/// The header's maximum is taken at its word; it can only make a record seem younger.
fn check_times_of_header(batch: &BatchView<'_>, rules: &Rules) -> Result<Times, Invalid> {
    check_time(batch.max_timestamp(), batch, rules)?;
    Ok(times(batch, rules, batch.max_timestamp()))
}

fn check_time(time: Timestamp, batch: &BatchView<'_>, rules: &Rules) -> Result<(), Invalid> {
    if rules.timestamp_type == TimestampType::CreateTime && time.get() != -1 {
        let age_ms = rules.now.get().saturating_sub(time.get());
        let late = age_ms > rules.before_max_ms || age_ms.saturating_neg() > rules.after_max_ms;
        return if late { Err(Invalid::TimestampRange(Vec::new())) } else { Ok(()) };
    }
    match batch.timestamp_type() {
        TimestampType::CreateTime => Ok(()),
        TimestampType::LogAppendTime => Err(Invalid::TimestampType),
    }
}

fn times(batch: &BatchView<'_>, rules: &Rules, max: Timestamp) -> Times {
    if rules.timestamp_type == TimestampType::LogAppendTime {
        return Times::Append;
    }
    let as_written = batch.timestamp_type() == TimestampType::CreateTime;
    if as_written && max == batch.max_timestamp() { Times::Keep } else { Times::Max(max) }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Invalid::NoBatch => f.write_str("there is no whole record batch"),
            Invalid::SecondBatch => f.write_str("there is more than one record batch"),
            Invalid::OldFormat(magic) => write!(f, "message format {magic} is not supported"),
            Invalid::ZstdTooNew => f.write_str("zstd needs produce version 7 or later"),
            Invalid::BaseOffset => f.write_str("the base offset is not 0"),
            Invalid::TooLarge { size, size_max } => {
                write!(f, "the batch of {size} bytes is larger than max.message.bytes={size_max}")
            }
            Invalid::Corrupt(error) | Invalid::Records(error) => error.fmt(f),
            Invalid::Count => f.write_str("the count of records disagrees with their offsets"),
            Invalid::Unlikely { count, size } => {
                write!(f, "{count} records cannot be in a batch of {size} bytes")
            }
            Invalid::Inflates { bytes_max } => write!(
                f,
                "the records take more than {bytes_max} bytes decompressed, which is as much as \
                 the topic's max.message.bytes allows"
            ),
            Invalid::Control => f.write_str("clients may not write control records"),
            Invalid::Sequence => f.write_str("a producer id without a sequence"),
            Invalid::KeylessRecords(_) => {
                f.write_str("a compacted topic takes no record without a key")
            }
            Invalid::TimestampType => f.write_str("clients may not set LogAppendTime"),
            Invalid::TimestampRange(_) => f.write_str("a timestamp is out of bounds"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BatchBuilder, Producer, ProducerEpoch, ProducerId, Record};

    const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const RULES: Rules = Rules {
        zstd: Zstd::Allowed,
        batch_bytes_max: 1000,
        inflated_bytes_max: 1 << 20,
        keys: Keys::Optional,
        timestamp_type: TimestampType::CreateTime,
        before_max_ms: i64::MAX,
        after_max_ms: 3_600_000,
        now: NOW,
    };

    fn builder(values: &[&str]) -> BatchBuilder {
        let mut builder = BatchBuilder::new();
        for value in values {
            builder.push(NOW, &Record { value: Some(value.as_bytes()), ..Record::default() });
        }
        builder
    }

    /// A batch with some bytes of its header overwritten, and the CRC mended.
    fn patched(at: usize, bytes: &[u8]) -> Vec<u8> {
        let mut batch = builder(&["a", "b"]).build();
        batch[at..at + bytes.len()].copy_from_slice(bytes);
        let crc = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        batch
    }

    #[track_caller]
    fn check(records: &[u8], rules: Rules, want: Result<Times, Invalid>) {
        let got = validate(records, &rules);
        assert_eq!(got.map(|valid| valid.times), want);
    }

    #[test]
    fn faults_are_found_in_kafkas_order() {
        let good = builder(&["a", "b"]).build();
        check(&good, RULES, Ok(Times::Keep));
        check(&[], RULES, Err(Invalid::NoBatch));
        for cut in 0..good.len() {
            check(&good[..cut], RULES, Err(Invalid::NoBatch));
        }
        check(&[&good[..], &good].concat(), RULES, Err(Invalid::SecondBatch));
        check(&[&good[..], &[0; 9]].concat(), RULES, Ok(Times::Keep));
        check(&patched(16, &[1]), RULES, Err(Invalid::OldFormat(1)));
        check(&patched(16, &[3]), RULES, Err(Invalid::Corrupt(BatchError::Magic(3))));
        check(&patched(7, &[1]), RULES, Err(Invalid::BaseOffset));
        check(&patched(23, &2i32.to_be_bytes()), RULES, Err(Invalid::Count));
        check(&patched(57, &0i32.to_be_bytes()), RULES, Err(Invalid::Count));
        let small = Rules { batch_bytes_max: 70, ..RULES };
        check(&good, small, Err(Invalid::TooLarge { size: good.len(), size_max: 70 }));
        let control = builder(&["a"]).control().build();
        check(&control, RULES, Err(Invalid::Control));
        let mut damaged = good.clone();
        *damaged.last_mut().unwrap() ^= 1;
        assert!(matches!(
            validate(&damaged, &RULES),
            Err(Invalid::Corrupt(BatchError::Crc { .. }))
        ));
        let producer = Producer { id: ProducerId(1), epoch: ProducerEpoch(0), base_sequence: -1 };
        check(&builder(&["a"]).producer(producer).build(), RULES, Err(Invalid::Sequence));
        // The leader epoch is the broker's to overwrite: sarama sends 0.
        let mut other_epoch = good.clone();
        other_epoch[15] = 7;
        check(&other_epoch, RULES, Ok(Times::Keep));
    }

    #[test]
    fn a_record_that_runs_out_of_its_batch_is_refused() {
        let mut batch = builder(&["a", "b"]).build();
        batch[61] = 0x7e;
        let crc = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        check(&batch, RULES, Err(Invalid::Records(BatchError::Record)));
    }

    #[test]
    fn timestamps_and_keys_are_the_topics_to_rule() {
        let good = builder(&["a", "b"]).build();
        let stamped = Rules { timestamp_type: TimestampType::LogAppendTime, ..RULES };
        check(&good, stamped, Ok(Times::Append));
        let late = Rules { now: Timestamp(NOW.get() - 3_600_001), ..RULES };
        check(&good, late, Err(Invalid::TimestampRange(vec![0, 1])));
        let early = Rules { now: Timestamp(NOW.get() + 11), before_max_ms: 10, ..RULES };
        check(&good, early, Err(Invalid::TimestampRange(vec![0, 1])));
        let keyed = Rules { keys: Keys::Required, ..RULES };
        check(&good, keyed, Err(Invalid::KeylessRecords(vec![0, 1])));
        check(&patched(35, &1i64.to_be_bytes()), RULES, Ok(Times::Max(NOW)));
        check(&patched(22, &[8]), stamped, Err(Invalid::TimestampType));
        check(&patched(22, &[8]), RULES, Ok(Times::Max(NOW)));
    }

    #[test]
    fn compressed_records_are_read_only_where_the_topic_asks() {
        for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let batch = builder(&["a", "b"]).codec(codec).build();
            check(&batch, RULES, Ok(Times::Keep));
            let keyed = Rules { keys: Keys::Required, ..RULES };
            check(&batch, keyed, Err(Invalid::KeylessRecords(vec![0, 1])));
            let old = Rules { zstd: Zstd::TooNew, ..RULES };
            let refused = Err(Invalid::ZstdTooNew);
            check(&batch, old, if codec == Codec::Zstd { refused } else { Ok(Times::Keep) });
        }
    }

    /// A batch whose header says that there are so many records.
    fn counted(count: i32, codec: Codec) -> Vec<u8> {
        let mut batch = builder(&["a"]).codec(codec).build();
        batch[23..27].copy_from_slice(&(count - 1).to_be_bytes());
        batch[57..61].copy_from_slice(&count.to_be_bytes());
        let crc = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        batch
    }

    #[test]
    fn a_few_bytes_cannot_hold_two_billion_records() {
        for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let batch = counted(i32::MAX, codec);
            let unlikely = Invalid::Unlikely { count: i32::MAX, size: batch.len() };
            check(&batch, RULES, Err(unlikely));
        }
        // They might, but the topic takes no batch that holds them.
        let rules = Rules { inflated_bytes_max: 7 * 50_000, ..RULES };
        let inflates = Invalid::Inflates { bytes_max: 7 * 50_000 };
        check(&counted(50_001, Codec::Zstd), rules, Err(inflates));
        check(&counted(50_000, Codec::Zstd), rules, Ok(Times::Keep));
    }

    #[test]
    fn records_inflate_so_far_and_no_further() {
        let values = vec!["a"; 10_000];
        for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let batch = builder(&values).codec(codec).build();
            let plain = builder(&values).build().len() - HEADER_BYTES;
            let rules = |inflated_bytes_max| Rules {
                inflated_bytes_max,
                batch_bytes_max: 1 << 20,
                before_max_ms: 1000,
                ..RULES
            };
            check(&batch, rules(plain), Ok(Times::Keep));
            let inflates = Invalid::Inflates { bytes_max: plain - 1 };
            check(&batch, rules(plain - 1), Err(inflates));
        }
    }

    #[test]
    fn of_many_culprits_the_first_are_named() {
        let batch = builder(&vec!["a"; 10_000]).codec(Codec::Zstd).build();
        let keyed = Rules { keys: Keys::Required, batch_bytes_max: 1 << 20, ..RULES };
        check(&batch, keyed, Err(Invalid::KeylessRecords((0..100).collect())));
    }
}
