//! What a handful of repeated figures says, without assuming how they are distributed.
//! Never knows: what the figures are of.
//!
//! An interval is the k-th smallest to the k-th largest of some candidates, with the largest k that
//! an exact distribution of ranks allows: that of the sign test for a median (Hollander and Wolfe,
//! "Nonparametric Statistical Methods", 3.4). Benchmark runs are few, skewed and have outliers: a
//! mean and its t interval would believe them.

/// What may lie on each side of an interval of 95 %.
pub const TAIL: f64 = 0.025;

/// The middle of these, which must not be empty.
pub fn median(values: &[f64]) -> f64 {
    median_of_sorted(&sorted(values.to_vec()))
}

/// Between which two values the median lies that more and more runs would approach.
pub fn interval_of_median(values: &[f64], tail: f64) -> Option<(f64, f64)> {
    enclosing(&sorted(values.to_vec()), &tosses(values.len()), tail)
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

/// In how many ways so many coins show 0, 1, 2 … heads.
fn tosses(coins: usize) -> Vec<f64> {
    let next = |ways: &f64, heads: usize| ways * (coins - heads) as f64 / (heads + 1) as f64;
    let mut ways = vec![1.0];
    (0..coins).for_each(|heads| ways.push(next(&ways[heads], heads)));
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
