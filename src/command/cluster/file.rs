//! Which configuration file is meant, and what is in it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{folder, set};
use crate::client::config::text::{self, Kind, Line};
use crate::command::{Global, Usage};

/// Certificates and all, settings are a few KiB.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A file to read, and the variable that names it.
pub struct Chosen {
    pub path: PathBuf,
    pub by: Option<&'static str>,
}

impl Chosen {
    fn typed(path: PathBuf) -> Chosen {
        Chosen { path, by: None }
    }
}

/// The files to read, in their order: those that were named, or the first that is there of those
/// that kaw and kcat look for.
pub fn chosen(global: &Global) -> anyhow::Result<Vec<Chosen>> {
    let typed: Vec<PathBuf> =
        global.config.iter().filter(|path| !is_empty(path)).cloned().collect();
    match (typed.is_empty(), &global.profile) {
        (false, Some(_)) => {
            Err(Usage("-F and --profile name two files; pass one of them".to_owned()).into())
        }
        // As in kcat: no file at all.
        (false, None) => {
            let files = typed.into_iter().filter(|path| !is_none(path));
            Ok(files.map(Chosen::typed).collect())
        }
        (true, Some(name)) if !name.is_empty() => {
            Ok(vec![Chosen::typed(profile("--profile", name)?)])
        }
        _ => of_environment(),
    }
}

fn of_environment() -> anyhow::Result<Vec<Chosen>> {
    let named = |by| Some(Chosen { path: set(by)?.into(), by: Some(by) });
    if let Some(chosen) = named("KAW_CONFIG") {
        return Ok(if is_none(&chosen.path) { vec![] } else { vec![chosen] });
    }
    if let Some(name) = set("KAW_PROFILE") {
        let path = profile("KAW_PROFILE", &name.to_string_lossy())?;
        return Ok(vec![Chosen::typed(path)]);
    }
    let own = |name: &str| Some(home()?.join(name)).filter(|path| path.is_file());
    let own = |name| own(name).map(Chosen::typed);
    // What a variable names must be there, as in kcat.
    let kcats = || named("KCAT_CONFIG").or_else(|| named("KAFKACAT_CONFIG"));
    let first = own("kaw.conf").or_else(kcats).or_else(|| own("kcat.conf"));
    Ok(first.or_else(|| own("kafkacat.conf")).into_iter().collect())
}

fn is_empty(path: &Path) -> bool {
    path.as_os_str().is_empty()
}

fn is_none(path: &Path) -> bool {
    path == Path::new("-") || path == Path::new("none")
}

fn home() -> Option<PathBuf> {
    folder("XDG_CONFIG_HOME", ".config")
}

/// The file of a profile, which must be there.
fn profile(origin: &str, name: &str) -> anyhow::Result<PathBuf> {
    let path = home().unwrap_or_default().join("kaw").join(format!("{name}.conf"));
    // A name is no path: it leads nowhere else.
    if !name.contains('/') && path.is_file() {
        return Ok(path);
    }
    let there: Vec<String> = profiles().into_iter().map(|(name, _)| name).collect();
    let there = match there.is_empty() {
        true => "there are no profiles".to_owned(),
        false => format!("profiles are {}", there.join(", ")),
    };
    let why = format!("{origin} {name}: no profile of this name ({}); {there}", path.display());
    Err(Usage(why).into())
}

/// Every profile, sorted by name.
pub fn profiles() -> Vec<(String, PathBuf)> {
    let folder = home().map(|home| fs::read_dir(home.join("kaw")));
    let files = folder.into_iter().flatten().flatten().flatten().map(|entry| entry.path());
    let is_profile =
        |path: &PathBuf| path.extension() == Some(OsStr::new("conf")) && path.is_file();
    let named = files
        .filter(is_profile)
        .filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), path)));
    let mut profiles: Vec<(String, PathBuf)> = named.collect();
    profiles.sort();
    profiles
}

/// What a file says.
pub fn read(path: &Path) -> anyhow::Result<(Kind, Vec<Line>)> {
    let shown = path.display();
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(|| format!("cannot read {shown}"))?;
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {shown}"))?;
    if FILE_BYTES_MAX < bytes.len() as u64 {
        let why = format!("{shown} is larger than 1 MiB; that is no configuration file");
        return Err(Usage(why).into());
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Usage(format!("{shown}:{line}: this is no text in UTF-8"))
    })?;
    let javas = path.extension() == Some(OsStr::new("properties"));
    let named = if javas { Kind::Java } else { Kind::Librdkafka };
    text::read(&text, named)
        .map_err(|wrong| Usage(format!("{shown}:{}: {}", wrong.line, wrong.why)).into())
}
