//! A person at a terminal: what a shell completes, colour, and what a screen shows meanwhile.

use std::time::Duration;

use crate::harness::{Kaw, found};

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
