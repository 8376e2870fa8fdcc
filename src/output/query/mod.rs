//! jq expressions over records: which to keep, and what to print of them.
//!
//! A record is what `-J` prints of it, but that a value which is JSON is that JSON, and so is a key
//! which is an object or an array: a key of digits is a name far more often than a number.

mod sees;
mod value;

use std::collections::BTreeSet;

use jaq_core::data::JustLut;
use jaq_core::load::{self, Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Filter, Vars};
use jaq_json::{Map, Num, Val};

use crate::record::{Delivered, Header, TimestampType};
use sees::{Extent, Sees};

/// Errors are shown with the value that they are about, which may be a whole record.
const SHOWN_CHARS_MAX: usize = 200;

/// A compiled expression.
pub struct Query {
    filter: Filter<JustLut<Val>>,
    sees: Sees,
    names: Names,
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strings {
    /// As they are, without quotes.
    Raw,
    Json,
}

impl Query {
    /// Compiles an expression; the error says what is wrong in which column.
    pub fn compile(text: &str) -> Result<Query, String> {
        let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
        let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
        let arena = Arena::default();
        let file = File { code: text, path: () };
        let modules = Loader::new(defs).load(&arena, file).map_err(|e| not_loaded(text, e))?;
        let filter = Compiler::default().with_funs(funs).compile(modules);
        Ok(Query {
            filter: filter.map_err(|errors| not_compiled(text, errors))?,
            sees: Sees::of(text),
            names: Names::new(),
        })
    }

    pub fn needs_headers(&self) -> bool {
        self.sees.headers
    }

    /// Whether any result is neither null nor false; no result at all drops the record.
    pub fn keeps(&self, delivered: &Delivered<'_>) -> Result<bool, String> {
        for result in self.results(delivered) {
            if !matches!(result?, Val::Null | Val::Bool(false)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Appends each result, followed by `end`, and tells how many there were. A record that fails
    /// prints nothing at all.
    pub fn print(
        &self,
        delivered: &Delivered<'_>,
        strings: Strings,
        end: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<usize, String> {
        let start = out.len();
        let mut count = 0;
        for result in self.results(delivered) {
            let printed = result.map(|result| match (&result, strings) {
                (Val::TStr(text) | Val::BStr(text), Strings::Raw) => out.extend_from_slice(text),
                _ => value::push(&result, out),
            });
            printed.inspect_err(|_| out.truncate(start))?;
            out.extend_from_slice(end);
            count += 1;
        }
        Ok(count)
    }

    fn results(&self, delivered: &Delivered<'_>) -> impl Iterator<Item = Result<Val, String>> {
        let context = Ctx::<JustLut<Val>>::new(&self.filter.lut, Vars::new([]));
        let results = self.filter.id.run((context, self.record(delivered)));
        results.map(|result| {
            result.map_err(|exception| match exception.get_err() {
                Ok(error) => shortened(&error.to_string()),
                Err(_) => "halt ends a program, and here is none".to_owned(),
            })
        })
    }

    /// The record, as far as the expression looks at it.
    fn record(&self, delivered: &Delivered<'_>) -> Val {
        let Query { sees, names, .. } = self;
        let mut map = Map::default();
        let mut put = |is_seen: bool, name: &Val, value: &dyn Fn() -> Val| {
            if is_seen {
                map.insert(name.clone(), value());
            }
        };
        let number = |number: i64| Val::Num(Num::from_integral(number));
        let (partition, offset) = (delivered.partition.get().into(), delivered.offset.get());
        put(sees.topic, &names.topic, &|| value::text(delivered.topic));
        put(sees.partition, &names.partition, &|| number(partition));
        put(sees.offset, &names.offset, &|| number(offset));
        put(sees.timestamp, &names.timestamp, &|| {
            delivered.timestamp.map_or(Val::Null, |(_, time)| number(time.get()))
        });
        put(sees.timestamp_type, &names.timestamp_type, &|| match delivered.timestamp {
            None => Val::Null,
            Some((TimestampType::CreateTime, _)) => value::text("create"),
            Some((TimestampType::LogAppendTime, _)) => value::text("logappend"),
        });
        put(sees.leader_epoch, &names.leader_epoch, &|| {
            delivered.leader_epoch.map_or(Val::Null, |epoch| number(epoch.get().into()))
        });
        put(sees.headers, &names.headers, &|| {
            delivered.record.headers.iter().map(|header| self.header(header)).collect()
        });
        let (key, value) = (delivered.record.key, delivered.record.value);
        if sees.key {
            names.put_key(key, &mut map, value::of_key);
        }
        match &sees.value {
            Extent::Nothing => {}
            Extent::Whole => names.put_value(value, &mut map, value::of_value),
            Extent::Fields(fields) => {
                names.put_value(value, &mut map, |text| value::of_fields(text, fields));
            }
        }
        Val::obj(map)
    }

    fn header(&self, header: &Header<'_>) -> Val {
        let mut map = Map::default();
        self.names.put_key(Some(header.name), &mut map, value::text);
        self.names.put_value(header.value, &mut map, value::text);
        Val::obj(map)
    }
}

/// The names of a record's fields as values, made once.
struct Names {
    topic: Val,
    partition: Val,
    offset: Val,
    timestamp: Val,
    timestamp_type: Val,
    leader_epoch: Val,
    headers: Val,
    key: Val,
    key_base64: Val,
    value: Val,
    value_base64: Val,
}

impl Names {
    fn new() -> Names {
        Names {
            topic: value::text("topic"),
            partition: value::text("partition"),
            offset: value::text("offset"),
            timestamp: value::text("timestamp"),
            timestamp_type: value::text("timestamp_type"),
            leader_epoch: value::text("leader_epoch"),
            headers: value::text("headers"),
            key: value::text("key"),
            key_base64: value::text("key_base64"),
            value: value::text("value"),
            value_base64: value::text("value_base64"),
        }
    }

    fn put_key(&self, bytes: Option<&[u8]>, map: &mut Map, read: impl Fn(&str) -> Val) {
        let (name, value) = part(&self.key, &self.key_base64, bytes, read);
        map.insert(name, value);
    }

    fn put_value(&self, bytes: Option<&[u8]>, map: &mut Map, read: impl Fn(&str) -> Val) {
        let (name, value) = part(&self.value, &self.value_base64, bytes, read);
        map.insert(name, value);
    }
}

/// Bytes that are no UTF-8 have a name of their own.
fn part(name: &Val, base64: &Val, bytes: Option<&[u8]>, read: impl Fn(&str) -> Val) -> (Val, Val) {
    let Some(bytes) = bytes else { return (name.clone(), Val::Null) };
    match std::str::from_utf8(bytes) {
        Ok(text) => (name.clone(), read(text)),
        Err(_) => (base64.clone(), value::base64(bytes)),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

fn not_loaded(text: &str, errors: load::Errors<&str, ()>) -> String {
    let mut all = BTreeSet::new();
    for (_, error) in errors {
        match error {
            load::Error::Io(files) => {
                all.extend(files.iter().map(|(path, why)| at(text, path, why)));
            }
            load::Error::Lex(errors) => all.extend(errors.iter().map(|(expected, found)| {
                at(text, found, &format!("expected {}", expected.as_str()))
            })),
            load::Error::Parse(errors) => all.extend(errors.iter().map(|(expected, found)| {
                at(text, found, &format!("expected {}", expected.as_str()))
            })),
        }
    }
    first(text, all)
}

fn not_compiled(text: &str, errors: jaq_core::compile::Errors<&str, ()>) -> String {
    let errors = errors.into_iter().flat_map(|(_, errors)| errors);
    let all = errors.map(|(found, undefined)| {
        at(text, found, &format!("there is no {} {found}", undefined.as_str()))
    });
    first(text, all.collect())
}

/// What is wrong, by the column where it is.
fn at(text: &str, part: &str, what: &str) -> (usize, String) {
    let before = part.as_ptr().addr().checked_sub(text.as_ptr().addr());
    let before = before.and_then(|bytes| text.get(..bytes)).unwrap_or(text);
    (before.chars().count() + 1, what.to_owned())
}

fn first(text: &str, errors: BTreeSet<(usize, String)>) -> String {
    let (column, what) = errors.first().cloned().unwrap_or((1, "not a jq expression".to_owned()));
    format!("{what} at column {column} of '{text}'")
}

#[cfg(test)]
mod tests;
