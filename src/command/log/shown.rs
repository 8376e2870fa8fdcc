//! What was found in logs, as it is shown: notes on stderr, then damage on stdout.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::json;

use super::super::stdio::{Stdout, line, stdout_failed};
use super::super::{Global, complain, note};
use crate::log::inspect::{Finding, Severity};

/// So many notes of a kind are shown one by one.
const OF_ONE_KIND_MAX: usize = 3;

/// For people. Damage comes last, and many notes of one kind are one line, unless `-v` asks for
/// all: what Apache Kafka was killed on has hundreds, and they must not hide what matters.
pub fn show(global: &Global, findings: &[Finding]) -> anyhow::Result<()> {
    let of = |severity| findings.iter().filter(move |finding| finding.severity == severity);
    let each = if 0 < global.verbose { usize::MAX } else { OF_ONE_KIND_MAX };
    for said in notes(of(Severity::Note), each) {
        note(global, &said);
    }
    complain_of_unread(findings);
    let damage = of(Severity::Damage).map(|finding| line(&finding.to_string()));
    print(&damage.collect::<String>())
}

/// For programs: all of them, one object a line.
pub fn show_json(findings: &[Finding]) -> anyhow::Result<()> {
    complain_of_unread(findings);
    let lines = findings.iter().map(|finding| {
        let is_damage = match finding.severity {
            Severity::Damage => Some(true),
            Severity::Note => Some(false),
            // Nobody knows.
            Severity::Unread => None,
        };
        let object = json!({
            "file": finding.path.to_string_lossy(),
            "byte": finding.byte,
            "offset": finding.offset.map(|offset| offset.get()),
            "damage": is_damage,
            "what": finding.what,
        });
        format!("{object}\n")
    });
    print(&lines.collect::<String>())
}

fn complain_of_unread(findings: &[Finding]) {
    for finding in findings.iter().filter(|finding| finding.severity == Severity::Unread) {
        complain(&anyhow::anyhow!("{finding}"));
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    Stdout::open()?.write_all(text.as_bytes()).map_err(stdout_failed)
}

/// Notes as lines, in the order of the first of each kind: those that differ in numbers alone are
/// of one.
fn notes<'f>(findings: impl Iterator<Item = &'f Finding>, each_max: usize) -> Vec<String> {
    let mut kinds: BTreeMap<String, Vec<&Finding>> = BTreeMap::new();
    let mut order = Vec::new();
    for finding in findings {
        let kind: String = finding.what.chars().filter(|letter| !letter.is_ascii_digit()).collect();
        let of_kind = kinds.entry(kind.clone()).or_default();
        if of_kind.is_empty() {
            order.push(kind);
        }
        of_kind.push(finding);
    }
    let lines = order.iter().flat_map(|kind| match &kinds[kind][..] {
        few if few.len() <= each_max => few.iter().map(|finding| finding.to_string()).collect(),
        many => {
            let others = many.len() - 1;
            vec![format!("{} (and {others} more of the kind; -v names them)", many[0])]
        }
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn many_notes_of_a_kind_are_one_line() {
        let note = |path: String, what: String| Finding {
            severity: Severity::Note,
            path: PathBuf::from(path),
            byte: None,
            offset: None,
            what,
        };
        let torn = (0..9).map(|at| note(format!("t-{at}"), format!("{at} bytes were torn")));
        let all: Vec<Finding> = torn.chain([note("u".into(), "odd".into())]).collect();
        let want = ["t-0: 0 bytes were torn (and 8 more of the kind; -v names them)", "u: odd"];
        assert_eq!(notes(all.iter(), OF_ONE_KIND_MAX), want);
        assert_eq!(notes(all.iter(), usize::MAX).len(), 10);
        assert_eq!(notes(all[..3].iter(), OF_ONE_KIND_MAX).len(), 3);
    }
}
