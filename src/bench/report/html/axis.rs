//! The scales of a chart: where a value lies, and which values are named beside it.

/// What a chart is drawn along.
#[derive(Debug)]
pub struct Axis {
    pub label: String,
    scale: Scale,
    /// Scaled, and never the same.
    low: f64,
    high: f64,
    /// Values that are named.
    pub ticks: Vec<(f64, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Scale {
    Linear,
    Log,
    /// For parts of a whole: as far from 0.9 to 0.99 as from there to 0.999.
    Nines,
}

/// How a value is named.
pub type Show<'a> = &'a dyn Fn(f64) -> String;

/// About so many values are named.
const TICKS: f64 = 5.0;

/// The last of them is 99.99999 %.
const NINES_MAX: i32 = 7;

impl Axis {
    /// From 0 to this at least.
    pub fn linear(label: &str, max: f64, show: Show<'_>) -> Axis {
        let max = if 0.0 < max { max } else { 1.0 };
        let step = step(max / TICKS);
        let steps = (max / step - 1e-9).ceil();
        let ticks = (0..=steps as u32).map(|tick| f64::from(tick) * step);
        let ticks = ticks.map(|value| (value, show(value))).collect();
        Axis { label: label.to_owned(), scale: Scale::Linear, low: 0.0, high: steps * step, ticks }
    }

    /// From the least to the most of these; those that have no logarithm are none.
    pub fn log(label: &str, values: impl Iterator<Item = f64>, show: Show<'_>) -> Axis {
        let values = values.filter(|value| 0.0 < *value);
        let none = (f64::INFINITY, f64::NEG_INFINITY);
        let (min, max) = values.fold(none, |(min, max), value| (value.min(min), value.max(max)));
        let (min, max) = if min <= max { (min, max) } else { (1.0, 1.0) };
        let decades = min.log10().floor() as i32..=max.log10().ceil() as i32;
        let narrow = max / min < 100.0;
        let of_decade = |exponent: i32| {
            let factors: &[f64] = if narrow { &[1.0, 2.0, 5.0] } else { &[1.0] };
            factors.iter().map(move |factor| factor * 10f64.powi(exponent))
        };
        let values: Vec<f64> = decades.flat_map(of_decade).collect();
        let below = values.iter().rposition(|value| *value <= min * (1.0 + 1e-9)).unwrap_or(0);
        let above = values.iter().position(|value| max * (1.0 - 1e-9) <= *value);
        let above = above.unwrap_or(values.len() - 1).max(below + 1).min(values.len() - 1);
        let values = &values[below.min(above - 1)..=above];
        let (low, high) = (values[0].log10(), values[values.len() - 1].log10());
        let ticks = values.iter().map(|&value| (value, show(value))).collect();
        Axis { label: label.to_owned(), scale: Scale::Log, low, high, ticks }
    }

    /// Up to this part of a whole.
    pub fn nines(label: &str, most: f64) -> Axis {
        let high = Scale::Nines.of(most).max(1.0);
        let named = |nines: i32| (1.0 - 10f64.powi(-nines), percent(nines));
        let ticks = (0..=NINES_MAX).filter(|nines| f64::from(*nines) <= high + 1e-9).map(named);
        Axis {
            label: label.to_owned(),
            scale: Scale::Nines,
            low: 0.0,
            high,
            ticks: ticks.collect(),
        }
    }

    /// These, at 0, 1, 2 ….
    pub fn names(label: &str, names: impl Iterator<Item = String>) -> Axis {
        let ticks: Vec<_> = (0..).map(f64::from).zip(names).collect();
        let high = ticks.len() as f64 - 0.5;
        Axis { label: label.to_owned(), scale: Scale::Linear, low: -0.5, high, ticks }
    }

    /// Where a value lies, from 0 to 1. None: nowhere on this axis.
    pub fn place(&self, value: f64) -> Option<f64> {
        let scaled = self.scale.of(value);
        let place = (scaled - self.low) / (self.high - self.low);
        (-0.001..=1.001).contains(&place).then_some(place)
    }
}

impl Scale {
    fn of(self, value: f64) -> f64 {
        match self {
            Scale::Linear => value,
            Scale::Log => value.log10(),
            Scale::Nines => -(1.0 - value).log10(),
        }
    }
}

/// 1, 2 or 5 times a power of ten, this or more.
fn step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let fits = [1.0, 2.0, 5.0].map(|factor| factor * power).into_iter();
    fits.into_iter().find(|step| least <= step * (1.0 + 1e-9)).unwrap_or(10.0 * power)
}

fn percent(nines: i32) -> String {
    match nines {
        0 => "0%".to_owned(),
        1 => "90%".to_owned(),
        2 => "99%".to_owned(),
        _ => format!("99.{}%", "9".repeat(usize::try_from(nines - 2).unwrap_or(0))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(axis: &Axis, named: &str, places: &[(f64, Option<f64>)]) {
        let names: Vec<_> = axis.ticks.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names.join(" "), named);
        for (value, want) in places {
            let found = axis.place(*value).map(|place| (place * 1000.0).round() / 1000.0);
            assert_eq!(found, *want, "{value} on {axis:?}");
        }
    }

    #[test]
    fn values_lie_between_round_ones() {
        let show: Show<'_> = &|value| value.to_string();
        let none = [(f64::NAN, None)];
        check(&Axis::linear("", 9.0, show), "0 2 4 6 8 10", &[(5.0, Some(0.5)), (11.0, None)]);
        check(&Axis::linear("", 0.0, show), "0 0.2 0.4 0.6000000000000001 0.8 1", &none);
        let log = Axis::log("", [0.0, 0.002, 0.9].into_iter(), show);
        check(&log, "0.001 0.01 0.1 1", &[(0.01, Some(0.333)), (0.0, None), (1.0, Some(1.0))]);
        check(&Axis::log("", [3.0, 4.0].into_iter(), show), "2 5", &[(2.0, Some(0.0))]);
        check(&Axis::log("", [2.0].into_iter(), show), "2 5", &[(2.0, Some(0.0))]);
        check(&Axis::log("", [1000.0].into_iter(), show), "1000 2000", &none);
        check(&Axis::log("", std::iter::empty(), show), "1 2", &none);
        let nines = Axis::nines("", 0.9999);
        check(&nines, "0% 90% 99% 99.9% 99.99%", &[(0.99, Some(0.5)), (1.0, None)]);
        let names = Axis::names("", ["a", "b"].map(str::to_owned).into_iter());
        check(&names, "a b", &[(0.0, Some(0.25)), (1.0, Some(0.75))]);
    }
}
