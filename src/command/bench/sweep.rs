//! `--sweep`: the same workload with each of several values, and with each pair of them.

use std::fmt;

use clap::{Args, FromArgMatches, Subcommand};

use super::Usage;
use super::result::ResultArgs;
use super::words::WorkloadArgs;
use crate::command::one_line;

/// A table of more cells would be read by nobody.
const CELLS_MAX: usize = 100;

/// An option, or a property of the client, and the values that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    key: String,
    values: Vec<String>,
}

/// A value for each axis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell(Vec<(String, String)>);

impl Axis {
    pub fn parse(word: &str) -> Result<Axis, String> {
        let wrong = || format!("'{word}' has no values; write record-size=100,1k or linger.ms=0,5");
        let (key, values) = word.split_once('=').ok_or_else(wrong)?;
        let values: Vec<_> = values.split(',').map(|value| value.trim().to_owned()).collect();
        let key = key.trim().trim_start_matches('-');
        if key.is_empty() || values.iter().any(String::is_empty) {
            return Err(wrong());
        }
        Ok(Axis { key: key.to_owned(), values })
    }
}

/// Every combination; the last axis changes fastest. Without axes one that changes nothing.
pub fn cells(axes: &[Axis]) -> Result<Vec<Cell>, Usage> {
    let mut cells = vec![Cell::default()];
    for axis in axes {
        let with = |cell: &Cell| {
            let value = |value: &String| {
                let mut cell = cell.clone();
                cell.0.push((axis.key.clone(), value.clone()));
                cell
            };
            axis.values.iter().map(value).collect::<Vec<_>>()
        };
        cells = cells.iter().flat_map(with).collect();
        if CELLS_MAX < cells.len() {
            let said = format!("--sweep makes more than {CELLS_MAX} cases; take fewer values");
            return Err(Usage(said));
        }
    }
    Ok(cells)
}

impl Cell {
    /// As they would be typed.
    pub fn options(&self) -> Vec<String> {
        let options = self.0.iter().filter(|(key, _)| !is_property(key));
        options.map(|(key, value)| format!("--{key}={value}")).collect()
    }

    /// As `-X` takes them.
    pub fn settings(&self) -> Vec<String> {
        let properties = self.0.iter().filter(|(key, _)| is_property(key));
        properties.map(|(key, value)| format!("{key}={value}")).collect()
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(key, value)| match is_property(key) {
            true => write!(f, " -X {key}={value}"),
            false => write!(f, " --{key} {value}"),
        })
    }
}

/// Those of librdkafka have dots, options have none.
fn is_property(key: &str) -> bool {
    key.contains('.')
}

impl WorkloadArgs {
    /// What these words say, the first of them the workload.
    pub fn of(words: &[&str]) -> Result<WorkloadArgs, Usage> {
        let command = WorkloadArgs::augment_subcommands(bare());
        let matches = command.try_get_matches_from(words).map_err(|error| usage(&error))?;
        WorkloadArgs::from_arg_matches(&matches).map_err(|error| usage(&error))
    }

    /// With these options in place of what was typed.
    pub fn varied(&self, options: &[String]) -> Result<WorkloadArgs, Usage> {
        let mut varied = self.clone();
        if options.is_empty() {
            return Ok(varied);
        }
        let known = known(self.name());
        if let Some(option) = options.iter().find(|option| !is_known(option, &known)) {
            let (name, known) = (self.name(), known.join(", "));
            let key = option.trim_start_matches('-').split('=').next().unwrap_or_default();
            return Err(Usage(format!("--sweep: bench {name} has no '{key}'; it has {known}")));
        }
        // An option that is not there keeps its value, and must not fall back to its default.
        let kept = |arg: clap::Arg| arg.default_value(None);
        let command = WorkloadArgs::augment_subcommands_for_update(bare());
        let command = command.mut_subcommand(self.name(), |workload| workload.mut_args(kept));
        let words = std::iter::once(self.name()).chain(options.iter().map(String::as_str));
        let matches = command.try_get_matches_from(words).map_err(|error| usage(&error))?;
        varied.update_from_arg_matches(&matches).map_err(|error| usage(&error))?;
        Ok(varied)
    }
}

fn bare() -> clap::Command {
    clap::Command::new("bench").no_binary_name(true)
}

fn usage(error: &clap::Error) -> Usage {
    Usage(format!("--sweep: {}", one_line(&error.render().to_string())))
}

/// The options of a workload, without those that say what is wanted of the result.
fn known(workload: &str) -> Vec<String> {
    let command = WorkloadArgs::augment_subcommands(bare());
    let result = ResultArgs::augment_args(bare());
    let of_result: Vec<_> = result.get_arguments().map(clap::Arg::get_id).collect();
    let own = command.find_subcommand(workload).into_iter().flat_map(clap::Command::get_arguments);
    let own = own.filter(|arg| !of_result.contains(&arg.get_id()));
    own.filter_map(clap::Arg::get_long).map(str::to_owned).collect()
}

fn is_known(option: &str, known: &[String]) -> bool {
    let key = option.trim_start_matches("--").split('=').next().unwrap_or_default();
    known.iter().any(|known| known == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &[&str], want: &[&str]) {
        let axes: Vec<_> = words.iter().map(|word| Axis::parse(word).unwrap()).collect();
        let cells = cells(&axes).unwrap();
        assert_eq!(cells.iter().map(Cell::to_string).collect::<Vec<_>>(), want);
    }

    #[test]
    fn every_combination_is_a_cell() {
        check(&[], &[""]);
        check(&["acks=0,all"], &[" --acks 0", " --acks all"]);
        check(
            &["partitions=1, 6", "linger.ms=0,5"],
            &[
                " --partitions 1 -X linger.ms=0",
                " --partitions 1 -X linger.ms=5",
                " --partitions 6 -X linger.ms=0",
                " --partitions 6 -X linger.ms=5",
            ],
        );
    }

    #[test]
    fn what_cannot_be_swept_is_said() {
        for word in ["acks", "=1", "acks=", "acks=1,,2"] {
            assert!(Axis::parse(word).unwrap_err().contains("write record-size=100,1k"), "{word}");
        }
        let axis = Axis { key: "keys".into(), values: vec!["1".into(); 11] };
        let said = cells(&[axis.clone(), axis]).unwrap_err().to_string();
        assert_eq!(said, "--sweep makes more than 100 cases; take fewer values");
    }

    #[track_caller]
    fn check_varied(options: &[&str], want: &str) {
        let typed = WorkloadArgs::of(&["produce", "--partitions", "6", "--keys", "3"]).unwrap();
        let options: Vec<_> = options.iter().map(|option| (*option).to_owned()).collect();
        let said = match typed.varied(&options) {
            Ok(varied) => format!("{varied:?}"),
            Err(usage) => usage.to_string(),
        };
        assert!(said.contains(want), "{said}");
    }

    #[test]
    fn an_option_that_is_swept_wins_and_the_rest_stays() {
        check_varied(&["--record-size=1k"], "record_size: 1024, partitions: 6");
        check_varied(&["--partitions=9"], "record_size: 100, partitions: 9");
        check_varied(&["--acks=1"], "keys: Some(3)");
        check_varied(&["--acks=2"], "--sweep: invalid value '2' for '--acks <0|1|all>'");
        check_varied(&["--ack=1"], "--sweep: bench produce has no 'ack'; it has records, duration");
        check_varied(&["--output=json"], "bench produce has no 'output'");
    }
}
