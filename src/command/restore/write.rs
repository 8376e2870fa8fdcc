//! One partition, from the backup into a topic: each record once and in its order.
//!
//! The batches have sequence numbers, so that a broker knows one that is sent again; and since each
//! answer says where the batch lies, nobody else can write in between without being noticed. What
//! an earlier command wrote that came to no end is told by its place and by the last batch of it.

use std::ops::ControlFlow;

use anyhow::bail;
use bytes::Bytes;

use super::lacks::{Lacking, Log, compare_offsets};
use crate::backup::{self, Batches, Gaps, Packed, Packer, Parcel, Partition, Store};
use crate::client::raw::Line;
use crate::client::span::Edges;
use crate::command::crew::Tally;
use crate::record::{BatchView, Offset, PartitionId, Producer, Timestamp, send_again};

/// One partition to write.
pub struct Job<'a> {
    pub name: &'a str,
    pub target: &'a str,
    pub id: PartitionId,
    pub partition: &'a Partition,
    pub there: Edges,
    /// It is the topic that was saved, and not another one of its name.
    pub is_the_same: bool,
    /// Compaction may have taken some of what is there.
    pub is_compacted: bool,
    pub until: Option<Timestamp>,
    pub batch_bytes_max: usize,
    /// Offsets that groups have committed.
    pub committed: Vec<Offset>,
}

/// What became of it.
pub struct Written {
    pub target: String,
    pub id: PartitionId,
    /// Where each committed offset is now.
    pub places: Vec<(Offset, Offset)>,
    pub oldest: Option<Timestamp>,
    /// What was sent.
    pub bytes: u64,
}

/// Writes the partition; nothing where it is over before that.
pub fn write(
    store: &Store,
    line: &mut Line<'_>,
    job: Job<'_>,
    tally: &Tally,
) -> anyhow::Result<Option<Written>> {
    let mut writer = Writer::new(line, &job);
    let packed = feed(store, &job, tally, |parcel| {
        tally.add(u64::try_from(parcel.records).unwrap_or(0), 0);
        writer.write(parcel).map(ControlFlow::Continue)
    })?;
    let Some(packed) = packed else { return Ok(None) };
    let place = |(offset, count): (Offset, i64)| (offset, job.there.start.plus(count));
    let places = packed.places.into_iter().map(place).collect();
    let target = job.target.to_owned();
    let (oldest, bytes) = (packed.oldest, writer.bytes);
    Ok(Some(Written { target, id: job.id, places, oldest, bytes }))
}

/// Whether what is there already is the beginning of what is to be written, and what it lacks of
/// that.
pub fn compare(
    store: &Store,
    line: &mut Line<'_>,
    job: &Job<'_>,
    tally: &Tally,
) -> anyhow::Result<Option<Lacking>> {
    let may_lack = !job.is_compacted && job.until.is_none();
    if may_lack && job.is_the_same {
        let lacks = compare_offsets(store, line, job, tally)?;
        if !lacks.is_empty() {
            return Ok(Lacking::new(job, lacks));
        }
    }
    let mut lacks = Gaps::default();
    match compare_records(store, line, job, tally) {
        Ok(()) if may_lack && !job.is_the_same => {
            let mut log = Log::new(line, job, tally);
            log.look(job.there.start, job.there.end, &mut lacks)?;
            Ok(Lacking::new(job, lacks))
        }
        // What is behind an end that was lost cannot be written where offsets have to differ.
        Err(_) if may_lack && job.is_the_same && job.there.end < job.partition.end => {
            lacks.add(job.there.end, job.partition.end);
            Ok(Lacking::new(job, lacks))
        }
        compared => compared.map(|()| None),
    }
}

fn compare_records(
    store: &Store,
    line: &mut Line<'_>,
    job: &Job<'_>,
    tally: &Tally,
) -> anyhow::Result<()> {
    let mut writer = Writer::new(line, job);
    if writer.is_at_new() {
        return Ok(());
    }
    let packed = feed(store, job, tally, |parcel| {
        writer.write(parcel)?;
        Ok(if writer.is_at_new() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    // Nothing may lie there that the backup has not.
    if packed.is_some() && !writer.is_at_new() { Err(writer.not_ours()) } else { Ok(()) }
}

/// Packs the partition's records; nothing where it is over before the last of them.
fn feed(
    store: &Store,
    job: &Job<'_>,
    tally: &Tally,
    mut each: impl FnMut(Parcel) -> anyhow::Result<ControlFlow<()>>,
) -> anyhow::Result<Option<Packed>> {
    let Partition { start, aborted, skipped, segments, .. } = job.partition;
    let wanted = backup::Wanted { start: *start, until: job.until, aborted, skipped };
    let mut packer = Packer::new(wanted, job.batch_bytes_max, job.committed.clone());
    let mut parcels = Vec::new();
    'segments: for segment in segments {
        let mut batches = Batches::open(store.segment(job.name, job.id, segment.base), segment)?;
        while let Some(batch) = batches.next()? {
            let (bytes, flow) = (batch.size(), packer.take(&batch, &mut parcels)?);
            for parcel in parcels.drain(..) {
                if tally.is_over() || each(parcel)?.is_break() {
                    return Ok(None);
                }
            }
            tally.add(0, bytes as u64);
            if flow.is_break() {
                break 'segments;
            }
        }
    }
    let mut packed = packer.finish();
    let flow = packed.last.take().map_or(Ok(ControlFlow::Continue(())), each)?;
    Ok(flow.is_continue().then_some(packed))
}

struct Writer<'a, 'b> {
    of: (&'a str, PartitionId),
    line: &'a mut Line<'b>,
    is_compacted: bool,
    /// What is there already, up to here.
    there: Offset,
    /// Where the next batch belongs.
    next: Offset,
    producer: Option<Producer>,
    bytes: u64,
}

impl<'a, 'b> Writer<'a, 'b> {
    fn new(line: &'a mut Line<'b>, job: &Job<'a>) -> Writer<'a, 'b> {
        let Edges { start, end } = job.there;
        let of = (job.target, job.id);
        Writer {
            of,
            line,
            is_compacted: job.is_compacted,
            there: end,
            next: start,
            producer: None,
            bytes: 0,
        }
    }

    /// Whether the next batch is not there yet.
    fn is_at_new(&self) -> bool {
        self.there <= self.next
    }

    fn write(&mut self, parcel: Parcel) -> anyhow::Result<()> {
        let (place, after) = (self.next, self.next.plus(parcel.records.into()));
        self.next = after;
        if after < self.there {
            return Ok(());
        }
        if after == self.there {
            return self.check_that_it_is_the_same(place, &parcel);
        }
        if place < self.there {
            return Err(self.not_ours());
        }
        let mut producer = match self.producer {
            Some(producer) => producer,
            None => {
                let (id, epoch) = self.line.identity(self.of)?;
                Producer { id, epoch, base_sequence: 0 }
            }
        };
        let mut bytes = parcel.bytes;
        self.bytes += bytes.len() as u64;
        send_again(&mut bytes, producer);
        let lies = self.line.append(self.of, &Bytes::from(bytes))?;
        if lies != Some(place) {
            let (topic, partition) = self.of;
            bail!("somebody else writes to {topic}-{partition}; delete it and restore again");
        }
        // As the broker counts: from the largest on at 0 again (DefaultRecordBatch.java).
        let sequence = i64::from(producer.base_sequence) + i64::from(parcel.records);
        producer.base_sequence = (sequence % (i64::from(i32::MAX) + 1)) as i32;
        self.producer = Some(producer);
        Ok(())
    }

    /// What lies there must be what an earlier command wrote.
    fn check_that_it_is_the_same(&mut self, place: Offset, parcel: &Parcel) -> anyhow::Result<()> {
        let lies = self.line.fetch(self.of, place)?.map(|piece| piece.batches);
        let lies = lies.unwrap_or_default();
        let is_same = match (BatchView::parse(&lies), BatchView::parse(&parcel.bytes)) {
            (Ok(lies), Ok(own)) => lies.base_offset() == place && lies.holds_the_same_as(&own),
            _ => false,
        };
        if is_same { Ok(()) } else { Err(self.not_ours()) }
    }

    fn not_ours(&self) -> anyhow::Error {
        let (topic, _) = self.of;
        match self.is_compacted {
            true => anyhow::anyhow!(
                "topic '{topic}' is compacted and has not each record of the backup as it was; it \
                 stays as it is, and nothing was restored: restore it --as another name, or only \
                 other topics by their names"
            ),
            false => anyhow::anyhow!(
                "topic '{topic}' holds other records already; restore --as another name, or make \
                 room with `kaw topic delete {topic}`"
            ),
        }
    }
}
