//! A person at a terminal: what a shell completes, colour, and what a screen shows meanwhile.

use std::time::Duration;

use crate::harness::{Kaw, found, until};

/// What bash offers for a line with the cursor at its end, one candidate a line.
const IN_BASH: &str = r#"
offered() {
    COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9
    COMP_WORDS=(); COMP_CWORD=0
    # As readline splits: at blanks, and = and : are words.
    local spaced=$(sed 's/[=:]/ & /g' <<<"$1")
    read -ra COMP_WORDS <<<"$spaced"
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    if [[ $1 == *' ' ]]; then COMP_WORDS+=(''); ((COMP_CWORD += 1)); fi
    if [[ $1 == *[=:] ]]; then COMP_WORDS+=(''); ((COMP_CWORD += 1)); fi
    _kaw kaw "${COMP_WORDS[COMP_CWORD]}"
    printf '%s\n' "${COMPREPLY[@]}"
}
source <(kaw completion bash)
"#;

#[track_caller]
fn bash(kaw: &Kaw, line: &str) -> String {
    let script = format!("{IN_BASH} offered '{line}'");
    let done = kaw.tool("bash").arg("-c").arg(script).run().ok();
    assert_eq!(done.err(), "", "{line}");
    done.out()
}

it!(bash_completes_what_is_there, |kaw| {
    let broker = kaw.broker("--topic orders:3 --topic orders-eu");
    let address = &broker.address;
    let at = |line: &str| bash(kaw, &format!("kaw -b {address} {line}"));
    assert_eq!(bash(kaw, "kaw prod"), "produce\n");
    assert_eq!(bash(kaw, "kaw --co"), "--config\n--connect-timeout\n--color\n");
    assert_eq!(bash(kaw, "kaw --color=a"), "auto\nalways\n");
    assert_eq!(bash(kaw, "kaw produce -z z"), "zstd\n");
    assert_eq!(bash(kaw, "kaw kcat -"), "\n");
    assert_eq!(bash(kaw, "kaw help consu"), "consume\n");
    assert_eq!(at("produce "), "orders\norders-eu\n");
    assert_eq!(at("topic describe orders-"), "orders-eu\n");
    assert_eq!(at("consume orders -p "), "0\n1\n2\n");
    assert_eq!(bash(kaw, "kaw -X linger."), "linger.ms=\n");
    kaw.sh("seq 3 | kaw -b $B produce orders && kaw -b $B consume -g readers -c 3 orders")
        .env("B", address)
        .run()
        .ok();
    assert_eq!(at("group describe "), "readers\n");
    kaw.sh("mkdir -p home/.config/kaw && echo > home/.config/kaw/prod.conf").run().ok();
    assert_eq!(bash(kaw, "kaw --profile "), "prod\n");
});

it!(names_and_words_of_settings_are_completed_and_places_in_topics, |kaw| {
    let broker = kaw.broker("--topic orders:3 --topic orders-eu");
    let at = |line: &str| bash(kaw, &format!("kaw -b {} {line}", broker.address));
    assert_eq!(at("topic create t -c cleanup.p"), "cleanup.policy=\n");
    // What stands before the sign bash has as a word of its own.
    assert_eq!(at("topic create t -c cleanup.policy="), "compact\ndelete\n");
    assert_eq!(at("topic alter orders -c preallocate="), "true\nfalse\n");
    kaw.ok(&format!("-b {} topic alter orders -c retention.ms=1000", broker.address));
    assert_eq!(at("topic alter orders --delete-config "), "retention.ms\n");
    assert_eq!(bash(kaw, "kaw broker -c log.cleanup."), "log.cleanup.policy=\n");
    assert_eq!(bash(kaw, "kaw -X security.protocol=sasl_"), "sasl_plaintext\nsasl_ssl\n");
    assert_eq!(at("topic offsets orders-"), "orders-eu\n");
    assert_eq!(at("topic trim orders:"), "0\n1\n2\n");
    assert_eq!(at("group reset readers --topic orders:0,"), "0,0\n0,1\n0,2\n");
});

it!(completion_starts_a_broker_only_where_one_has_left_its_data, |kaw| {
    assert!(!bash(kaw, "kaw topic describe ").contains("orders"));
    assert!(!kaw.data().exists());
    kaw.cmd("produce orders").stdin("1\n").run().ok();
    kaw.ok("broker stop");
    assert_eq!(bash(kaw, "kaw topic describe "), "orders\n");
});

it!(completion_is_silent_and_soon_over_where_nobody_answers, |kaw| {
    // Packets to this network go nowhere (RFC 5737).
    let asked = ["-b", "192.0.2.1:9092", "topic", "describe", ""];
    let asking = kaw.cmd("-- kaw").args(asked).env("KAW_COMPLETE", "zsh");
    let done = asking.env("_CLAP_COMPLETE_INDEX", "5").run().ok().within(Duration::from_secs(1));
    assert_eq!(done.err(), "");
    let asking = kaw.cmd("-- kaw").args(["-F", "/gone", "topic", "describe", ""]);
    let done = asking.env("KAW_COMPLETE", "fish").run().ok();
    assert_eq!((done.err().as_str(), done.out().contains("orders")), ("", false));
});

it!(fish_completes_what_is_there, |kaw| {
    let Some(fish) = found("fish") else { return };
    let broker = kaw.broker("--topic orders:2");
    let script = format!(
        "kaw completion fish | source; complete -C 'kaw -b {0} produce o'; \
         complete -C 'kaw -b {0} produce orders -p '; complete -C 'kaw broker st'",
        broker.address
    );
    let done = kaw.tool(fish.to_str().unwrap()).arg("-c").arg(script).run().ok();
    let words: Vec<String> =
        done.out().lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect();
    assert_eq!(words, ["orders", "0", "1", "status", "stop"]);
});

it!(zsh_completes_what_is_there, |kaw| {
    let (Some(_), Some(screen)) = (found("zsh"), Screen::open(kaw, "zsh -f")) else { return };
    let broker = kaw.broker("--topic orders:2");
    screen.types("PS1='> '; autoload -U compinit; compinit -u; source <(kaw completion zsh)\n");
    screen.types("clear\n");
    screen.types(&format!("kaw -b {} produce o\t", broker.address));
    screen.until("kaw -b 127.0.0.1", |shown| shown.contains("produce orders"));
    screen.types("\u{15}kaw topic create t -c cleanup.p\t");
    screen.until("-c cleanup.policy=", |_| true);
    // No blank stands between.
    screen.types("c\t");
    screen.until("-c cleanup.policy=compact", |_| true);
});

it!(a_terminal_shows_progress_and_ctrl_c_leaves_a_clean_line, |kaw| {
    let Some(screen) = Screen::open(kaw, "bash --norc") else { return };
    screen.types("PS1='> '; clear\n");
    screen.types("kaw bench produce --duration 60s\n");
    let of_bench = |shown: &str| shown.contains("% ") && shown.contains(" left");
    screen.until("measuring: █", of_bench);
    screen.types("\u{3}");
    let ended = screen.until("interrupted while measuring, at", |shown| shown.ends_with('>'));
    assert!(!ended.contains('█') && !ended.contains(" left"), "{ended}");
    screen.types("clear; (echo 1; tail -f /dev/null) | kaw produce numbers\n");
    screen.until("1 records, 2 B, ", |_| true);
    screen.types("\u{3}");
    let ended = screen.until("read 1 = delivered 1 + failed 0", |shown| shown.ends_with('>'));
    assert!(!ended.contains("records"), "{ended}");
    screen.types("clear; kaw consume numbers > read.txt\n");
    screen.until("1 records, 1 B, ", |_| true);
    screen.types("\u{3}");
    let ended = screen.until("kaw: interrupted after 1 records, 1 B", |it| it.ends_with('>'));
    assert!(!ended.contains("/s"), "{ended}");
    screen.tmux(&["resize-window", "-x", "40"]);
    screen.types("clear; kaw bench produce --duration 60s\n");
    let of_narrow = |shown: &str| shown.contains("% ") && shown.contains(" left");
    screen.until(" records, ", of_narrow);
    screen.types("\u{3}");
    screen.until("interrupted while", |it| it.ends_with('>') && !it.contains("records, "));
});

it!(ctrl_c_leaves_a_line_of_its_own_and_says_what_was_done, |kaw| {
    let Some(screen) = Screen::open(kaw, "bash --norc") else { return };
    screen.types("PS1='> '; seq 3 | kaw produce -q numbers; clear; kaw consume numbers\n");
    screen.until("1\n2\n3\nkaw: waiting for more; Ctrl-C ends it", |_| true);
    screen.types("\u{3}");
    screen.until("^C\nkaw: interrupted after 3 records, 3 B\n>", |_| true);
    screen.types("clear; kaw consume later --wait\n");
    screen.until("kaw: nothing of this name yet; waiting for it", |_| true);
    screen.types("\u{3}");
    screen.until("^C\n>", |_| true);
    screen.types("clear; kaw broker --listen 127.0.0.1:0\n");
    screen.until("kaw: Ctrl-C stops it", |_| true);
    screen.types("\u{3}");
    screen.until("^C\nkaw: stopped; all of it is on the disk\n>", |_| true);
    screen.types("clear; kaw produce numbers\n");
    screen.until("Ctrl-D ends the input", |_| true);
    screen.types("\u{3}");
    screen.until("^C\nread 0 = delivered 0 + failed 0\n>", |_| true);
});

it!(tables_fit_the_terminal, |kaw| {
    let Some(screen) = Screen::open(kaw, "bash --norc") else { return };
    let name =
        "a-topic-with-a-name-that-takes-more-than-half-of-an-ordinary-terminal-and-then-some";
    kaw.cmd(&format!("produce {name}")).stdin("1\n").run().ok();
    screen.types("PS1='> '; clear; kaw topic list --detailed\n");
    let shown = screen.until("RECORDS", |shown| shown.ends_with('>'));
    assert!(shown.lines().any(|line| line.starts_with('└') && line.ends_with('┘')), "{shown}");
    assert!(shown.contains("a-topic-with") && !shown.contains(name), "{shown}");
});

it!(progress_in_a_log_is_a_line_a_second_and_quiet_silences_it, |kaw| {
    let slow = "seq 1 25 | kaw produce numbers --rate 10/s";
    let done = kaw.sh(&format!("{slow} --progress")).run().ok();
    let err = done.err();
    let lines: Vec<_> = err.lines().filter(|line| line.starts_with("kaw: ")).collect();
    assert!(!lines.is_empty() && lines.iter().all(|line| line.contains(" records, ")), "{err}");
    assert!(!err.contains('\u{1b}') && !err.contains('\r'), "{err:?}");
    assert_eq!(kaw.sh(&format!("{slow} --progress -q")).run().ok().err(), "");
});

it!(colour_is_for_terminals_and_whoever_asks_for_it, |kaw| {
    let escapes = |line: &str, variable: &str| {
        let done = kaw.cmd(line).env(variable, "1").run();
        (done.out().contains('\u{1b}'), done.err().contains('\u{1b}'))
    };
    assert_eq!(escapes("topic --help", "NONE"), (false, false));
    assert_eq!(escapes("topic --help --color always", "NO_COLOR"), (true, false));
    assert_eq!(escapes("topic --help", "CLICOLOR_FORCE"), (true, false));
    assert_eq!(escapes("topic lsit", "CLICOLOR_FORCE"), (false, true));
    assert_eq!(escapes("topic lsit --color never", "CLICOLOR_FORCE"), (false, false));
    assert_eq!(escapes("topic lsit", "NONE"), (false, false));
});

it!(elvish_completes_what_is_there, |kaw| {
    let Some(_) = found("elvish") else { return };
    let Some(screen) = Screen::open(kaw, "elvish -norc") else { return };
    let broker = kaw.broker("--topic orders:2");
    screen.types("set edit:prompt = { put '> ' }; eval (kaw completion elvish | slurp)\n");
    screen.types(&format!("kaw -b {} produce o\t", broker.address));
    screen.until("kaw -b 127.0.0.1", |shown| shown.contains("produce orders"));
    screen.types(" -p \t");
    screen.until("COMPLETING", |shown| shown.contains("0  1"));
});

it!(powershell_gets_what_it_asks_for, |kaw| {
    let broker = kaw.broker("--topic orders:2");
    // What the script calls with: the line up to the cursor, and an empty word behind a blank.
    let asked = ["-b", &broker.address, "produce", "orders", "-p", ""];
    let done = kaw.cmd("-- kaw").args(asked).env("KAW_COMPLETE", "powershell").run().ok();
    assert_eq!((done.out().as_str(), done.err().as_str()), ("0\n1\n", ""));
    // What stands behind a tab is shown beside it.
    let done = kaw.cmd("-- kaw broker st").env("KAW_COMPLETE", "powershell").run().ok();
    let words: Vec<_> = done.out().lines().map(|line| line.split('\t').count()).collect();
    assert_eq!(words, [2, 2], "{}", done.out());
});

/// A terminal of 100 columns that a program runs in.
struct Screen<'a> {
    kaw: &'a Kaw,
}

impl Screen<'_> {
    /// Skipped aloud where there is no tmux.
    fn open<'a>(kaw: &'a Kaw, program: &str) -> Option<Screen<'a>> {
        found("tmux")?;
        let screen = Screen { kaw };
        screen.tmux(&["new-session", "-d", "-x", "100", "-y", "30", program]);
        screen.until("", |shown| !shown.is_empty());
        Some(screen)
    }

    fn tmux(&self, words: &[&str]) -> String {
        let tmux = self.kaw.tool("tmux").arg("-f").arg("/dev/null").arg("-S");
        let tmux = tmux.arg(self.kaw.path("tmux")).env("TERM", "xterm-256color");
        tmux.args(words).run().ok().out()
    }

    fn types(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    /// Waits until it shows this part, and what it shows is as wanted.
    #[track_caller]
    fn until(&self, part: &str, is_wanted: impl Fn(&str) -> bool) -> String {
        until(part, || {
            let shown = self.tmux(&["capture-pane", "-p"]).trim_end().to_owned();
            (shown.contains(part) && is_wanted(&shown)).then_some(shown)
        })
    }
}
