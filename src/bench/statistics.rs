//! What a handful of repeated figures says, without assuming how they are distributed.
//! Never knows: what the figures are of.
//!
//! Every interval here is the k-th smallest to the k-th largest of some candidates, with the
//! largest k that an exact distribution of ranks allows: those of the sign test for a median,
//! of Mann and Whitney for the ratio of two groups, of Wilcoxon for the ratio of pairs (Bauer,
//! "Constructing confidence sets using rank statistics", JASA 67, 1972; Hollander and Wolfe,
//! "Nonparametric Statistical Methods", 3.3, 3.4 and 4.3). Benchmark runs are few, skewed and have
//! outliers: a mean and its t interval would believe them.

/// What may lie on each side of an interval of 95 %.
pub const TAIL: f64 = 0.025;

/// A ratio, and between which two it lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    pub estimate: f64,
    /// None: there are too few figures to say so of any.
    pub interval: Option<(f64, f64)>,
}

/// The middle of these, which must not be empty.
pub fn median(values: &[f64]) -> f64 {
    median_of_sorted(&sorted(values.to_vec()))
}

/// Between which two values the median lies that more and more runs would approach.
pub fn interval_of_median(values: &[f64], tail: f64) -> Option<(f64, f64)> {
    enclosing(&sorted(values.to_vec()), &tosses(values.len()), tail)
}

/// What every figure after is to every figure before (Hodges and Lehmann's shift, of logarithms).
/// Neither may be empty.
pub fn ratio(before: &[f64], after: &[f64], tail: f64) -> Ratio {
    let pairs = before.iter().flat_map(|before| after.iter().map(move |after| after / before));
    let ratios = sorted(pairs.collect());
    let interval = enclosing(&ratios, &ways_of_groups(before.len(), after.len()), tail);
    Ratio { estimate: median_of_sorted(&ratios), interval }
}

/// The same where each figure has its partner of the same minute: of their ratios, which must not
/// be empty. The candidates are their Walsh averages, of logarithms.
pub fn ratio_of_pairs(ratios: &[f64], tail: f64) -> Ratio {
    let below = |at: usize| ratios[..=at].iter().map(move |one| (one * ratios[at]).sqrt());
    let means = sorted((0..ratios.len()).flat_map(below).collect());
    let interval = enclosing(&means, &ways_of_signs(ratios.len()), tail);
    Ratio { estimate: median_of_sorted(&means), interval }
}

/// The fewest runs on each side of which `ratio` has an interval.
pub fn runs_needed(tail: f64) -> usize {
    let is_enough = |&runs: &usize| is_possible(&ways_of_groups(runs, runs), tail);
    (1..).find(is_enough).expect("with runs the likelihood of one order goes to 0")
}

/// The fewest pairs of which `ratio_of_pairs` has one.
pub fn pairs_needed(tail: f64) -> usize {
    let is_enough = |&pairs: &usize| is_possible(&ways_of_signs(pairs), tail);
    (1..).find(is_enough).expect("with pairs the likelihood of one sign goes to 0")
}

/// The k-th smallest and the k-th largest, with the largest k that leaves no more than the tail
/// outside on each side. `ways` says how many equally likely cases leave 0, 1, 2 … outside.
fn enclosing(candidates: &[f64], ways: &[f64], tail: f64) -> Option<(f64, f64)> {
    let all: f64 = ways.iter().sum();
    let mut outside = 0.0;
    let fits = |ways: &&f64| {
        outside += **ways;
        outside <= tail * all
    };
    let last = ways.iter().take_while(fits).count().checked_sub(1)?;
    Some((candidates[last], candidates[candidates.len() - 1 - last]))
}

fn is_possible(ways: &[f64], tail: f64) -> bool {
    ways[0] <= tail * ways.iter().sum::<f64>()
}

/// In how many ways so many coins show 0, 1, 2 … heads.
fn tosses(coins: usize) -> Vec<f64> {
    let next = |ways: &f64, heads: usize| ways * (coins - heads) as f64 / (heads + 1) as f64;
    let mut ways = vec![1.0];
    (0..coins).for_each(|heads| ways.push(next(&ways[heads], heads)));
    ways
}

/// Mann and Whitney: in how many orders of two groups exactly 0, 1, 2 … pairs are upside down.
/// The last in the order is of one group or of the other.
fn ways_of_groups(one: usize, other: usize) -> Vec<f64> {
    let len = one * other + 1;
    let mut start = vec![0.0; len];
    start[0] = 1.0;
    // Row `j` is of groups of `i` and `j`.
    let mut rows = vec![start; other + 1];
    for _ in 0..one {
        for j in 1..=other {
            for upside_down in (0..len).rev() {
                let of_one = upside_down.checked_sub(j).map_or(0.0, |less| rows[j][less]);
                rows[j][upside_down] = of_one + rows[j - 1][upside_down];
            }
        }
    }
    rows.swap_remove(other)
}

/// Wilcoxon: in how many ways the ranks of those with a minus add up to 0, 1, 2 …
fn ways_of_signs(count: usize) -> Vec<f64> {
    let mut ways = vec![0.0; count * (count + 1) / 2 + 1];
    ways[0] = 1.0;
    for rank in 1..=count {
        for sum in (rank..ways.len()).rev() {
            ways[sum] += ways[sum - rank];
        }
    }
    ways
}

fn median_of_sorted(values: &[f64]) -> f64 {
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

#[cfg(test)]
mod tests;
