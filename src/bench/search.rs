//! `--find-max`: the highest rate that keeps an objective, by trying rates one after the other.
//! Pure: who tries them says what came of each.
//!
//! Noise can make one attempt fail at any rate, and hardly ever makes one succeed. So a failure is
//! tried again before it is believed, and what was found is confirmed by several runs, whose
//! median must keep the objective; where it does not, a lower rate is confirmed.

/// Far from the answer, rates are this far apart.
const STRIDE: f64 = 4.0;
/// The answer is this close to a rate that failed.
const NEAR: f64 = 1.05;
/// What comes next where an answer was not confirmed.
const LOWER: f64 = 0.9;
/// No broker takes more, and nobody waits for less.
const RATES: std::ops::RangeInclusive<f64> = 1.0..=1e8;
const CONFIRMATIONS_MAX: u32 = 5;

/// What is known so far.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// The highest that was kept.
    kept: Option<f64>,
    /// The lowest that was not.
    failed: Option<f64>,
    start: f64,
    confirmations: u32,
}

impl Search {
    pub fn from(start: f64) -> Search {
        Search { kept: None, failed: None, start, confirmations: 0 }
    }

    /// The rate to try next; none: it is narrowed down.
    pub fn next(&self) -> Option<f64> {
        let next = match (self.kept, self.failed) {
            (None, None) => self.start,
            (Some(kept), None) => kept * STRIDE,
            (None, Some(failed)) => failed / STRIDE,
            (Some(kept), Some(failed)) if failed / kept <= NEAR => return None,
            (Some(kept), Some(failed)) => (kept * failed).sqrt(),
        };
        // Rates are typed as whole numbers.
        let next = next.round();
        let is_new = Some(next) != self.kept && Some(next) != self.failed;
        (RATES.contains(&next) && is_new).then_some(next)
    }

    /// A rate was tried, twice if it failed.
    pub fn learn(&mut self, rate: f64, kept: bool) {
        match kept {
            true => self.kept = Some(self.kept.map_or(rate, |best| best.max(rate))),
            false => self.failed = Some(self.failed.map_or(rate, |worst| worst.min(rate))),
        }
    }

    /// The rate to confirm; none: no rate keeps the objective.
    pub fn answer(&self) -> Option<f64> {
        self.kept.filter(|_| self.confirmations < CONFIRMATIONS_MAX)
    }

    /// It was not confirmed.
    pub fn refuse(&mut self) {
        self.confirmations += 1;
        let lower = self.kept.map(|kept| (kept * LOWER).floor());
        self.kept = lower.filter(|lower| RATES.contains(lower));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer, and how many rates it took, where rates up to `limit` keep the objective.
    fn found(start: f64, limit: f64) -> (Option<f64>, u32) {
        let mut search = Search::from(start);
        let mut tried = 0;
        while let Some(rate) = search.next() {
            search.learn(rate, rate <= limit);
            tried += 1;
            assert!(tried < 40, "{search:?}");
        }
        (search.answer(), tried)
    }

    #[test]
    fn the_answer_is_close_below_the_limit() {
        for limit in [1.0, 7.0, 999.0, 1000.0, 12_345.0, 876_543.0, 5e7] {
            for start in [1.0, 1000.0, 1e6] {
                let (answer, tried) = found(start, limit);
                let answer = answer.unwrap();
                assert!(answer <= limit, "{answer} of {limit}");
                assert!(limit < answer * NEAR + 1.0, "{answer} of {limit}");
                assert!(tried <= 22, "{tried} rates from {start} for {limit}");
            }
        }
    }

    #[test]
    fn where_no_rate_will_do_there_is_no_answer() {
        assert_eq!(found(1000.0, 0.5).0, None);
        assert_eq!(found(1000.0, 1e12).0, Some(1000.0 * STRIDE.powi(8)));
    }

    #[test]
    fn what_is_not_confirmed_is_lowered_a_few_times() {
        let mut search = Search::from(1000.0);
        search.learn(1000.0, true);
        let mut answers = Vec::new();
        while let Some(answer) = search.answer() {
            answers.push(answer);
            search.refuse();
        }
        assert_eq!(answers, [1000.0, 900.0, 810.0, 729.0, 656.0]);
    }
}
