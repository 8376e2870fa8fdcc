//! The floor as a program: `floor DIR [HOST:PORT]` says where it listens, and serves.

#[path = "mod.rs"]
mod floor;

use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let mut words = std::env::args().skip(1);
    let Some(dir) = words.next() else {
        eprintln!("usage: floor DIR [HOST:PORT]");
        std::process::exit(2);
    };
    let listener = TcpListener::bind(words.next().as_deref().unwrap_or("127.0.0.1:0"))?;
    println!("{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    floor::serve(PathBuf::from(dir), &listener)
}
