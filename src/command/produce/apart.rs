//! Each file has one purpose: what is written over an input, or over another's lines, is lost.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::super::Usage;
use super::Args;
use super::source::Source;

/// A file, under whatever name. Pipes and devices may have several purposes.
#[derive(PartialEq, Eq)]
enum Identity {
    /// Its device and its number there.
    There(u64, u64),
    NotYet(PathBuf),
}

impl Identity {
    fn of(metadata: &Metadata) -> Option<Identity> {
        metadata.is_file().then(|| Identity::There(metadata.dev(), metadata.ino()))
    }

    fn at(path: &Path) -> Option<Identity> {
        match fs::metadata(path) {
            Ok(metadata) => Identity::of(&metadata),
            Err(_) => std::path::absolute(path).ok().map(Identity::NotYet),
        }
    }
}

/// That nothing is written to a file that is read, or that something else is written to.
pub fn check(args: &Args, sources: &[Source]) -> Result<(), Usage> {
    let input = |source: &Source| Some((source.name(), Identity::of(&source.metadata()?)?));
    let mut known: Vec<(String, Identity)> = sources.iter().filter_map(input).collect();
    for (written, identity) in outputs(args) {
        if let Some((name, _)) = known.iter().find(|(_, known)| *known == identity) {
            let why = format!("{written} and {name} are one file; name another");
            return Err(Usage(why));
        }
        known.push((written, identity));
    }
    Ok(())
}

fn outputs(args: &Args) -> Vec<(String, Identity)> {
    let named =
        [("--report", &args.report), ("--rejects", &args.rejects), ("--resume", &args.resume)];
    let named = named.into_iter().filter_map(|(option, path)| {
        let path = path.as_deref()?;
        Some((format!("{option} {}", path.display()), Identity::at(path)?))
    });
    let copy = args.tee.then(|| Some(("stdout, for -T,".to_owned(), stdout()?))).flatten();
    named.chain(copy).collect()
}

fn stdout() -> Option<Identity> {
    let own = File::from(io::stdout().as_fd().try_clone_to_owned().ok()?);
    Identity::of(&own.metadata().ok()?)
}
