//! The first two programs of every Kafka tutorial in Python, as they stand there; only the port is
//! another.

use crate::harness::{Kaw, Version, free_port, kafka_python};

/// Sends to a topic that is not there yet.
const PRODUCER: &str = "
from kafka import KafkaProducer
producer = KafkaProducer(bootstrap_servers='localhost:9092')
for _ in range(100):
    producer.send('my-topic', b'some_message_bytes')
producer.flush()
";

/// Sends, and reads what it sent in a `for` loop, without a group.
const BOTH: &str = "
from kafka import KafkaConsumer, KafkaProducer
producer = KafkaProducer(bootstrap_servers='localhost:9092')
for i in range(10):
    producer.send('numbers', str(i).encode())
producer.flush()
consumer = KafkaConsumer('numbers', bootstrap_servers='localhost:9092',
                         auto_offset_reset='earliest')
for message in consumer:
    print(message.topic, message.partition, message.offset, message.key, message.value)
    if message.offset == 9:
        break
";

/// With the default it starts at the end: it reads only what is sent once it is there.
const LATEST: &str = "
from kafka import KafkaConsumer, KafkaProducer
producer = KafkaProducer(bootstrap_servers='localhost:9092')
producer.send('numbers', b'before').get(timeout=30)
consumer = KafkaConsumer('numbers', bootstrap_servers='localhost:9092')
while not consumer.assignment():
    consumer.poll(timeout_ms=100)
print(consumer.position(next(iter(consumer.assignment()))))
producer.send('numbers', b'after').get(timeout=30)
for message in consumer:
    print(message.offset, message.value)
    break
";

it!(tutorials_in_python_run_with_the_newest_client, |kaw| tutorials(kaw, Version::Newest));
it!(tutorials_in_python_run_with_the_old_client, |kaw| tutorials(kaw, Version::Old));

fn tutorials(kaw: &Kaw, version: Version) {
    let Some(python) = kafka_python(version) else { return };
    let port = free_port();
    // Both loopbacks, as `kaw broker` does by itself: `localhost` may be either.
    let broker = kaw.broker_at(&format!("127.0.0.1:{port}"), &format!("--listen [::1]:{port}"));
    let run = |program: &str| {
        let program = program.replace("9092", &port.to_string());
        kaw.tool(python.to_str().unwrap()).arg("-c").arg(program).run().ok()
    };
    run(PRODUCER);
    assert_eq!(kaw.ok("consume -e my-topic"), "some_message_bytes\n".repeat(100));
    let want: String = (0..10).map(|i| format!("numbers 0 {i} None b'{i}'\n")).collect();
    run(BOTH).prints(&want);
    run(LATEST).prints("11\n11 b'after'\n");
    broker.stop();
}
