//! Brokers at the other end of the world: all that goes to them and comes back is on its way for
//! long.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::harness::{Broker, Kaw, until};

/// From here to there; an answer takes twice as long.
const WAY: Duration = Duration::from_millis(50);

it!(far_brokers_are_read_and_written_as_near_ones, |kaw| {
    let (broker, address) = far_broker(kaw);
    let lines: String = (0..20_000).map(|n| format!("{n}\n")).collect();
    let to = |line: &str| format!("{line} -b {address}");
    let mut writer = kaw.cmd(&to("produce t")).stdin_open().start();
    writer.write("first\n");
    // What waits for more input must come through too.
    let first = kaw.ok(&to("consume t --wait -c 1"));
    assert_eq!(first, "first\n");
    writer.write(&lines);
    writer.close_stdin();
    writer.done().code(0).says("read 20001 = delivered 20001 + failed 0");
    let back = kaw.ok(&to("consume t -e"));
    assert!(back == first + &lines, "{} bytes", back.len());
    let group = kaw.ok(&to("consume t -e -g readers"));
    assert!(group == back, "{} bytes", group.len());
    broker.stop();
});

/// A broker, and the address at which it is far away.
fn far_broker(kaw: &Kaw) -> (Broker, String) {
    let relay = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = relay.local_addr().unwrap().to_string();
    let broker = kaw.broker(&format!("--advertise {address}"));
    let real = broker.address.clone();
    std::thread::spawn(move || {
        for client in relay.incoming().flatten() {
            let Ok(broker) = TcpStream::connect(&real) else { return };
            for (from, to) in [(&client, &broker), (&broker, &client)] {
                let ends = (from.try_clone().unwrap(), to.try_clone().unwrap());
                std::thread::spawn(move || carry(ends.0, ends.1));
            }
        }
    });
    (broker, address)
}

/// Any number of bytes may be on their way at once.
fn carry(mut from: TcpStream, mut to: TcpStream) {
    let (sent, underway) = mpsc::channel::<(Instant, Vec<u8>)>();
    std::thread::spawn(move || {
        for (due, bytes) in underway {
            until("the end of the way", || (due <= Instant::now()).then_some(()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count) = from.read(&mut bytes) {
        if count == 0 || sent.send((Instant::now() + WAY, bytes[..count].to_vec())).is_err() {
            return;
        }
    }
}
