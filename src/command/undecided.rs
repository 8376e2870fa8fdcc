//! What is said where a transaction that nobody has ended holds records back.

use crate::client::admin::HeldBack;
use crate::quantity::counted;

/// Of more partitions it is told in one line.
const LINES_MAX: usize = 5;

/// A line for each partition, or one for many; `then` is what follows from it, or what helps.
pub fn lines(held_back: &[HeldBack], then: &str) -> Vec<String> {
    let offsets = |it: &HeldBack| it.until.get() - it.from.get();
    match held_back {
        [first, _, ..] if LINES_MAX < held_back.len() => {
            let count = counted(held_back.iter().map(offsets).sum::<i64>(), "offset");
            let HeldBack { topic, partition, from, .. } = first;
            vec![format!(
                "open transactions hold back {count} of {} partitions, {topic}-{partition} from \
                 {from} on and others; {then}",
                held_back.len()
            )]
        }
        _ => held_back.iter().map(|it| line(it, then)).collect(),
    }
}

fn line(HeldBack { topic, partition, from, until }: &HeldBack, then: &str) -> String {
    let last = until.get() - 1;
    let offsets = match from.get() == last {
        true => format!("offset {from}"),
        false => format!("offsets {from} to {last}"),
    };
    format!("{topic}-{partition}: an open transaction holds back {offsets}; {then}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Offset, PartitionId};

    #[track_caller]
    fn check(spans: &[(i64, i64)], want: &[&str]) {
        let held_back = spans.iter().zip(0..).map(|(&(from, until), id)| HeldBack {
            topic: "t".to_owned(),
            partition: PartitionId(id),
            from: Offset(from),
            until: Offset(until),
        });
        assert_eq!(lines(&held_back.collect::<Vec<_>>(), "so"), want);
    }

    #[test]
    fn few_partitions_have_a_line_each_and_many_one() {
        check(&[], &[]);
        check(&[(301, 451)], &["t-0: an open transaction holds back offsets 301 to 450; so"]);
        check(&[(7, 8)], &["t-0: an open transaction holds back offset 7; so"]);
        check(
            &[(5, 15); 6],
            &["open transactions hold back 60 offsets of 6 partitions, t-0 from 5 on and others; \
               so"],
        );
    }
}
