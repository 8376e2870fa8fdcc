//! kcat's options: each takes effect, or fails, where it stands on the command line.

use std::env;
use std::ffi::OsStr;
use std::io::{IsTerminal, stdin};
use std::os::unix::ffi::OsStrExt;

use super::args::{self, Item};
use super::say::{Ended, Say, fatal, raw};
use super::{brokers, config_file, delimiter, system_says, usage};
use crate::client::bare::{Kind, Milliseconds, Place, Settings};
use crate::client::{Code, properties};
use crate::embedded::Lease;
use crate::layout::c_number;
use crate::output::kcat::{Field, Fields, Format, Unpack};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Consume,
    Group,
    List,
    Produce,
    Query,
}

/// Where a consumer begins; kcat takes a time over an offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// librdkafka's own number of it.
    pub offset: Option<i64>,
    pub time_ms: Option<i64>,
}

/// Lines of the input, or whole files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    Stdin,
    Lines(String),
    Files(Vec<String>),
}

/// What a command line says, but for the properties.
pub struct Options {
    /// Keeps the built-in broker, where it is that one, for as long as the run lasts.
    _lease: Option<Lease>,
    pub mode: Mode,
    pub say: Say,
    pub debug: bool,
    pub topic: String,
    pub has_topic: bool,
    pub queries: Vec<Place>,
    /// `None` for all, or for the partitioner's choice.
    pub partition: Option<i32>,
    pub group: String,
    /// Words that are no options.
    pub others: Vec<String>,
    pub input: Input,
    pub start: Start,
    pub stop_ms: Option<i64>,
    pub exit_at_end: bool,
    /// None for 0 and below.
    pub count: Option<u64>,
    pub patience: Milliseconds,
    pub delimiter: Vec<u8>,
    pub key_delimiter: Option<Vec<u8>>,
    pub fixed_key: Option<Vec<u8>>,
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub empty_is_null: bool,
    pub tee: bool,
    pub unbuffered: bool,
    pub format: Format,
    pub json: bool,
    pub fields: Fields,
}

/// What is known while options are read.
struct Parser {
    argv0: String,
    settings: Settings,
    say: Say,
    mode: Option<Mode>,
    named_brokers: bool,
    brokers: Option<String>,
    topic: Option<String>,
    queries: Vec<Place>,
    partition: i32,
    group: String,
    offset: Option<i64>,
    start_ms: i64,
    stop_ms: i64,
    exit_at_end: bool,
    count: i64,
    timeout_s: i64,
    delimiter: Vec<u8>,
    key_delimiter: Option<Vec<u8>>,
    fixed_key: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    lines: bool,
    null: bool,
    tee: bool,
    unbuffered: bool,
    format: Option<Vec<u8>>,
    json: bool,
    unpack: [Option<Vec<u8>>; 2],
    debug: bool,
    dump: bool,
    modern: bool,
    modern_was_set: bool,
    config_search: bool,
    config_files: usize,
}

/// Reads a command line. What it asks to be printed alone has been printed when it ends.
pub fn parse(argv0: &str, words: &[Vec<u8>]) -> Result<(Options, Settings), Ended> {
    // Images whose entry point is kcat get its name as a first word from old examples.
    let words = match words.first().map(Vec::as_slice) {
        Some(b"kcat" | b"kafkacat") => &words[1..],
        _ => words,
    };
    let strict = env::var_os("POSIXLY_CORRECT").is_some();
    let found = args::parse(words, strict);
    let mut parser = Parser::new(argv0);
    for item in found.options {
        parser.take(item)?;
    }
    parser.read_config_files()?;
    if parser.dump {
        return Err(parser.dump());
    }
    parser.finish(&found.others)
}

impl Parser {
    fn new(argv0: &str) -> Parser {
        Parser {
            argv0: argv0.to_owned(),
            settings: Settings::new(),
            say: Say { verbosity: 1, exit_on_error: true },
            mode: None,
            named_brokers: false,
            brokers: None,
            topic: None,
            queries: Vec::new(),
            partition: -1,
            group: String::new(),
            offset: None,
            start_ms: 0,
            stop_ms: 0,
            exit_at_end: false,
            count: 0,
            timeout_s: 5,
            delimiter: b"\n".to_vec(),
            key_delimiter: None,
            fixed_key: None,
            headers: Vec::new(),
            lines: false,
            null: false,
            tee: false,
            unbuffered: false,
            format: None,
            json: false,
            unpack: [None, None],
            debug: false,
            dump: false,
            modern: false,
            modern_was_set: false,
            config_search: true,
            config_files: 0,
        }
    }

    fn wrong(&self, why: &str) -> Ended {
        raw(&usage::wrong(&self.argv0, why));
        Ended::With(1)
    }

    /// A flat table of kcat's letters.
    fn take(&mut self, item: Item) -> Result<(), Ended> {
        let Item::Option(letter, word) = item else { return Err(self.wrong("unknown argument")) };
        let number = || c_number::signed(&word, 10).0;
        match letter {
            b'P' => self.mode = Some(Mode::Produce),
            b'C' => self.mode = Some(Mode::Consume),
            b'L' => self.mode = Some(Mode::List),
            b'Q' => self.mode = Some(Mode::Query),
            b'G' => {
                self.mode = Some(Mode::Group);
                self.group = text(&word);
                self.settings.set("group.id", &self.group).map_err(Ended::Fatal)?;
            }
            b'M' => return fatal("-M is not supported by kaw yet: use `kaw broker --ephemeral`"),
            b't' if self.mode == Some(Mode::Query) => {
                self.queries.push(query(&word).map_err(Ended::Fatal)?);
                self.modern = true;
            }
            b't' => self.topic = Some(text(&word)),
            b'p' => self.partition = number() as i32,
            b'b' => {
                self.brokers = Some(text(&word));
                self.named_brokers = true;
            }
            b'z' => self.set("compression.codec", &word)?,
            b'o' => self.start_or_stop(&word),
            b'e' => self.exit_at_end = true,
            b'E' => self.say.exit_on_error = false,
            b'f' => self.format = Some(word),
            b'J' => self.json = true,
            b's' => self.unpack(&word)?,
            b'r' => return fatal(NO_AVRO),
            b'D' => self.delimiter = word,
            b'K' => self.key_delimiter = Some(word),
            b'k' => self.fixed_key = Some(word),
            b'H' => self.headers.push(header(&word).map_err(Ended::Fatal)?),
            b'l' => self.lines = true,
            b'O' => {}
            b'c' => self.count = number(),
            b'm' => self.timeout_s = number(),
            b'Z' => self.null = true,
            b'd' => {
                self.debug = true;
                self.set("debug", &word)?;
            }
            b'q' => self.say.verbosity = 0,
            b'v' => self.say.verbosity += 1,
            b'T' => self.tee = true,
            b'u' => self.unbuffered = true,
            b'F' => self.config_file(&word)?,
            b'X' => self.property(&word)?,
            b'U' => return Err(Ended::With(0)),
            b'V' => return Err(usage::print(&usage::version())),
            b'h' => return Err(usage::print(&usage::help(&self.argv0))),
            _ => return Err(self.wrong("unknown argument")),
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: &[u8]) -> Result<(), Ended> {
        self.settings.set(name, &text(value)).map_err(Ended::Fatal)
    }

    fn start_or_stop(&mut self, word: &[u8]) {
        const END: i64 = -1;
        const BEGINNING: i64 = -2;
        const STORED: i64 = -1000;
        const TAIL: i64 = -2000;
        let number = |word| c_number::signed(word, 10).0;
        match word {
            b"end" => self.offset = Some(END),
            b"beginning" => self.offset = Some(BEGINNING),
            b"stored" => self.offset = Some(STORED),
            [b's', b'@', time @ ..] => {
                self.start_ms = number(time);
                self.modern = true;
            }
            [b'e', b'@', time @ ..] => {
                self.stop_ms = number(time);
                self.modern = true;
            }
            word => {
                let offset = number(word);
                self.offset = Some(if offset < 0 { TAIL.wrapping_add(offset) } else { offset });
            }
        }
    }

    fn unpack(&mut self, word: &[u8]) -> Result<(), Ended> {
        let (fields, letters): (&[Field], _) = match word {
            [b'k', b'e', b'y', b'=', letters @ ..] => (&[Field::Key], letters),
            [b'v', b'a', b'l', b'u', b'e', b'=', letters @ ..] => (&[Field::Value], letters),
            letters => (&[Field::Key, Field::Value], letters),
        };
        for &field in fields {
            if letters != b"avro" {
                Unpack::parse(field, letters).map_err(Ended::Fatal)?;
            }
            self.unpack[field as usize] = Some(letters.to_vec());
        }
        Ok(())
    }

    fn property(&mut self, word: &[u8]) -> Result<(), Ended> {
        match word {
            b"list" | b"help" => return Err(usage::print(&properties())),
            b"dump" => {
                self.dump = true;
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
        self.try_set(&text(&word[..at]), &text(&word[at + 1..])).map_err(Ended::Fatal)
    }

    fn try_set(&mut self, name: &str, value: &str) -> Result<(), String> {
        if name.starts_with("schema.registry.") {
            return Err(NO_AVRO.to_owned());
        }
        self.settings.set_of_either(name, value)?;
        self.named_brokers |= matches!(name, "metadata.broker.list" | "bootstrap.servers");
        self.modern_was_set |= name == "api.version.request";
        if 1 <= self.say.verbosity {
            self.settings.tell_of_throttling(|broker, id, ms| {
                raw(&format!("% Broker {broker} ({id}) throttled request for {ms}ms\n"));
            });
        }
        Ok(())
    }

    fn config_file(&mut self, word: &[u8]) -> Result<(), Ended> {
        self.config_search = false;
        if word != b"-" && word != b"none" {
            self.read_config_file(OsStr::from_bytes(word), 1).or_else(fatal)?;
            self.config_files += 1;
        }
        Ok(())
    }

    /// Sets all that is in a file; the outer error is that it cannot be opened.
    fn read_config_file(&mut self, path: &OsStr, verbosity: i32) -> Result<(), String> {
        let shown = path.to_string_lossy();
        let bytes = config_file::open(path)
            .map_err(|error| format!("Failed to open {shown}: {}", system_says(&error)))?;
        self.say.info(verbosity, &format!("Reading configuration from file {shown}"));
        for (number, line) in config_file::lines(&bytes) {
            let wrong = |why: &str| format!("{shown}:{number}: {why}\n");
            let (name, value) = line.ok_or_else(|| wrong("expected property=value"))?;
            for (name, value) in config_file::of_librdkafka(&name, &value) {
                self.try_set(&name, &value).map_err(|why| wrong(&why))?;
            }
        }
        Ok(())
    }

    fn read_config_files(&mut self) -> Result<(), Ended> {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        if self.config_files == 0 {
            let named = set("KCAT_CONFIG").or_else(|| {
                let old = set("KAFKACAT_CONFIG")?;
                self.say.info(1, "KAFKA_CONFIG is deprecated!");
                self.say.info(1, "Rename KAFKA_CONFIG to KCAT_CONFIG");
                Some(old)
            });
            if let Some(path) = named {
                self.config_search = false;
                self.read_config_file(&path, 1).or_else(fatal)?;
            }
        }
        let Some(home) = set("HOME").filter(|_| self.config_search) else { return Ok(()) };
        let home = std::path::Path::new(&home).join(".config");
        let (new, old) = (home.join("kcat.conf"), home.join("kafkacat.conf"));
        if config_file::open(new.as_os_str()).is_ok() {
            self.read_config_file(new.as_os_str(), 3).or_else(fatal)?;
        } else if config_file::open(old.as_os_str()).is_ok() {
            self.read_config_file(old.as_os_str(), 3).or_else(fatal)?;
            self.say.info(1, "Configuration filename kafkacat.conf is deprecated!");
            self.say.info(1, &format!("Rename {} to {}", old.display(), new.display()));
        }
        Ok(())
    }

    fn dump(&self) -> Ended {
        let [global, topic] = self.settings.all();
        let lines = |pairs: &[(String, String)]| -> String {
            pairs.iter().map(|(name, value)| format!("{name} = {value}\n")).collect()
        };
        let (global, topic) = (lines(&global), lines(&topic));
        usage::print(&format!("# Global config\n{global}\n# Topic config\n{topic}\n"))
    }

    /// All words are read: what they say together.
    fn finish(mut self, others: &[Vec<u8>]) -> Result<(Options, Settings), Ended> {
        let mode = self.mode.unwrap_or_else(|| self.guess());
        self.check(mode)?;
        let reads = mode.reads();
        let fields = self.fields(reads)?;
        let key_delimiter = self.key_delimiter.as_deref().map(delimiter::parse).transpose();
        let key_delimiter = key_delimiter.map_err(Ended::Fatal)?;
        let delimiter = delimiter::parse(&self.delimiter).map_err(Ended::Fatal)?;
        let mut format = Format::default();
        if reads {
            let _ = self.settings.set("enable.partition.eof", "true");
            self.look_again_soon();
            let text = self.format.clone();
            let text = text
                .unwrap_or_else(|| default_format(self.json, key_delimiter.as_deref(), &delimiter));
            format = Format::parse(&text).map_err(Ended::Fatal)?;
        } else if mode == Mode::Produce && delimiter.is_empty() {
            return fatal("Message delimiter -D must not be empty when producing");
        }
        if (self.modern || format.is_modern()) && !self.modern_was_set {
            self.say.info(2, "Automatically enabling api.version.request=true");
            let _ = self.settings.set("api.version.request", "true");
        }
        let others: Vec<String> = others.iter().map(|word| text(word)).collect();
        let input = self.input(mode, &others)?;
        if mode == Mode::Group && (self.start_ms != 0 || self.stop_ms != 0) {
            return fatal("-o ..@ timestamps can't be used with -G mode\n");
        }
        let lease = match self.named_brokers {
            true => None,
            false => brokers::choose(&mut self.settings)?,
        };
        let some = |ms: i64| (ms != 0).then_some(ms);
        let options = Options {
            _lease: lease,
            mode,
            say: self.say,
            debug: self.debug,
            has_topic: self.topic.is_some(),
            topic: self.topic.unwrap_or_default(),
            queries: self.queries,
            partition: (self.partition != -1).then_some(self.partition),
            group: self.group,
            others,
            input,
            start: Start { offset: self.offset, time_ms: some(self.start_ms) },
            stop_ms: some(self.stop_ms),
            exit_at_end: self.exit_at_end,
            count: u64::try_from(self.count).ok().filter(|count| *count != 0),
            patience: Milliseconds((self.timeout_s as i32).wrapping_mul(1000)),
            delimiter,
            key_delimiter,
            fixed_key: self.fixed_key,
            headers: self.headers,
            empty_is_null: self.null,
            tee: self.tee,
            unbuffered: self.unbuffered,
            format,
            json: self.json,
            fields,
        };
        Ok((options, self.settings))
    }

    /// What kcat looks at first, with all of its usage where it is wrong.
    fn check(&mut self, mode: Mode) -> Result<(), Ended> {
        let needs_topic = matches!(mode, Mode::Consume | Mode::Produce);
        if needs_topic && self.topic.is_none() {
            return Err(self.wrong("-t <topic> missing"));
        }
        if mode == Mode::Query && self.queries.is_empty() {
            return Err(self.wrong("-t <topic>:<partition>:<offset_or_timestamp> missing"));
        }
        if let Some(brokers) = &self.brokers {
            let set = self.settings.set("metadata.broker.list", brokers);
            set.map_err(|why| self.wrong(&why))?;
        }
        Ok(())
    }

    /// A queue that was full is looked at again after a second, where nobody said otherwise: a
    /// reader that is quicker than that would wait for most of its time.
    fn look_again_soon(&mut self) {
        const NAME: &str = "fetch.queue.backoff.ms";
        if self.settings.get(NAME).as_deref() == Some("1000") {
            let _ = self.settings.set(NAME, "5");
        }
    }

    fn guess(&self) -> Mode {
        let (mode, name) = match stdin().is_terminal() {
            true => (Mode::Consume, "Consumer"),
            false => (Mode::Produce, "Producer"),
        };
        self.say.info(1, &format!("Auto-selecting {name} mode (use -P or -C to override)"));
        mode
    }

    fn fields(&self, reads: bool) -> Result<Fields, Ended> {
        // The value comes first in kcat's own order.
        for letters in self.unpack.iter().rev().flatten() {
            if !reads {
                return fatal("-s serdes only available in the consumer");
            }
            if letters == b"avro" {
                return fatal(NO_AVRO);
            }
        }
        let of = |field: Field| {
            let letters = self.unpack[field as usize].as_ref()?;
            Unpack::parse(field, letters).ok()
        };
        Ok(Fields {
            unpack_key: of(Field::Key),
            unpack_value: of(Field::Value),
            null: self.null.then_some(b"NULL"),
        })
    }

    fn input(&self, mode: Mode, others: &[String]) -> Result<Input, Ended> {
        let Some(first) = others.first() else { return Ok(Input::Stdin) };
        if !matches!(mode, Mode::Produce | Mode::Group) {
            let why = "file/topic list only allowed in producer(-P)/kafkaconsumer(-G) mode";
            return Err(self.wrong(why));
        }
        if !self.lines {
            return Ok(Input::Files(others.to_vec()));
        }
        if 1 < others.len() {
            return fatal("Only one file allowed for line mode (-l)");
        }
        if let Err(error) = std::fs::File::open(first) {
            return fatal(format!("Cannot open {first}: {}", system_says(&error)));
        }
        Ok(Input::Lines(first.clone()))
    }
}

const NO_AVRO: &str = "This build of kcat lacks Avro/Schema-Registry support";

impl Mode {
    /// Whether it prints records.
    pub fn reads(self) -> bool {
        matches!(self, Mode::Consume | Mode::Group)
    }

    /// Which half of librdkafka it runs on.
    pub fn kind(self) -> Kind {
        if self.reads() { Kind::Consumer } else { Kind::Producer }
    }
}

/// Delimiters are tokens of the format too, and what does not fit kcat's buffer is cut off.
fn default_format(json: bool, key_delimiter: Option<&[u8]>, delimiter: &[u8]) -> Vec<u8> {
    const BYTES_MAX: usize = 63;
    let mut format = match (json, key_delimiter) {
        (true, _) => return delimiter.to_vec(),
        (false, None) => [b"%s", delimiter].concat(),
        (false, Some(key_delimiter)) => [b"%k", key_delimiter, b"%s", delimiter].concat(),
    };
    format.truncate(BYTES_MAX);
    format
}

/// `NAME=VALUE`, or `NAME` alone for one without a value.
fn header(word: &[u8]) -> Result<(Vec<u8>, Option<Vec<u8>>), String> {
    let at = word.iter().position(|byte| *byte == b'=');
    match at {
        Some(0) => {}
        None if word.is_empty() => {}
        None => return Ok((word.to_vec(), None)),
        Some(at) => return Ok((word[..at].to_vec(), Some(word[at + 1..].to_vec()))),
    }
    Err("Expected -H \"name=value..\" or -H \"name\"".to_owned())
}

/// `TOPIC:PARTITION:TIME`, with numbers in C's notation.
fn query(word: &[u8]) -> Result<Place, String> {
    let wrong = || "-t: expected \"topic:partition:offset_or_timestamp\"".to_owned();
    let mut parts = word.splitn(3, |byte| *byte == b':');
    let (Some(topic), Some(partition), Some(time)) = (parts.next(), parts.next(), parts.next())
    else {
        return Err(wrong());
    };
    let (partition, partition_bytes) = c_number::unsigned(partition, 0);
    let (offset, offset_bytes) = c_number::signed(time, 0);
    if partition_bytes == 0 || offset_bytes == 0 {
        return Err(wrong());
    }
    Ok(Place { topic: text(topic), partition: partition as i32, offset, code: Code::NONE })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
