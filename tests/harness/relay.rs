//! A relay in front of a broker: requests and answers go through it whole, and on order it holds
//! them up, or does to one produce request what no broker should.
//! Never knows: who measures it.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::{Broker, Kaw, until};

const PRODUCE: i16 = 0;

/// What happens on the way, once, to a produce request with records, but for the delay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// It is acknowledged and goes no further.
    Lost,
    /// It goes to the broker twice.
    Doubled,
    /// The one that follows overtakes it.
    Swapped,
    /// A byte of its last record's value is flipped, and the batch's checksum says so.
    Damaged,
    /// From here on nothing goes either way for this long.
    Stalled(Duration),
    /// All answers take so much longer.
    Delayed(Duration),
}

/// A broker that is reached through a relay alone.
pub struct Relayed {
    pub address: String,
    _broker: Broker,
    orders: Arc<Mutex<Orders>>,
}

/// What is still to be done, and what was.
struct Orders {
    fault: Fault,
    /// Produce requests to let pass before.
    left: u32,
    /// How many records the request had that was hit.
    hit: Option<u32>,
    /// Nothing goes either way until then.
    held_until: Option<Instant>,
}

impl Relayed {
    /// The fault hits the produce request that comes after so many.
    pub fn start(kaw: &Kaw, fault: Fault, after: u32) -> Relayed {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let broker = kaw.broker(&format!("--advertise {address}"));
        let orders = Orders { fault, left: after, hit: None, held_until: None };
        let orders = Arc::new(Mutex::new(orders));
        let (real, shared) = (broker.address.clone(), Arc::clone(&orders));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(broker) = TcpStream::connect(&real) else { return };
                pass_on(client, broker, &shared);
            }
        });
        Relayed { address, _broker: broker, orders }
    }

    /// How many records were in the request that was hit.
    #[track_caller]
    pub fn hit(&self) -> u32 {
        self.orders.lock().unwrap().hit.expect("the fault came to pass")
    }
}

/// What both directions of a connection know.
#[derive(Default)]
struct Calls {
    /// What was asked, by correlation id.
    asked: HashMap<i32, i16>,
    /// Answers that nobody waits for.
    unwanted: HashSet<i32>,
    /// The last answer to a produce request.
    acknowledgement: Vec<u8>,
    /// A request that another is to overtake.
    held_back: Option<Vec<u8>>,
}

/// A frame, and when it may leave.
type Underway = (Instant, Vec<u8>);

fn pass_on(client: TcpStream, broker: TcpStream, orders: &Arc<Mutex<Orders>>) {
    let (to_broker, requests) = mpsc::channel();
    let (to_client, answers) = mpsc::channel();
    let calls = Arc::new(Mutex::new(Calls::default()));
    let ends = |stream: &TcpStream| stream.try_clone().unwrap();
    for stream in [&client, &broker] {
        stream.set_nodelay(true).unwrap();
    }
    write_to(ends(&broker), requests, Arc::clone(orders));
    write_to(ends(&client), answers, Arc::clone(orders));
    let (from_client, to_client_too) = (ends(&client), to_client.clone());
    let (shared, known) = (Arc::clone(orders), Arc::clone(&calls));
    thread::spawn(move || {
        read_from(from_client, |frame| {
            let mut calls = known.lock().unwrap();
            request(frame, &mut calls, &mut shared.lock().unwrap(), &to_broker, &to_client_too);
        });
    });
    let shared = Arc::clone(orders);
    thread::spawn(move || {
        read_from(broker, |frame| {
            let late = match shared.lock().unwrap().fault {
                Fault::Delayed(late) => late,
                _ => Duration::ZERO,
            };
            answer(frame, &mut calls.lock().unwrap(), late, &to_client);
        });
    });
}

fn read_from(mut stream: TcpStream, mut each: impl FnMut(Vec<u8>)) {
    let mut read = || -> io::Result<Vec<u8>> {
        let mut size = [0; 4];
        stream.read_exact(&mut size)?;
        let mut frame = vec![0; u32::from_be_bytes(size) as usize];
        stream.read_exact(&mut frame)?;
        Ok(frame)
    };
    while let Ok(frame) = read() {
        each(frame);
    }
}

fn write_to(mut stream: TcpStream, frames: Receiver<Underway>, orders: Arc<Mutex<Orders>>) {
    thread::spawn(move || {
        for (due, frame) in frames {
            wait_for(due);
            // Looked up after the wait: a stall that has begun meanwhile holds this one too.
            let held_until = orders.lock().unwrap().held_until;
            held_until.into_iter().for_each(wait_for);
            let size = (frame.len() as u32).to_be_bytes();
            if stream.write_all(&[&size, &frame[..]].concat()).is_err() {
                break;
            }
        }
        let _ = stream.shutdown(Shutdown::Both);
    });
}

fn wait_for(due: Instant) {
    if Instant::now() < due {
        until("the end of the way", || (due <= Instant::now()).then_some(()));
    }
}

/// Header of a request: api key i16, version i16, correlation id i32.
fn request(
    mut frame: Vec<u8>,
    calls: &mut Calls,
    orders: &mut Orders,
    to_broker: &Sender<Underway>,
    to_client: &Sender<Underway>,
) {
    let send = |frame: Vec<u8>| drop(to_broker.send((Instant::now(), frame)));
    let api = i16::from_be_bytes(frame[..2].try_into().unwrap());
    calls.asked.insert(correlation(&frame[4..]), api);
    let batch = (api == PRODUCE).then(|| batch_in(&frame)).flatten();
    let Some(batch) = batch else { return send(frame) };
    if let Some(before) = calls.held_back.take() {
        send(frame);
        return send(before);
    }
    if 0 < orders.left || orders.hit.is_some() {
        orders.left = orders.left.saturating_sub(1);
        return send(frame);
    }
    orders.hit = Some(u32::from_be_bytes(frame[batch.start + 57..][..4].try_into().unwrap()));
    match orders.fault {
        Fault::Lost => {
            let mut fake = calls.acknowledgement.clone();
            assert!(!fake.is_empty(), "an earlier request was acknowledged");
            fake[..4].copy_from_slice(&frame[4..8]);
            let _ = to_client.send((Instant::now(), fake));
        }
        Fault::Doubled => {
            // No client counts as far.
            let mut again = frame.clone();
            again[4] = 0x7f;
            calls.unwanted.insert(correlation(&again[4..]));
            send(frame);
            send(again);
        }
        Fault::Swapped => calls.held_back = Some(frame),
        Fault::Damaged => {
            // Behind the value is the count of headers, none.
            frame[batch.end - 2] ^= 1;
            let crc = crc32c::crc32c(&frame[batch.start + 21..batch.end]);
            frame[batch.start + 17..][..4].copy_from_slice(&crc.to_be_bytes());
            send(frame);
        }
        Fault::Stalled(time) => {
            orders.held_until = Some(Instant::now() + time);
            send(frame);
        }
        Fault::Delayed(_) => send(frame),
    }
}

fn answer(frame: Vec<u8>, calls: &mut Calls, late: Duration, to_client: &Sender<Underway>) {
    let correlation = correlation(&frame);
    if calls.unwanted.remove(&correlation) {
        return;
    }
    if calls.asked.remove(&correlation) == Some(PRODUCE) {
        calls.acknowledgement.clone_from(&frame);
    }
    let _ = to_client.send((Instant::now() + late, frame));
}

fn correlation(bytes: &[u8]) -> i32 {
    i32::from_be_bytes(bytes[..4].try_into().unwrap())
}

/// Where a frame holds a record batch, whatever is around it: the place where a length, the
/// magic 2 and a checksum agree.
fn batch_in(frame: &[u8]) -> Option<std::ops::Range<usize>> {
    (0..frame.len().saturating_sub(61)).find_map(|start| {
        let batch = &frame[start..];
        let length = u32::from_be_bytes(batch[8..12].try_into().unwrap()) as usize;
        let end = length.checked_add(12).filter(|&end| 61 <= end && end <= batch.len())?;
        let crc = u32::from_be_bytes(batch[17..21].try_into().unwrap());
        let is_batch = batch[16] == 2 && crc == crc32c::crc32c(&batch[21..end]);
        is_batch.then_some(start..start + end)
    })
}
