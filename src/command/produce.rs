//! `kaw produce TOPIC [FILE…]`.

use std::path::PathBuf;

use super::{Exit, Global};

/// Send records to a topic: one a line, from stdin or files, until the end of input
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Where the records go; it is created where the broker does so
    pub topic: String,
    /// Files to read instead of stdin
    pub files: Vec<PathBuf>,
    /// The records' time
    #[arg(long)]
    pub timestamp: Option<String>,
}

pub fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    let cluster = super::cluster::connect(global)?;
    let _ = (cluster, args);
    Ok(Exit::Done)
}
