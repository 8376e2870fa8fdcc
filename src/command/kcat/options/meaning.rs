//! What all the words of a command line say together, and kcat's defaults for what none says.

use std::io::{IsTerminal, stdin};

use super::said::Said;
use super::{Input, Mode, NO_AVRO, Options, Start, delimiter, text};
use crate::client::bare::{Milliseconds, Settings};
use crate::command::kcat::brokers;
use crate::command::kcat::say::{Ended, fatal};
use crate::command::kcat::system_says;
use crate::output::kcat::{Field, Fields, Format, Unpack};

/// The checks come in kcat's own order: the first mistake is the one that is told.
pub fn of(mut said: Said, others: &[Vec<u8>]) -> Result<(Options, Settings), Ended> {
    let mode = said.mode.unwrap_or_else(|| guess(&said));
    check(&mut said, mode)?;
    let fields = fields(&said, mode)?;
    let key_delimiter = said.key_delimiter.as_deref().map(delimiter::parse).transpose();
    let key_delimiter = key_delimiter.map_err(Ended::Fatal)?;
    let delimiter = delimiter::parse(&said.delimiter).map_err(Ended::Fatal)?;
    if mode == Mode::Produce && delimiter.is_empty() {
        return fatal("Message delimiter -D must not be empty when producing");
    }
    let format = match mode.reads() {
        true => format(&mut said, key_delimiter.as_deref(), &delimiter)?,
        false => Format::default(),
    };
    if (said.modern || format.is_modern()) && !said.properties.names_api_versions {
        // It is librdkafka's default, and deprecated: who sets it is warned of that.
        said.say.info(2, "Automatically enabling api.version.request=true");
    }
    let others: Vec<String> = others.iter().map(|word| text(word)).collect();
    let input = input(&said, mode, &others)?;
    if mode == Mode::Group && (said.start_ms != 0 || said.stop_ms != 0) {
        return fatal("-o ..@ timestamps can't be used with -G mode\n");
    }
    let lease = match (mode, said.properties.names_brokers) {
        (Mode::Mock(_), _) | (_, true) => None,
        (_, false) => brokers::choose(&mut said.properties.settings)?,
    };
    let some = |ms: i64| (ms != 0).then_some(ms);
    let options = Options {
        _lease: lease,
        mode,
        say: said.say,
        debug: said.debug,
        has_topic: said.topic.is_some(),
        topic: said.topic.unwrap_or_default(),
        queries: said.queries,
        partition: (said.partition != -1).then_some(said.partition),
        group: said.group,
        others,
        input,
        start: Start { offset: said.offset, time_ms: some(said.start_ms) },
        stop_ms: some(said.stop_ms),
        exit_at_end: said.exit_at_end,
        count: u64::try_from(said.count).ok().filter(|count| *count != 0),
        patience: Milliseconds((said.timeout_s as i32).wrapping_mul(1000)),
        delimiter,
        key_delimiter,
        fixed_key: said.fixed_key,
        headers: said.headers,
        empty_is_null: said.null,
        tee: said.tee,
        unbuffered: said.unbuffered,
        format,
        json: said.json,
        fields,
    };
    Ok((options, said.properties.settings))
}

fn guess(said: &Said) -> Mode {
    let (mode, name) = match stdin().is_terminal() {
        true => (Mode::Consume, "Consumer"),
        false => (Mode::Produce, "Producer"),
    };
    said.say.info(1, &format!("Auto-selecting {name} mode (use -P or -C to override)"));
    mode
}

/// What kcat looks at first, with all of its usage where it is wrong.
fn check(said: &mut Said, mode: Mode) -> Result<(), Ended> {
    let needs_topic = matches!(mode, Mode::Consume | Mode::Produce);
    if needs_topic && said.topic.is_none() {
        return Err(said.wrong("-t <topic> missing"));
    }
    if mode == Mode::Query && said.queries.is_empty() {
        return Err(said.wrong("-t <topic>:<partition>:<offset_or_timestamp> missing"));
    }
    if let Some(brokers) = &said.brokers {
        let set = said.properties.settings.set("metadata.broker.list", brokers);
        set.map_err(|why| said.wrong(&why))?;
    }
    Ok(())
}

fn fields(said: &Said, mode: Mode) -> Result<Fields, Ended> {
    // The value comes first in kcat's own order.
    for letters in said.unpack.iter().rev().flatten() {
        if !mode.reads() {
            return fatal("-s serdes only available in the consumer");
        }
        if letters == b"avro" {
            return fatal(NO_AVRO);
        }
    }
    let of = |field: Field| {
        let letters = said.unpack[field as usize].as_ref()?;
        Unpack::parse(field, letters).ok()
    };
    Ok(Fields {
        unpack_key: of(Field::Key),
        unpack_value: of(Field::Value),
        null: said.null.then_some(b"NULL"),
    })
}

fn format(said: &mut Said, key_delimiter: Option<&[u8]>, end: &[u8]) -> Result<Format, Ended> {
    let settings = &mut said.properties.settings;
    let _ = settings.set("enable.partition.eof", "true");
    look_again_soon(settings);
    let usual = || default_format(said.json, key_delimiter, end);
    Format::parse(&said.format.clone().unwrap_or_else(usual)).map_err(Ended::Fatal)
}

/// A queue that was full is looked at again after a second, where nobody said otherwise: a reader
/// that is quicker than that would wait for most of its time.
fn look_again_soon(settings: &mut Settings) {
    const NAME: &str = "fetch.queue.backoff.ms";
    if settings.get(NAME).as_deref() == Some("1000") {
        let _ = settings.set(NAME, "5");
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

fn input(said: &Said, mode: Mode, others: &[String]) -> Result<Input, Ended> {
    let Some(first) = others.first() else { return Ok(Input::Stdin) };
    if !matches!(mode, Mode::Produce | Mode::Group) {
        let why = "file/topic list only allowed in producer(-P)/kafkaconsumer(-G) mode";
        return Err(said.wrong(why));
    }
    if !said.lines {
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
