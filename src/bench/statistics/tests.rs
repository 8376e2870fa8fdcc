//! Against the tables of textbooks, laws that hold for any figures, and how often it is right.

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
