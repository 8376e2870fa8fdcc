//! Against the tables of textbooks, laws that hold for any figures, and how often it is right.

use proptest::prelude::*;

use super::*;

#[test]
fn medians() {
    assert_eq!(median(&[3.0]), 3.0);
    assert_eq!(median(&[9.0, 1.0, 2.0]), 2.0);
    assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), 3.0);
}

fn up_to(count: u32) -> Vec<f64> {
    (1..=count).map(f64::from).collect()
}

/// The ranks that tables of the sign test give for 95 %.
#[test]
fn intervals_of_the_median_have_the_ranks_of_the_tables() {
    let ranks = |count| interval_of_median(&up_to(count), TAIL);
    assert_eq!(ranks(5), None);
    assert_eq!(ranks(6), Some((1.0, 6.0)));
    assert_eq!(ranks(8), Some((1.0, 8.0)));
    assert_eq!(ranks(9), Some((2.0, 8.0)));
    assert_eq!(ranks(20), Some((6.0, 15.0)));
    assert_eq!(ranks(25), Some((8.0, 18.0)));
}

/// The rank from which on a table of ways leaves too much outside, minus one.
fn critical(ways: &[f64]) -> Option<f64> {
    let ranks: Vec<f64> = (0..ways.len()).map(|rank| rank as f64).collect();
    enclosing(&ranks, ways, TAIL).map(|(low, _)| low)
}

/// Critical values of U, two-sided 5 %, as printed in every textbook.
#[test]
fn groups_have_the_critical_values_of_mann_and_whitney() {
    let check = |one, other, want| assert_eq!(critical(&ways_of_groups(one, other)), want);
    check(3, 3, None);
    check(3, 5, Some(0.0));
    check(4, 4, Some(0.0));
    check(5, 5, Some(2.0));
    check(5, 10, Some(8.0));
    check(8, 8, Some(13.0));
    check(10, 10, Some(23.0));
    check(20, 20, Some(127.0));
}

/// The same of T.
#[test]
fn pairs_have_the_critical_values_of_wilcoxon() {
    let check = |pairs, want| assert_eq!(critical(&ways_of_signs(pairs)), want);
    check(5, None);
    check(6, Some(0.0));
    check(7, Some(2.0));
    check(8, Some(3.0));
    check(10, Some(8.0));
    check(15, Some(25.0));
    check(20, Some(52.0));
}

#[test]
fn all_ways_are_counted_once() {
    assert_eq!(tosses(10).iter().sum::<f64>(), 1024.0);
    assert_eq!(ways_of_signs(10).iter().sum::<f64>(), 1024.0);
    assert_eq!(ways_of_groups(5, 7).iter().sum::<f64>(), 792.0);
}

#[test]
fn how_many_runs_it_takes() {
    assert_eq!((runs_needed(TAIL), runs_needed(TAIL / 4.0)), (4, 5));
    assert_eq!((pairs_needed(TAIL), pairs_needed(TAIL / 4.0)), (6, 8));
}

#[test]
fn a_clear_difference_is_seen_and_a_small_one_is_not() {
    let before = [100.0, 101.0, 99.0, 102.0, 98.0];
    let slower = before.map(|figure| figure * 0.7);
    let found = ratio(&before, &slower, TAIL / 4.0);
    assert!((found.estimate - 0.7).abs() < 0.01, "{found:?}");
    let (low, high) = found.interval.unwrap();
    assert!(0.65 < low && high < 0.75, "{found:?}");
    let (low, high) = ratio(&before, &before, TAIL).interval.unwrap();
    assert!(low < 1.0 && 1.0 < high);
}

fn figures(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec(0.001..1000.0_f64, count)
}

fn is_near(one: f64, other: f64) -> bool {
    (one / other - 1.0).abs() < 1e-9
}

proptest! {
    #[test]
    fn the_other_way_round_is_the_inverse(one in figures(4..9), other in figures(4..9)) {
        let (low, high) = ratio(&one, &other, TAIL).interval.unwrap();
        let (back_low, back_high) = ratio(&other, &one, TAIL).interval.unwrap();
        prop_assert!(is_near(low, 1.0 / back_high) && is_near(high, 1.0 / back_low));
    }

    #[test]
    fn a_factor_on_one_side_is_the_same_factor_on_the_ratio(
        one in figures(1..9), other in figures(1..9), factor in 0.1..10.0_f64,
    ) {
        let scaled: Vec<f64> = other.iter().map(|figure| figure * factor).collect();
        let (plain, scaled) = (ratio(&one, &other, TAIL), ratio(&one, &scaled, TAIL));
        prop_assert!(is_near(plain.estimate * factor, scaled.estimate));
        prop_assert_eq!(plain.interval.is_some(), scaled.interval.is_some());
    }

    #[test]
    fn an_interval_holds_its_estimate(ratios in figures(6..12)) {
        let found = ratio_of_pairs(&ratios, TAIL);
        let (low, high) = found.interval.unwrap();
        prop_assert!(low <= found.estimate && found.estimate <= high);
        let (low, high) = interval_of_median(&ratios, TAIL).unwrap();
        prop_assert!((low..=high).contains(&median(&ratios)));
    }
}

// Goal: 95 % means 95 %, for figures as benchmarks have them: skewed, a few far off.
// Method: 4,000 seeded pairs of groups whose true ratio is 1.3; at most 5 % of the intervals, and
// some, miss it.
#[test]
fn intervals_miss_as_rarely_as_they_claim() {
    let mut state = 1_u64;
    let mut uniform = move || {
        // Knuth's linear congruential generator.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut skewed = move || 100.0 * (1.0 - uniform()).powf(-0.2);
    let trials = 4000;
    let (mut groups, mut pairs) = (0, 0);
    for _ in 0..trials {
        let before: Vec<f64> = (0..6).map(|_| skewed()).collect();
        let after: Vec<f64> = (0..6).map(|_| 1.3 * skewed()).collect();
        let ratios: Vec<f64> = before.iter().zip(&after).map(|(one, two)| two / one).collect();
        let misses = |ratio: Ratio| {
            let (low, high) = ratio.interval.unwrap();
            !(low..=high).contains(&1.3)
        };
        groups += u32::from(misses(ratio(&before, &after, TAIL)));
        pairs += u32::from(misses(ratio_of_pairs(&ratios, TAIL)));
    }
    // Ranks step: of 6 and 6 the exact figure is 4.1 %, of 6 pairs 3.1 %.
    for (missed, want) in [(groups, 0.041), (pairs, 0.031)] {
        let part = f64::from(missed) / f64::from(trials);
        assert!((part - want).abs() < 0.01, "{part} for {want}");
    }
}
