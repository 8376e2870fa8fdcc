//! Kafka's protocol without a client in between, for what no client does: to know exactly what
//! was acknowledged, and to send what nobody should.
//! Never knows: what is shown with it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    FetchRequest, ListOffsetsRequest, ProduceRequest, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{
    Decodable, HeaderVersion, Request, StrBytes, encode_request_header_into_buffer,
};
use kafka_protocol::records::{
    Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

pub struct Raw {
    stream: TcpStream,
    correlation: i32,
}

impl Raw {
    pub fn open(address: &str) -> io::Result<Raw> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(Raw { stream, correlation: 0 })
    }

    /// Sends a request and waits for its answer.
    pub fn call<R: Request>(&mut self, request: &R, version: i16) -> io::Result<R::Response> {
        self.send(request, version)?;
        self.answer::<R>(version)
    }

    pub fn send<R: Request>(&mut self, request: &R, version: i16) -> io::Result<()> {
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(StrBytes::from_static_str("raw")));
        self.correlation += 1;
        let mut frame = BytesMut::new();
        encode_request_header_into_buffer(&mut frame, &header).expect("a request of ours");
        request.encode(&mut frame, version).expect("a request of ours");
        self.write(&(frame.len() as u32).to_be_bytes())?;
        self.write(&frame)
    }

    /// The answer to the oldest request that has none yet.
    pub fn answer<R: Request>(&mut self, version: i16) -> io::Result<R::Response> {
        let mut frame = Bytes::from(self.frame()?);
        let header = R::Response::header_version(version);
        ResponseHeader::decode(&mut frame, header).map_err(io::Error::other)?;
        R::Response::decode(&mut frame, version).map_err(io::Error::other)
    }

    /// Bytes as they are, whatever they mean.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    pub fn frame(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame)?;
        Ok(frame)
    }

    /// Waits until the other side has closed the connection.
    pub fn closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}

/// A produce request of one uncompressed batch for partition 0.
pub fn produce(topic: &str, acks: i16, values: &[String]) -> ProduceRequest {
    let partition = PartitionProduceData::default().with_index(0).with_records(Some(batch(values)));
    let topic = TopicProduceData::default()
        .with_name(TopicName(StrBytes::from_string(topic.to_owned())))
        .with_partition_data(vec![partition]);
    ProduceRequest::default().with_acks(acks).with_timeout_ms(10_000).with_topic_data(vec![topic])
}

/// All records of partition 0, from its beginning, or `None` if there is no such topic.
pub fn records(raw: &mut Raw, topic: &str) -> Option<Vec<(i64, String)>> {
    let name = TopicName(StrBytes::from_string(topic.to_owned()));
    let (mut all, mut from) = (Vec::new(), start(raw, &name)?);
    loop {
        let more = poll(raw, topic, from).expect("the broker answers");
        let Some((last, _)) = more.last() else { return Some(all) };
        from = last + 1;
        all.extend(more);
    }
}

/// Some records of partition 0 from an offset on, at once.
pub fn poll(raw: &mut Raw, topic: &str, from: i64) -> io::Result<Vec<(i64, String)>> {
    let name = TopicName(StrBytes::from_string(topic.to_owned()));
    let partition = FetchPartition::default().with_fetch_offset(from);
    let partition = partition.with_partition_max_bytes(1 << 20);
    let wanted = FetchTopic::default().with_topic(name);
    let request = FetchRequest::default()
        .with_max_bytes(1 << 20)
        .with_topics(vec![wanted.with_partitions(vec![partition])]);
    let answer = raw.call(&request, 11)?;
    let partition = &answer.responses[0].partitions[0];
    assert_eq!(partition.error_code, 0, "{topic} from {from}: {partition:?}");
    let mut bytes = partition.records.clone().unwrap_or_default();
    let sets = RecordBatchDecoder::decode_all(&mut bytes).expect("good batches");
    let all = sets.into_iter().flat_map(|set| set.records);
    // The first batch may begin before.
    let wanted = all.filter(|record| from <= record.offset);
    let text = |record: Record| {
        let value = record.value.expect("records of ours have values");
        (record.offset, String::from_utf8(value.to_vec()).expect("text"))
    };
    Ok(wanted.map(text).collect())
}

/// Where partition 0 of a topic begins.
fn start(raw: &mut Raw, name: &TopicName) -> Option<i64> {
    const EARLIEST: i64 = -2;
    let partition = ListOffsetsPartition::default().with_timestamp(EARLIEST);
    let topic = ListOffsetsTopic::default().with_name(name.clone());
    let topics = vec![topic.with_partitions(vec![partition])];
    let request = ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(topics);
    let answer = raw.call(&request, 2).expect("the broker answers");
    match &answer.topics[0].partitions[0] {
        found if found.error_code == 0 => Some(found.offset),
        // UNKNOWN_TOPIC_OR_PARTITION
        missing if missing.error_code == 3 => None,
        other => panic!("{name:?}: {other:?}"),
    }
}

/// One uncompressed batch.
pub fn batch(values: &[String]) -> Bytes {
    // Records of long ago would be removed, as retention says.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64;
    let record = |(at, value): (usize, &String)| Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset: at as i64,
        // The encoder makes one batch of records whose numbers run beside their offsets.
        sequence: at as i32 - 1,
        timestamp: now,
        key: None,
        value: Some(Bytes::from(value.clone())),
        headers: Default::default(),
    };
    let records: Vec<Record> = values.iter().enumerate().map(record).collect();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    let mut bytes = BytesMut::new();
    RecordBatchEncoder::encode(&mut bytes, &records, &options).expect("plain records");
    bytes.freeze()
}
