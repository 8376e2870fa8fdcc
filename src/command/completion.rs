//! `kaw completion SHELL`, and what the script that it prints asks kaw for.

mod asked;

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::{Arg, Command, CommandFactory, ValueEnum, ValueHint};
use clap_complete::ArgValueCompleter;
use clap_complete::env::Shells;

use super::{Cli, Exit, stdio};

/// Print the script that completes commands, options, topics, groups and more in a shell
///
/// PowerShell reads it from $PROFILE: kaw completion powershell | Out-String | Invoke-Expression
#[derive(clap::Args, Debug)]
pub struct Args {
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
    Elvish,
}

/// The shell that asks for completions, in the variable by which it does.
const VARIABLE: &str = "KAW_COMPLETE";
/// Where in the words the cursor is; without it, at the last (clap_complete's own protocol).
const INDEX: &str = "_CLAP_COMPLETE_INDEX";
const PROGRAM: &str = "kaw";
const SHELLS: Shells<'static> = Shells::builtins();

/// Somebody waits at a keyboard.
const PATIENCE: Duration = Duration::from_millis(900);

pub fn run(args: &Args) -> anyhow::Result<Exit> {
    stdio::print(&script(args.shell))
}

/// What a shell is given to read once.
pub fn script(shell: Shell) -> String {
    if shell == Shell::Bash {
        // clap_complete's hands over what bash makes of HOST:PORT: three words.
        return include_str!("completion/kaw.bash").to_owned();
    }
    let mut script = Vec::new();
    let known = SHELLS.completer(&shell.name()).expect("clap_complete knows the shell");
    known
        .write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)
        .expect("memory takes all");
    let script = String::from_utf8(script).expect("a script is text");
    // As a file of $fpath zsh runs it for the first completion, which it must answer then.
    let (register, both) = (
        "compdef _clap_dynamic_completer_kaw kaw",
        "if [ \"$funcstack[1]\" = _kaw ]; then\n    _clap_dynamic_completer_kaw \"$@\"\n\
         else\n    compdef _clap_dynamic_completer_kaw kaw\nfi",
    );
    let script = script.trim().replace(register, both);
    // What goes on after `=` gets no blank.
    let (last, shown) =
        ("            else\n                other+=", "        [[ -n $other ]] && ");
    let open =
        "            elif [[ \"$value\" == *= ]]; then\n                open+=(\"$completion\")\n";
    let show = "        [[ -n $open ]] && _describe -V 'values' open -S ''\n";
    let script = script.replace(last, &(open.to_owned() + last));
    let script = script.replace(shown, &(show.to_owned() + shown));
    format!("{}\n", script.replace("local -a other=()", "local -a open=() other=()"))
}

impl Shell {
    #[cfg(test)]
    pub const ALL: [Shell; 5] =
        [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Powershell, Shell::Elvish];

    /// The file name under which the shell looks for it, where it has such a place.
    #[cfg(test)]
    pub fn file(self) -> &'static str {
        match self {
            Shell::Bash => "kaw.bash",
            Shell::Zsh => "_kaw",
            Shell::Fish => "kaw.fish",
            Shell::Powershell => "kaw.ps1",
            Shell::Elvish => "kaw.elv",
        }
    }

    fn name(self) -> String {
        let value = self.to_possible_value().expect("no shell is hidden");
        value.get_name().to_owned()
    }
}

/// Answers a shell, if it is one that asks: within its patience or not at all, and never with a
/// word of trouble.
pub fn main() -> Option<ExitCode> {
    let shell = env::var(VARIABLE).ok().filter(|shell| !shell.is_empty())?;
    if let Ok(nothing) = OpenOptions::new().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stderr(nothing);
    }
    let (tell, told) = mpsc::channel();
    // Left behind where it takes too long.
    thread::spawn(move || tell.send(answer(&shell)));
    if let Ok(Some(text)) = told.recv_timeout(PATIENCE) {
        let _ = stdio::print(&text);
    }
    Some(ExitCode::SUCCESS)
}

fn answer(shell: &str) -> Option<String> {
    let typed = env::args_os().skip(1);
    let words: Vec<OsString> = typed.skip_while(|word| word != "--").skip(1).collect();
    let index = env::var(INDEX).ok().and_then(|index| index.parse().ok());
    let index: usize = index.unwrap_or(words.len().saturating_sub(1));
    // kcat's options are not kaw's; where files are asked for, any will do.
    let is_kcat = 1 < index && words.get(1).is_some_and(|word| word == "kcat");
    let current = words.get(index).map(|word| word.to_string_lossy().into_owned());
    if is_kcat && current.as_ref().is_some_and(|word| word.starts_with('-')) {
        return Some(String::new());
    }
    let before = words.iter().take(index).cloned().collect();
    let mut command = command(before);
    if !current.is_some_and(|word| word.starts_with('-')) {
        command = without_options(command);
    }
    let mut text = Vec::new();
    let folder = env::current_dir().ok();
    SHELLS
        .completer(shell)?
        .write_complete(&mut command, words, folder.as_deref(), &mut text)
        .ok()?;
    String::from_utf8(text).ok()
}

/// The command line, with answers where only a cluster or a folder has them.
fn command(before: Vec<OsString>) -> Command {
    let before = Arc::new(before);
    let mut command = Cli::command();
    for (path, argument, question) in asked::QUESTIONS {
        let before = Arc::clone(&before);
        let ask = move |typed: &OsStr| asked::ask(*question, &before, typed);
        let asking = |arg: Arg| arg.add(ArgValueCompleter::new(ask.clone()));
        command = changed(command, path, |command| with(command, argument, asking));
    }
    let hinted = |command, name, hint| with(command, name, |arg| arg.value_hint(hint));
    command = hinted(command, "config", ValueHint::FilePath);
    command = hinted(command, "data_dir", ValueHint::DirPath);
    command.build();
    command
}

/// Changes an argument in its place: `mut_arg` would make it the last.
fn with(command: Command, name: &str, change: impl Fn(Arg) -> Arg) -> Command {
    command.mut_args(|arg| if arg.get_id() == name { change(arg) } else { arg })
}

/// Changes the subcommand of this path.
fn changed(command: Command, path: &[&str], change: impl FnOnce(Command) -> Command) -> Command {
    match path.split_first() {
        None => change(command),
        Some((first, rest)) => command.mut_subcommand(first, |sub| changed(sub, rest, change)),
    }
}

/// Options are offered where a dash is typed, or where there is nothing else: else they would
/// stand between a person and the only topic.
fn without_options(command: Command) -> Command {
    let hide = |arg: Arg| if arg.is_positional() { arg } else { arg.hide(true) };
    command.mut_args(hide).mut_subcommands(without_options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_belongs_to_an_argument() {
        let command = command(Vec::new());
        for (path, argument, _) in asked::QUESTIONS {
            let of = path.iter().fold(&command, |command, name| {
                command.find_subcommand(name).unwrap_or_else(|| panic!("no command {name}"))
            });
            let arg = of.get_arguments().find(|arg| arg.get_id() == argument);
            assert!(arg.is_some(), "{path:?} has no {argument}");
        }
    }
}
