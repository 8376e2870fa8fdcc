//! How `consume` prints: the options about it, and the view that they make.

use super::super::Usage;
use crate::layout;
use crate::output::{Format, Json, Null, Query, Strings, Template, View};

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "How records are printed")]
pub struct Look {
    /// How a record is printed, in the tokens of kcat and franz-go
    ///
    /// %s or %v value, %k key, %t topic, %p partition, %o offset, %T or %d timestamp in
    /// milliseconds, %e leader epoch, %i the record's number here, %h headers, %h{%k=%v } each of
    /// them, %H their number, %S %K lengths (-1 for null; %K with braces is 0, as franz-go's, so
    /// that -J is what keeps a null key), %V value's length (0 for null), %R the
    /// same as four bytes, %a{timestamp-type}; %[ log start offset, %| last stable offset, %] high
    /// watermark; %% %{ %} for themselves; \n, \t, \r, \0, \xNN.
    ///
    /// Text: %v{hex} {base64} {base64raw} {unpack[>hIs]}. Numbers: %o{hex16} {big32} {little64}
    /// {byte} {bool}; with braces %T is the topic's length. Times: %d{strftime[%F %T.%L]}
    /// %d{go[15:04:05.000]}, in UTC unless a zone follows: %d{strftime[%F];Europe/Berlin}, ;local,
    /// ;+02:00.
    #[arg(
        short,
        long,
        value_name = "FORMAT",
        allow_hyphen_values = true,
        conflicts_with_all = ["json", "key_delimiter", "delimiter"]
    )]
    pub format: Option<String>,
    /// Print JSON, one record a line
    #[arg(short = 'J', long, conflicts_with = "key_delimiter")]
    pub json: bool,
    /// Print keys too, each followed by this
    #[arg(short = 'K', long, value_name = "DELIM", allow_hyphen_values = true)]
    pub key_delimiter: Option<String>,
    /// Print this after each record, instead of a line's end
    #[arg(short = 'D', long, value_name = "DELIM", allow_hyphen_values = true)]
    pub delimiter: Option<String>,
    /// Print NULL for a null key or value
    #[arg(short = 'Z', long = "null")]
    pub show_null: bool,
    /// Write each record as it comes
    #[arg(short, long)]
    pub unbuffered: bool,
    /// Only records for which this jq expression is neither null nor false
    ///
    /// It sees the record as -J prints it, but that a value which is JSON is that JSON, and so is a
    /// key which is an object or an array: '.value.amount > 100', '.headers[].key == "trace"'.
    #[arg(long = "where", value_name = "JQ")]
    pub filter: Option<String>,
    /// Print what this jq expression makes of each record, one result a line
    ///
    /// Strings without quotes, as jq -r prints them; with -J all as JSON.
    #[arg(
        long,
        value_name = "JQ",
        conflicts_with_all = ["format", "key_delimiter", "show_null"]
    )]
    pub select: Option<String>,
}

impl Look {
    pub fn view(&self) -> Result<View, Usage> {
        let filter = self.filter.as_deref().map(|text| query("--where", text)).transpose()?;
        Ok(View { filter, format: self.format()? })
    }

    fn format(&self) -> Result<Format, Usage> {
        let null = if self.show_null { Null::Word } else { Null::Nothing };
        let end = delimiter("-D", self.delimiter.as_deref())?.unwrap_or(b"\n".to_vec());
        if let Some(text) = &self.select {
            let strings = if self.json { Strings::Json } else { Strings::Raw };
            return Ok(Format::Select { query: query("--select", text)?.into(), strings, end });
        }
        Ok(match &self.format {
            Some(format) => Format::Template(
                Template::parse(format, null).map_err(|why| Usage(format!("-f: {why}")))?,
            ),
            None if self.json => Format::Json(Json::ended_by(end)),
            None => {
                let key_end = delimiter("-K", self.key_delimiter.as_deref())?;
                Format::Template(Template::delimited(key_end, end, null))
            }
        })
    }
}

fn query(option: &str, text: &str) -> Result<Query, Usage> {
    Query::compile(text).map_err(|why| Usage(format!("{option}: {why}")))
}

fn delimiter(option: &str, text: Option<&str>) -> Result<Option<Vec<u8>>, Usage> {
    text.map(layout::delimiter).transpose().map_err(|why| Usage(format!("{option}: {why}")))
}
