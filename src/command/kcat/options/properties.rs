//! Properties of librdkafka: from `-X`, from files, and from where files are looked for.

use std::env;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{NO_AVRO, config_file, text};
use crate::client::bare::Settings;
use crate::client::properties;
use crate::command::kcat::say::{Ended, Say, fatal, raw};
use crate::command::kcat::{system_says, usage};

/// What is set, and what was said of it.
pub struct Properties {
    pub settings: Settings,
    /// Somebody said where the brokers are.
    pub names_brokers: bool,
    /// Somebody said whether brokers are asked what they can.
    pub names_api_versions: bool,
    pub is_dump_wanted: bool,
    searches: bool,
    files: usize,
}

impl Properties {
    pub fn new() -> Properties {
        Properties {
            settings: Settings::new(),
            names_brokers: false,
            names_api_versions: false,
            is_dump_wanted: false,
            searches: true,
            files: 0,
        }
    }

    pub fn set(&mut self, name: &str, value: &[u8]) -> Result<(), Ended> {
        self.settings.set(name, &text(value)).map_err(Ended::Fatal)
    }

    /// `-X`
    pub fn property(&mut self, word: &[u8], say: &Say) -> Result<(), Ended> {
        match word {
            b"list" | b"help" => return Err(usage::print(&properties())),
            b"dump" => {
                self.is_dump_wanted = true;
                return Ok(());
            }
            _ => {}
        }
        let Some(at) = word.iter().position(|byte| *byte == b'=') else {
            raw(&format!(
                "% Expected -X property=value, not {}, use -X list to display available \
                 properties\n",
                text(word)
            ));
            return Err(Ended::With(1));
        };
        self.try_set(&text(&word[..at]), &text(&word[at + 1..]), say).map_err(Ended::Fatal)
    }

    fn try_set(&mut self, name: &str, value: &str, say: &Say) -> Result<(), String> {
        if name.starts_with("schema.registry.") {
            return Err(NO_AVRO.to_owned());
        }
        self.settings.set_of_either(name, value)?;
        self.names_brokers |= matches!(name, "metadata.broker.list" | "bootstrap.servers");
        self.names_api_versions |= name == "api.version.request";
        if 1 <= say.verbosity {
            self.settings.tell_of_throttling(|broker, id, ms| {
                raw(&format!("% Broker {broker} ({id}) throttled request for {ms}ms\n"));
            });
        }
        Ok(())
    }

    /// `-F`
    pub fn file(&mut self, word: &[u8], say: &Say) -> Result<(), Ended> {
        self.searches = false;
        if word != b"-" && word != b"none" {
            self.read(OsStr::from_bytes(word), say, 1).or_else(fatal)?;
            self.files += 1;
        }
        Ok(())
    }

    /// Sets all that is in a file; the outer error is that it cannot be opened.
    fn read(&mut self, path: &OsStr, say: &Say, verbosity: i32) -> Result<(), String> {
        let shown = path.to_string_lossy();
        let bytes = config_file::open(path)
            .map_err(|error| format!("Failed to open {shown}: {}", system_says(&error)))?;
        say.info(verbosity, &format!("Reading configuration from file {shown}"));
        for (number, line) in config_file::lines(&bytes) {
            let wrong = |why: &str| format!("{shown}:{number}: {why}\n");
            let (name, value) = line.ok_or_else(|| wrong("expected property=value"))?;
            for (name, value) in config_file::of_librdkafka(&name, &value) {
                self.try_set(&name, &value, say).map_err(|why| wrong(&why))?;
            }
        }
        Ok(())
    }

    /// Reads the files that are there without being named on the command line.
    pub fn search(&mut self, say: &Say) -> Result<(), Ended> {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        if self.files == 0 {
            let named = set("KCAT_CONFIG").or_else(|| {
                let old = set("KAFKACAT_CONFIG")?;
                say.info(1, "KAFKA_CONFIG is deprecated!");
                say.info(1, "Rename KAFKA_CONFIG to KCAT_CONFIG");
                Some(old)
            });
            if let Some(path) = named {
                self.searches = false;
                self.read(&path, say, 1).or_else(fatal)?;
            }
        }
        let Some(home) = set("HOME").filter(|_| self.searches) else { return Ok(()) };
        let home = Path::new(&home).join(".config");
        let (new, old) = (home.join("kcat.conf"), home.join("kafkacat.conf"));
        if config_file::open(new.as_os_str()).is_ok() {
            self.read(new.as_os_str(), say, 3).or_else(fatal)?;
        } else if config_file::open(old.as_os_str()).is_ok() {
            self.read(old.as_os_str(), say, 3).or_else(fatal)?;
            say.info(1, "Configuration filename kafkacat.conf is deprecated!");
            say.info(1, &format!("Rename {} to {}", old.display(), new.display()));
        }
        Ok(())
    }

    pub fn dump(&self) -> Ended {
        let [global, topic] = self.settings.all();
        let lines = |pairs: &[(String, String)]| -> String {
            pairs.iter().map(|(name, value)| format!("{name} = {value}\n")).collect()
        };
        let (global, topic) = (lines(&global), lines(&topic));
        usage::print(&format!("# Global config\n{global}\n# Topic config\n{topic}\n"))
    }
}
