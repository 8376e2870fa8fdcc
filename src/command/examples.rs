//! Examples in `--help`, grouped by what people want to do. A test runs every one of them.

use clap::Command;

use super::color;

/// By the words of the command.
const EXAMPLES: &[(&[&str], &str)] = &[
    (&[], KAW),
    (&["topic"], TOPIC),
    (&["produce"], PRODUCE),
    (&["consume"], CONSUME),
    (&["group"], GROUP),
    (&["backup"], BACKUP),
    (&["restore"], RESTORE),
    (&["bench"], BENCH),
    (&["broker"], BROKER),
    (&["config"], CONFIG),
    (&["log"], LOG),
    (&["completion"], COMPLETION),
];

const KAW: &str = "\
Examples:
  Try it; nothing has to be running:
    seq 1 5 | kaw produce numbers
    kaw consume -e numbers
    kaw topic list --detailed

  Look into a cluster:
    kaw -b localhost:9092 topic describe orders
    kaw -b localhost:9092 consume orders --tail 10 -e
    kaw -b localhost:9092 group describe

  Test a program against a broker of its own:
    kaw broker run -- sh -c 'seq 3 | kaw produce t && kaw consume t --expect 3'

  Measure:
    kaw bench produce --records 100k";

const TOPIC: &str = "\
Examples:
  Make room:
    kaw topic create orders -p 3 -c retention.ms=86400000
    kaw topic alter orders -p 6 -c cleanup.policy=compact

  See what is there:
    kaw topic list
    kaw topic list '^ord' --detailed
    kaw topic describe orders
    kaw topic describe -J | head -1
    kaw topic offsets orders --at @-1h

  Make away with it:
    kaw topic trim orders:0 --to end --dry-run
    kaw topic delete orders";

const PRODUCE: &str = "\
Examples:
  Lines, with keys and without:
    seq 1 5 | kaw produce numbers
    kaw produce orders monday.txt tuesday.txt
    echo 'alice:42' | kaw produce orders -K :
    echo 42 | kaw produce orders -k alice -H source=shop -p 0

  What is no lines:
    kaw produce pictures --whole cat.jpg dog.jpg
    printf 'a\\nb\\0c\\0' | kaw produce texts -D '\\0'
    kaw consume -e -J orders | kaw produce copy -J
    printf '\\0\\0\\0\\2hi' | kaw produce frames -f '%V{big32}%v'

  Know what became of every record:
    kaw produce orders monday.txt --report report.jsonl --rejects rejects.jsonl
    kaw produce orders monday.txt --resume monday.checkpoint

  In its own time:
    seq 1 50 | kaw produce numbers --rate 100/s
    kaw produce orders -J recorded.jsonl --replay 10x";

const CONSUME: &str = "\
Examples:
  All of it, and what follows:
    kaw consume orders
    kaw consume -r '^ord' -f '%t %s\\n'

  What is there now, or a part of it:
    kaw consume -e orders
    kaw consume -e --tail 10 orders
    kaw consume -e -o @-1h orders
    kaw consume -o 0..2 -p 0 orders
    kaw consume -c 3 orders

  The way you want it:
    kaw consume -e -J orders
    kaw consume -e -f '%t %p %o %k %s\\n' orders
    kaw consume -e --merge -f '%d{strftime[%F %T]} %v\\n' orders
    kaw consume -e orders --where '.value.amount > 100' --select .value.id

  As a member of a group, which commits what was printed:
    kaw consume -g readers -c 2 orders

  A check in a script:
    kaw consume -e orders --expect 4
    kaw consume orders --expect 4 --within 30s";

const GROUP: &str = "\
Examples:
  Who reads, and how far behind:
    kaw group list --detailed
    kaw group describe readers
    kaw group describe readers --lag-only -J

  Read again, or leave something out:
    kaw group reset readers --to start --dry-run
    kaw group reset readers --to @-1h
    kaw group reset readers --topic orders:0 --to end

  Forget it:
    kaw group delete readers";

const BACKUP: &str = "\
Examples:
  All topics, and later what is new:
    kaw backup safe
    kaw backup safe

  Some of them, from a cluster:
    kaw -b localhost:9092 backup cluster orders
    kaw -b localhost:9092 backup cluster -r '^ord' --no-groups

  Keep today's as it is, without copying a byte:
    cp -al safe safe-$(date +%F) && kaw backup safe";

const RESTORE: &str = "\
Examples:
  Is it whole, and could it be restored:
    kaw restore safe --as 'check-{}' --dry-run

  Beside what is there:
    kaw restore safe orders --as orders-again

  As it was an hour ago, kept for ever:
    kaw restore safe orders --as orders-then --until -1h -c retention.ms=-1

  Into a cluster:
    kaw -b localhost:9092 restore safe --as 'from-{}' --replicas 1";

const BENCH: &str = "\
Examples:
  How fast it is here:
    kaw bench produce --records 100k
    kaw bench consume --records 100k --partitions 3

  Latency under a load that does not wait:
    kaw bench produce --rate 5k/s --duration 2s

  Your data:
    kaw bench produce --records 100k --record-size 1k -z zstd --payload text --keys 1000

  What matters, and how far figures lie apart:
    kaw bench produce --records 50k --sweep acks=1,all --sweep linger.ms=0,5
    kaw bench produce --records 50k --repeat 6
    kaw bench produce --duration 100ms --find-max --slo 'p99<1s'

  Better or worse than before, and than another cluster:
    kaw bench produce --records 20k --repeat 5 --save baseline.json
    kaw bench produce --records 20k --compare baseline.json --tolerance 90%
    kaw bench produce --records 20k --versus localhost:9092

  A cluster, and a check in CI:
    kaw -b localhost:9092 bench produce --records 100k --acks 1
    kaw bench produce --records 100k --fail-if 'records/s<1000' --json
    kaw bench produce --records 100k --output json -O result.json
    kaw bench schema | head -3";

const BROKER: &str = "\
Examples:
  Serve other programs:
    kaw broker --listen 127.0.0.1:9092 --topic orders:3
    kaw broker --ephemeral --listen 127.0.0.1:0

  Test a program, which finds it in KAFKA_BOOTSTRAP_SERVERS:
    kaw broker run -- sh -c 'seq 3 | kaw produce t && kaw consume t --expect 3'

  See what became of it:
    kaw broker status
    kaw broker stop

  Write what kafka-server-start.sh takes its data over with:
    kaw broker properties > kaw.properties";

const CONFIG: &str = "\
Examples:
  What is in force here, and with a profile:
    kaw config
    kaw --profile prod config -J
    kaw config --profiles

  What there is to set:
    kaw config --all
    kaw -X list";

const LOG: &str = "\
Examples:
  See what lies in a log, whoever wrote it:
    kaw log dump ~/.local/share/kaw/orders-0
    kaw log dump --records -J ~/.local/share/kaw/orders-0
    kaw log dump --records ~/.local/share/kaw/__cluster_metadata-0
    kaw log dump ~/.local/share/kaw/orders-0/leader-epoch-checkpoint

  See whether all of it is whole, also while a broker writes to it:
    kaw log verify ~/.local/share/kaw
    kaw log verify --records ~/.local/share/kaw/orders-0

  Mend it, when no broker is at work:
    kaw log repair ~/.local/share/kaw
    kaw log repair --yes ~/.local/share/kaw";

const COMPLETION: &str = "\
Examples:
  Once, for all shells to come:
    kaw completion bash > ~/.local/share/bash-completion/completions/kaw
    kaw completion zsh > ~/.zfunc/_kaw
    kaw completion fish > ~/.config/fish/completions/kaw.fish

  In this one:
    source <(kaw completion bash)";

/// The command line, with its examples.
pub fn with_examples(command: Command) -> Command {
    EXAMPLES.iter().fold(command, |command, (path, text)| add(command, path, &styled(text)))
}

fn add(command: Command, path: &[&str], text: &str) -> Command {
    match path.split_first() {
        None => command.after_long_help(text.to_owned()),
        Some((first, rest)) => command.mut_subcommand(first, |sub| add(sub, rest, text)),
    }
}

/// As clap styles its own headings and what is to be typed; it leaves the styles out where there
/// is no colour.
fn styled(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix("    ") {
        Some(example) => format!("    {}", color::bold(example)),
        None if line.starts_with(' ') || line.is_empty() => line.to_owned(),
        None => color::heading(line),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_examples_that_fit_a_screen() {
        let own = <super::super::Cli as clap::CommandFactory>::command();
        // kcat's help is its own.
        let explained = |command: &&Command| command.get_name() != "kcat";
        for command in own.get_subcommands().filter(explained) {
            let has = EXAMPLES.iter().any(|(path, _)| *path == [command.get_name()]);
            assert!(has, "no examples of {}", command.get_name());
        }
        let mut lines = EXAMPLES.iter().flat_map(|(_, text)| text.lines());
        assert!(lines.all(|line| line.len() <= 92));
    }
}
