use proptest::prelude::*;

use super::*;
use crate::record::{Header, Producer, ProducerEpoch, ProducerId, batches, send_again};

/// A record as a test has it: time, key, value, header.
type Own = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>);

fn batch(base: i64, codec: Codec, records: &[Own]) -> Vec<u8> {
    let mut builder = BatchBuilder::new().codec(codec).base_offset(Offset(base));
    for (time, key, value, header) in records {
        let headers = [Header { name: b"h", value: header.as_deref() }];
        let record = Record { key: key.as_deref(), value: value.as_deref(), headers: &headers };
        builder.push(Timestamp(*time), &record);
    }
    builder.build()
}

/// What the parcels hold.
fn unpacked(parcels: &[Parcel]) -> Vec<Own> {
    let mut all = Vec::new();
    for parcel in parcels {
        let mut bytes = parcel.bytes.clone();
        let id = Producer { id: ProducerId(1), epoch: ProducerEpoch(0), base_sequence: 0 };
        send_again(&mut bytes, id);
        let batch = BatchView::parse(&bytes).unwrap();
        batch.check_crc().unwrap();
        assert_eq!((batch.size(), batch.count()), (bytes.len(), parcel.records));
        assert_eq!((batch.base_offset(), batch.producer()), (Offset::ZERO, Some(id)));
        assert_eq!(batch.next_offset(), Offset(parcel.records.into()));
        let mut scratch = Scratch::default();
        let records = batch.records(&mut scratch, 1 << 24).unwrap();
        for entry in records {
            let entry = entry.unwrap();
            let headers: Vec<_> = entry.headers.collect();
            let [header] = headers[..] else { panic!("one header") };
            let own = |part: Option<&[u8]>| part.map(<[u8]>::to_vec);
            let (key, value) = (own(entry.key), own(entry.value));
            all.push((entry.timestamp.get(), key, value, own(header.value)));
        }
    }
    all
}

fn packed(wanted: Wanted<'_>, log: &[u8], committed: &[i64]) -> (Vec<Parcel>, Vec<(i64, i64)>) {
    let committed = committed.iter().copied().map(Offset).collect();
    let mut packer = Packer::new(wanted, PACKED_BYTES_MAX, committed);
    let mut parcels = Vec::new();
    for batch in batches(log) {
        if packer.take(&batch.unwrap(), &mut parcels).unwrap().is_break() {
            break;
        }
    }
    let packed = packer.finish();
    parcels.extend(packed.last);
    (parcels, packed.places.into_iter().map(|(offset, place)| (offset.get(), place)).collect())
}

fn all(aborted: &Aborted) -> Wanted<'_> {
    let skipped = Box::leak(Box::default());
    Wanted { start: Offset::ZERO, until: None, aborted, skipped }
}

fn record(time: i64, bytes: usize) -> Own {
    (time, None, Some(vec![b'x'; bytes]), None)
}

/// The batch with this many records as if compaction had left these of them.
fn with_gap(base: i64, last_delta: i32, records: &[Own]) -> Vec<u8> {
    let mut bytes = batch(base, Codec::None, records);
    bytes[23..27].copy_from_slice(&last_delta.to_be_bytes());
    resummed(bytes)
}

fn resummed(mut bytes: Vec<u8>) -> Vec<u8> {
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes
}

#[test]
fn large_batches_stay_as_they_are_and_small_ones_are_put_together() {
    let large = batch(2, Codec::Zstd, &[(1, None, Some(noise(SMALL_BYTES)), None)]);
    let [first, last] = [0, 3].map(|base| batch(base, Codec::None, &[record(1, 9), record(2, 9)]));
    let log = [&first[..], &large, &last, &batch(5, Codec::Gzip, &[record(3, 9)])].concat();
    let (parcels, places) = packed(all(&Aborted::default()), &log, &[0, 3, 5, 6, 99]);
    let counts: Vec<_> = parcels.iter().map(|parcel| parcel.records).collect();
    assert_eq!(counts, [2, 1, 2, 1]);
    assert_eq!(parcels[1].bytes, large);
    assert_eq!(places, [(0, 0), (3, 3), (5, 5), (6, 6), (99, 6)]);
}

/// Bytes that no codec makes smaller.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 1u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

#[test]
fn offsets_find_the_same_record_behind_gaps() {
    // 0 and 1, then 2..6 of which one is left, then 6 with the time of the end.
    let log = [
        batch(0, Codec::None, &[record(1, 1), record(2, 1)]),
        with_gap(2, 3, &[record(3, 1)]),
        batch(6, Codec::None, &[record(9, 1)]),
    ]
    .concat();
    let none = Aborted::default();
    let (_, places) = packed(all(&none), &log, &[0, 1, 2, 3, 5, 6, 7]);
    assert_eq!(places, [(0, 0), (1, 1), (2, 2), (3, 3), (5, 3), (6, 3), (7, 4)]);
    let until = Wanted { until: Some(Timestamp(9)), ..all(&none) };
    let (parcels, places) = packed(until, &log, &[1, 6, 7]);
    assert_eq!((unpacked(&parcels).len(), places), (3, vec![(1, 1), (6, 3), (7, 3)]));
    let start = Wanted { start: Offset(1), ..all(&none) };
    let (parcels, places) = packed(start, &log, &[0, 1, 2]);
    assert_eq!((unpacked(&parcels).len(), places), (3, vec![(0, 0), (1, 0), (2, 1)]));
    let mut gap = Gaps::default();
    gap.add(Offset(0), Offset(1));
    let (parcels, places) = packed(Wanted { skipped: &gap, ..all(&none) }, &log, &[0, 1, 2]);
    assert_eq!((unpacked(&parcels).len(), places), (3, vec![(0, 0), (1, 0), (2, 1)]));
}

#[test]
fn what_the_brokers_clock_stamped_keeps_its_time() {
    let mut bytes = batch(0, Codec::None, &[record(1, SMALL_BYTES), record(5, 1)]);
    bytes[22] |= 8;
    let (parcels, _) = packed(all(&Aborted::default()), &resummed(bytes), &[]);
    let times: Vec<_> = unpacked(&parcels).iter().map(|record| record.0).collect();
    assert_eq!(times, [5, 5]);
}

fn own() -> impl Strategy<Value = Own> {
    let part = || proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200));
    (0..1_000_000i64, part(), part(), part())
}

fn codec() -> impl Strategy<Value = Codec> {
    let all = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
    proptest::sample::select(all.to_vec())
}

proptest! {
    #[test]
    fn every_record_comes_out_as_it_went_in(
        written in proptest::collection::vec(
            (codec(), proptest::collection::vec(own(), 1..20), 0..3i64), 0..20,
        ),
        until in proptest::option::of(0..1_000_000i64),
    ) {
        let (mut log, mut base, mut want) = (Vec::new(), 0, Vec::new());
        for (codec, records, gap) in &written {
            log.extend(batch(base, *codec, records));
            base += records.len() as i64 + gap;
            want.extend(records.iter().cloned());
        }
        if let Some(until) = until {
            let end = want.iter().position(|record| until <= record.0);
            want.truncate(end.unwrap_or(want.len()));
        }
        let none = Aborted::default();
        let until = until.map(Timestamp);
        let (parcels, _) = packed(Wanted { until, ..all(&none) }, &log, &[]);
        prop_assert_eq!(unpacked(&parcels), want);
    }
}
