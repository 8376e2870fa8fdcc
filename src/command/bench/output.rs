//! Where a result goes, and as what.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use super::Usage;
use crate::bench::report::document::Document;
use crate::bench::report::{self, FORMATS, Files, Format};
use crate::command::stdio;

/// Where GitHub's runners take a page of Markdown from, for each step.
const STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

#[derive(clap::Args, Clone, Debug)]
pub struct OutputArgs {
    /// How the result is written [default: as the ending of -O FILE says; without -O text]
    #[arg(long, value_name = "FORMAT", value_parser = format())]
    output: Option<&'static Format>,
    /// Short for --output json
    #[arg(long, conflicts_with = "output")]
    json: bool,
    /// Write it to a file, and text to stdout; repeatable. Endings: .json .csv .md .html .xml
    /// (junit) .github.json .bencher.json .txt
    #[arg(short = 'O', long, value_name = "FILE")]
    output_file: Vec<PathBuf>,
}

/// What is written.
pub enum Output {
    Stdout(fn(&Document) -> String),
    /// People still see the text on stdout.
    Files(Vec<(PathBuf, &'static Format)>),
}

impl OutputArgs {
    pub fn output(self) -> Result<Output, Usage> {
        let json = || report::format("json").expect("it is in the table of formats");
        let asked = if self.json { Some(json()) } else { self.output };
        match self.output_file.as_slice() {
            [] => to_stdout(asked),
            [_, _, ..] if asked.is_some() => {
                let said = "several -O take their formats from their endings; leave --output out";
                Err(Usage(said.to_owned()))
            }
            files => {
                let format = |path: &PathBuf| asked.map_or_else(|| by_ending(path), Ok);
                let named = |path: &PathBuf| Ok((path.clone(), format(path)?));
                files.iter().map(named).collect::<Result<_, _>>().map(Output::Files)
            }
        }
    }
}

fn to_stdout(asked: Option<&'static Format>) -> Result<Output, Usage> {
    match asked.map(|format| (format, &format.files)) {
        None => Ok(Output::Stdout(report::text)),
        Some((_, Files::One(render))) => Ok(Output::Stdout(*render)),
        Some((format, Files::Several(_))) => {
            let Format { name, ending, .. } = format;
            Err(Usage(format!("--output {name} is several files; name them, as -O bench{ending}")))
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
            Output::Stdout(render) => return stdio::print(&render(document)).map(drop),
            Output::Files(files) => files,
        };
        stdio::print(&report::text(document))?;
        for (path, format) in files {
            match format.files {
                Files::One(render) => write(path, &render(document))?,
                Files::Several(files) => {
                    for (word, render) in files {
                        write(&part(path, format, word), &render(document))?;
                    }
                    summarize(document)?;
                }
            }
        }
        Ok(())
    }
}

pub fn write(path: &Path, rendered: &str) -> anyhow::Result<()> {
    fs::write(path, rendered).with_context(|| format!("cannot write {}", path.display()))
}

/// One file of several: of `bench.github.json` the `bench.bigger.json`.
fn part(path: &Path, format: &Format, word: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let base = [format.ending, ".json"].iter().find_map(|ending| name.strip_suffix(ending));
    path.with_file_name(format!("{}.{word}.json", base.unwrap_or(&name)))
}

/// Other steps have written there too.
fn summarize(document: &Document) -> anyhow::Result<()> {
    let Some(path) = std::env::var_os(STEP_SUMMARY).filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    let file = OpenOptions::new().append(true).create(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(report::markdown(document).as_bytes()));
    let named = || format!("cannot write {} (${STEP_SUMMARY})", Path::new(&path).display());
    written.with_context(named)
}

fn format() -> impl TypedValueParser<Value = &'static Format> {
    let words = FORMATS.iter().map(|format| PossibleValue::new(format.name).help(format.about));
    PossibleValuesParser::new(words)
        .map(|word| report::format(&word).expect("the words are the names of these"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_format_are_named_after_the_one_that_was_given() {
        let github = report::format("github").unwrap();
        let check = |path: &str, want: &str| {
            assert_eq!(part(Path::new(path), github, "bigger"), Path::new(want), "{path}");
        };
        check("bench.github.json", "bench.bigger.json");
        check("out/bench.json", "out/bench.bigger.json");
        check("out/bench", "out/bench.bigger.json");
    }

    #[test]
    fn the_longest_ending_decides() {
        let check = |path: &str, want: &str| {
            assert_eq!(by_ending(Path::new(path)).unwrap().name, want, "{path}");
        };
        check("a.json", "json");
        check("a.bencher.json", "bencher");
        check("a.xml", "junit");
    }
}
