//! A man page of a command: what its definition says, and what holds of every command.

use clap::Command;
use clap_mangen::Man;

/// As in CLI.md; a command's own meanings are in its options.
const EXIT_STATUS: &str = "\
0    All was done.
1    Kafka, the network or the disk said no.
2    What was typed cannot be.
3    An expectation was not met, such as --expect or --fail-if, or damage was found.
124  A time that was set ran out, as of --within.
128+N
     Ended by signal N: 130 is interrupted, 143 is terminated. kaw broker then
     stops with 0.";

/// By name, and what each is for.
pub const ENVIRONMENT: &[(&str, &str)] = &[
    ("KAW_BROKERS", "Kafka brokers, as of -b."),
    ("KAFKA_BOOTSTRAP_SERVERS, KAFKA_BROKERS", "The same, where KAW_BROKERS is not set."),
    ("KAW_CONFIG", "The configuration file, as of -F."),
    ("KAW_PROFILE", "The name of a profile, as of --profile."),
    (
        "KCAT_CONFIG, KAFKACAT_CONFIG",
        "kcat's configuration file, which is read where kaw has none of its own.",
    ),
    ("XDG_CONFIG_HOME", "Where configuration files are looked for, instead of ~/.config."),
    ("KAW_DATA_DIR", "Where the built-in broker keeps its data, as of --data-dir."),
    ("XDG_DATA_HOME", "Data is in kaw/ below it, instead of ~/.local/share, without KAW_DATA_DIR."),
    ("KAW_LINGER", "How long the built-in broker stays after its last user, such as 30s."),
    ("NO_COLOR", "Where it is set and not empty there is no colour, without --color."),
    ("CLICOLOR_FORCE", "Where it is set and not 0 there is colour, also where no terminal is."),
    ("KAW_COMPLETE", "Set by the scripts of kaw completion, which ask kaw for completions."),
];

/// The page of a command that is built, under its name with dashes.
pub fn page(name: &str, command: Command) -> Vec<u8> {
    let synopsis = synopsis(&command);
    let more = command.get_after_long_help().or_else(|| command.get_after_help());
    let more = more.map(ToString::to_string).unwrap_or_default();
    let has_subcommands = command.get_subcommands().any(|sub| !sub.is_hide_set());
    let man = Man::new(command.display_name(name.to_owned())).title(name.to_uppercase());
    let man = man.source(concat!("kaw ", env!("CARGO_PKG_VERSION"))).manual("kaw");
    let mut page = Vec::new();
    let written = "memory takes all";
    man.render_title(&mut page).expect(written);
    man.render_name_section(&mut page).expect(written);
    page.extend_from_slice(format!(".SH SYNOPSIS\n{synopsis}").as_bytes());
    man.render_description_section(&mut page).expect(written);
    man.render_options_section(&mut page).expect(written);
    if has_subcommands {
        man.render_subcommands_section(&mut page).expect(written);
    }
    page.extend_from_slice(more_of(&more).as_bytes());
    // There kcat's own hold.
    if name != "kaw-kcat" {
        page.extend_from_slice(section("EXIT STATUS", EXIT_STATUS).as_bytes());
        page.extend_from_slice(environment().as_bytes());
    }
    page
}

/// clap's line of usage, its command in bold.
fn synopsis(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim().replace("...", "…");
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned();
    let rest = usage.strip_prefix(&name).unwrap_or(&usage);
    format!("\\fB{}\\fR{}\n", escaped(&name), escaped(rest))
}

/// Examples under their heading, anything else as notes.
fn more_of(text: &str) -> String {
    match text.strip_prefix("Examples:\n") {
        Some(examples) => section("EXAMPLES", examples),
        None if text.is_empty() => String::new(),
        None => section("NOTES", text),
    }
}

/// Lines as they stand.
fn section(heading: &str, lines: &str) -> String {
    let lines: String = lines.lines().map(|line| escaped(line) + "\n").collect();
    format!(".SH \"{heading}\"\n.nf\n{lines}.fi\n")
}

fn environment() -> String {
    let entry = |(name, what): &(&str, &str)| {
        format!(".TP\n\\fB{}\\fR\n{}\n", escaped(name), escaped(what))
    };
    ENVIRONMENT.iter().map(entry).fold(".SH ENVIRONMENT\n".to_owned(), |all, one| all + &one)
}

/// So that roff takes it for text.
fn escaped(line: &str) -> String {
    let text = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
    if text.starts_with('.') { format!("\\&{text}") } else { text }
}
