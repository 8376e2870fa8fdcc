//! Which data directory is meant: the one that was typed, or the user's own.
//! Never knows: what is in it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Error;

/// The data directory whose broker is wanted, and how it is wanted.
#[derive(Clone, Debug)]
pub struct Place {
    pub data_dir: PathBuf,
    /// How long a broker may take to answer, when it is first sought and whenever it died.
    pub patience: Duration,
    /// Where a line about a long wait goes.
    pub tell: fn(&str),
}

impl Place {
    /// `typed` is `--data-dir` or `KAW_DATA_DIR`.
    pub fn new(typed: Option<&Path>, patience: Duration, tell: fn(&str)) -> Result<Place, Error> {
        let chosen = match typed.filter(|typed| !typed.as_os_str().is_empty()) {
            Some(typed) => typed.to_owned(),
            None => own(std::env::var_os("XDG_DATA_HOME"), home()),
        };
        // The broker changes its directory to `/`.
        match std::path::absolute(&chosen) {
            Ok(data_dir) => Ok(Place { data_dir, patience, tell }),
            Err(source) => Err(crate::broker::home::Error::io("find", &chosen, source).into()),
        }
    }

    pub(super) fn silent(&self, doing: &str) -> Error {
        Error::Silent { dir: self.data_dir.clone(), doing: doing.to_owned() }
    }
}

/// The user's directory. A relative path is to be ignored (XDG Base Directory Specification).
fn own(data_home: Option<OsString>, home: PathBuf) -> PathBuf {
    match data_home.map(PathBuf::from).filter(|path| path.is_absolute()) {
        Some(data_home) => data_home.join("kaw"),
        None => home.join(".local/share/kaw"),
    }
}

/// A user without a home has the root directory for one, as in a container of an unknown user: the
/// error that follows names the place. Never /tmp, where data would be lost without a word.
fn home() -> PathBuf {
    let home = std::env::home_dir().filter(|home| home.is_absolute());
    home.unwrap_or_else(|| PathBuf::from("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(data_home: Option<&str>, home: &str, want: &str) {
        assert_eq!(own(data_home.map(OsString::from), home.into()), Path::new(want));
    }

    #[test]
    fn the_users_own_directory() {
        check(None, "/home/u", "/home/u/.local/share/kaw");
        check(Some("/data"), "/home/u", "/data/kaw");
        check(Some(""), "/home/u", "/home/u/.local/share/kaw");
        check(Some("relative"), "/home/u", "/home/u/.local/share/kaw");
        check(None, "/", "/.local/share/kaw");
    }

    #[test]
    fn a_typed_directory_is_made_absolute() {
        let place = |typed| Place::new(Some(Path::new(typed)), Duration::ZERO, |_| {}).unwrap();
        assert_eq!(place("/a/b").data_dir, Path::new("/a/b"));
        assert_eq!(place("b").data_dir, std::env::current_dir().unwrap().join("b"));
    }
}
