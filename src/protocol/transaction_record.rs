//! The records of `__transaction_state`: where each transaction is.
//! Never knows: what they add up to.
//!
//! ```text
//! key     i16 kind (0) | body, never flexible
//! value   i16 version | body; null takes the transactional id away
//! ```

use std::ops::RangeInclusive;

use bytes::Bytes;

use super::codec::{DecodeError, EncodeError, Fault, Field, Reader, Version, Writer};
use super::field::Text;
use super::message::message;
use super::show::shown;
use crate::record::{PartitionId, ProducerEpoch, ProducerId, Timestamp};

const KIND: i16 = 0;
const VALUE_VERSIONS: RangeInclusive<i16> = 0..=1;
const FLEXIBLE_FROM: i16 = 1;

/// A change of a transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct TransactionRecord {
    pub key: TransactionKey,
    pub value: Option<TransactionValue>,
    /// Of the value.
    pub version: i16,
}

shown! {
    pub struct TransactionKey {
        transactional_id: Text,
    }
}

shown! {
    pub struct TransactionValue {
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch = ProducerEpoch(-1),
        transaction_timeout_ms: i32,
        /// 0 empty, 1 ongoing, 2 prepares to commit, 3 prepares to abort, 4 committed, 5 aborted,
        /// 6 dead, 7 fences (TransactionState.java).
        status: i8,
        partitions: Option<Vec<TransactionPartitions>> [0..; null 0..],
        last_update: Timestamp = Timestamp(-1),
        started: Timestamp = Timestamp(-1),
    }
    tagged {
        0 => previous_producer_id: Option<ProducerId> [1..],
        1 => next_producer_id: Option<ProducerId> [1..],
        2 => client_transaction_version: i16 [1..],
        3 => next_producer_epoch: Option<ProducerEpoch> [1..],
    }
}

shown! {
    pub struct TransactionPartitions {
        topic: Text,
        partitions: Vec<PartitionId>,
    }
}

impl TransactionRecord {
    pub fn decode(key: Bytes, value: Option<Bytes>) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(key, version(0));
        let kind = i16::read(&mut reader)?;
        if kind != KIND {
            return Err(Fault::Key(i64::from(kind)).into());
        }
        let key = TransactionKey::read(&mut reader)?;
        reader.finish()?;
        let value = value.map(decode_value).transpose()?;
        let version = value.as_ref().map_or(0, |(version, _)| *version);
        Ok(TransactionRecord { key, value: value.map(|(_, value)| value), version })
    }

    /// Key and value as they are written.
    pub fn encode(&self) -> Result<(Vec<u8>, Option<Vec<u8>>), EncodeError> {
        let key = prefixed(KIND, version(0), &self.key)?;
        let value = |value| prefixed(self.version, version(self.version), value);
        Ok((key, self.value.as_ref().map(value).transpose()?))
    }
}

impl TransactionValue {
    pub const ONGOING: i8 = 1;
    pub const PREPARES_TO_COMMIT: i8 = 2;
    pub const PREPARES_TO_ABORT: i8 = 3;
    pub const COMMITTED: i8 = 4;
}

fn prefixed(number: i16, version: Version, body: &impl Field) -> Result<Vec<u8>, EncodeError> {
    let mut writer = Writer::new(version);
    number.write(&mut writer)?;
    body.write(&mut writer)?;
    Ok(writer.into_parts().0)
}

fn decode_value(value: Bytes) -> Result<(i16, TransactionValue), DecodeError> {
    let mut reader = Reader::new(value, version(0));
    let number = i16::read(&mut reader)?;
    if !VALUE_VERSIONS.contains(&number) {
        return Err(Fault::Version(number).into());
    }
    reader.set_version(version(number));
    let value = TransactionValue::read(&mut reader)?;
    reader.finish()?;
    Ok((number, value))
}

fn version(number: i16) -> Version {
    Version { number, flexible: FLEXIBLE_FROM <= number }
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sampler;
    use super::*;

    fn encoded(number: i16) -> (TransactionValue, Bytes) {
        let value: TransactionValue = Sampler::full(version(number)).field(true);
        let bytes = prefixed(number, version(number), &value).unwrap();
        (value, bytes.into())
    }

    #[test]
    fn every_version_is_read_and_no_truncation_is() {
        let key = Bytes::from_static(b"\0\0\0\x02tx");
        for number in VALUE_VERSIONS {
            let (value, bytes) = encoded(number);
            let record = TransactionRecord::decode(key.clone(), Some(bytes.clone())).unwrap();
            let again = (key.to_vec(), Some(bytes.to_vec()));
            assert_eq!(record.encode(), Ok(again));
            assert_eq!(record.value, Some(value));
            for length in 0..bytes.len() {
                let cut = Some(bytes.slice(..length));
                assert!(TransactionRecord::decode(key.clone(), cut).is_err());
            }
        }
        let gone = TransactionRecord::decode(key, None).unwrap();
        assert_eq!((&*gone.key.transactional_id, gone.value), ("tx", None));
        let other = TransactionRecord::decode(Bytes::from_static(b"\0\x07"), None).unwrap_err();
        assert_eq!(other.to_string(), "key 7 is not known");
    }
}
