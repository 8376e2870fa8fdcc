//! Where a result goes, and as what.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::Usage;
use crate::bench::report::document::Document;
use crate::bench::report::{self, FORMATS, Format};
use crate::command::stdio;

#[derive(clap::Args, Clone, Debug)]
pub struct OutputArgs {
    /// How the result is written [default: as the ending of each -O FILE says, and else text];
    /// `kaw bench schema` describes json
    #[arg(long, value_name = "FORMAT", value_parser = format())]
    output: Option<&'static Format>,
    /// Short for --output json
    #[arg(long, conflicts_with = "output")]
    json: bool,
    /// Write it to a file, and the text to stdout; repeatable, for several formats at once
    #[arg(short = 'O', long, value_name = "FILE")]
    output_file: Vec<PathBuf>,
}

/// What is written.
pub enum Output {
    Stdout(&'static Format),
    /// People still see the text on stdout.
    Files(Vec<(PathBuf, &'static Format)>),
}

impl OutputArgs {
    pub fn output(self) -> Result<Output, Usage> {
        let json = || report::format("json").expect("it is in the table of formats");
        let asked = if self.json { Some(json()) } else { self.output };
        match self.output_file.as_slice() {
            [] => Ok(Output::Stdout(asked.unwrap_or(&FORMATS[0]))),
            [_, _, ..] if asked.is_some() => {
                let said = "several -O take their formats from their endings; leave --output out";
                Err(Usage(said.to_owned()))
            }
            _ => {
                let named =
                    |path: PathBuf| Ok((path.clone(), asked.map_or_else(|| by_ending(&path), Ok)?));
                self.output_file.into_iter().map(named).collect::<Result<_, _>>().map(Output::Files)
            }
        }
    }
}

fn by_ending(path: &Path) -> Result<&'static Format, Usage> {
    let format = report::format_of_file(&path.to_string_lossy());
    format.ok_or_else(|| {
        let endings: Vec<_> = FORMATS.iter().map(|format| format.ending).collect();
        let (shown, endings) = (path.display(), endings.join(" "));
        Usage(format!("-O {shown}: its ending is of no format ({endings}); say it with --output"))
    })
}

impl Output {
    /// The text comes first: no file that cannot be written takes it away.
    pub fn write(&self, document: &Document) -> anyhow::Result<()> {
        let files = match self {
            Output::Stdout(format) => return stdio::print(&(format.render)(document)).map(drop),
            Output::Files(files) => files,
        };
        stdio::print(&(FORMATS[0].render)(document))?;
        files.iter().try_for_each(|(path, format)| write(path, &(format.render)(document)))
    }
}

pub fn write(path: &Path, rendered: &str) -> anyhow::Result<()> {
    fs::write(path, rendered).with_context(|| format!("cannot write {}", path.display()))
}

fn format() -> impl TypedValueParser<Value = &'static Format> {
    PossibleValuesParser::new(FORMATS.iter().map(|format| format.name))
        .map(|word| report::format(&word).expect("the words are the names of these"))
}
