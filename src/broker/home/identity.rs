//! meta.properties: the ids of a data directory, as Apache Kafka writes and reads them.
//! Never knows: the catalogue, which repeats the directory's id.

use std::fs;
use std::path::Path;

use super::{Error, META, files, lost};
use crate::broker::Identity;
use crate::record::Uuid;

// Apache's broker checks these against its own (MetaPropertiesEnsemble.java).
impl Identity {
    /// What the directory says of itself, or `None` in a new one.
    pub fn load(dir: &Path) -> Result<Option<Identity>, Error> {
        let path = dir.join(META);
        let Some(text) = text(dir, stranger)? else { return Ok(None) };
        let pairs = files::properties(&text).map_err(|what| Error::damaged(&path, what))?;
        Identity::parse(dir, &pairs).map(Some)
    }

    fn parse(dir: &Path, pairs: &[(String, String)]) -> Result<Identity, Error> {
        let path = dir.join(META);
        let get = |key: &str| {
            let found = pairs.iter().rfind(|(name, _)| name == key);
            found.map(|(_, value)| value.as_str())
        };
        let need = |key: &str| get(key).ok_or(Error::damaged(&path, format!("{key} is missing")));
        // Version 0 is a ZooKeeper broker's (MetaPropertiesVersion.java).
        let version: u32 = need("version")?
            .parse()
            .map_err(|_| Error::damaged(&path, "its version is not a number"))?;
        if version != 1 {
            let by = "another Kafka (so says meta.properties)".to_owned();
            return Err(match version {
                0 => Error::damaged(&path, "it is of a broker with ZooKeeper"),
                format => Error::Newer { dir: dir.to_owned(), by, format },
            });
        }
        let node_id = need("node.id")?.parse();
        let directory_id = need("directory.id").map(Uuid::parse)?;
        Ok(Identity {
            node_id: node_id.map_err(|_| Error::damaged(&path, "node.id is not a number"))?,
            cluster_id: need("cluster.id")?.to_owned(),
            directory_id: directory_id
                .ok_or_else(|| Error::damaged(&path, "directory.id is not an id"))?,
        })
    }

    /// New ids for a new directory.
    pub fn make(dir: &Path, durable: bool) -> Result<Identity, Error> {
        let identity =
            Identity { node_id: 1, cluster_id: random_id().to_string(), directory_id: random_id() };
        let text = format!(
            "version=1\nnode.id={}\ndirectory.id={}\ncluster.id={}\n",
            identity.node_id, identity.directory_id, identity.cluster_id
        );
        let path = dir.join(META);
        // The catalogue will name the directory's id: it must not outlive it.
        match durable {
            true => files::replace_durably(&path, &text)?,
            false => files::replace(&path, &text)?,
        }
        Ok(identity)
    }
}

pub(super) fn random_id() -> Uuid {
    loop {
        if let Some(id) = Uuid::from_random(super::door::random_bytes()) {
            return id;
        }
    }
}

/// What meta.properties says, if the directory has one or `stranger` finds what it should be for.
fn text(
    dir: &Path,
    stranger: impl FnOnce(&Path) -> Option<String>,
) -> Result<Option<String>, Error> {
    let read = || files::read(&dir.join(META));
    if let Some(text) = read()? {
        return Ok(Some(text));
    }
    let Some(found) = stranger(dir) else { return Ok(None) };
    // Who asks without the lock may have come while another made the directory: that one writes
    // this file before all others.
    match read()? {
        Some(text) => Ok(Some(text)),
        None => match lost::lines(dir) {
            Some(lines) => Err(Error::Nameless { dir: dir.to_owned(), lines }),
            None => Err(Error::Foreign { dir: dir.to_owned(), found }),
        },
    }
}

/// Something in the directory that no broker put there before its first meta.properties.
fn stranger(dir: &Path) -> Option<String> {
    let known = |name: &str| {
        [super::LOCK, super::DOOR, super::NOTICE, super::CONF, "lost+found"].contains(&name)
            || name.ends_with(".tmp")
            || name.starts_with(super::LOG)
    };
    let entries = fs::read_dir(dir).ok()?.filter_map(Result::ok);
    let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.find(|name| !known(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_while_a_directory_is_made_takes_it_for_what_it_becomes() {
        let dir = crate::broker::home::temporary_dir().unwrap();
        let found = text(&dir, |dir| {
            fs::write(dir.join(META), "version=1\n").unwrap();
            stranger(dir)
        });
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(found.unwrap().as_deref(), Some("version=1\n"));
    }
}
