//! [`Domain`]: the values that a parameter of a search may take.
//!
//! Samplers and densities work on *codes*: a number for each value. The code of a number is the number itself, that of
//! a value in a list its place there.

use candlecast_core::Stream;
use serde_json::{Map, Value, json};

/// Whole numbers up to here have a code of their own, however it is computed.
const MAX_WHOLE: i64 = 1_000_000_000_000_000;

/// The values that a parameter may take; valid by construction.
#[derive(Debug, Clone, PartialEq)]
pub struct Domain(Kind);

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    /// `low`, `low + step` .. `high`.
    Int { low: i64, high: i64, step: i64, log: bool },
    /// From `low` to `high`, with a step in multiples of it above `low`.
    Float { low: f64, high: f64, step: Option<f64>, log: bool },
    /// Numbers in ascending order. Neighbours are taken for alike, so a density over them is one over their places.
    Ordered(Vec<Value>),
    /// Values without an order.
    Choice(Vec<Value>),
}

/// The form in which a density over codes is built.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Axis {
    /// Numbers on a line.
    Line(Line),
    /// So many values without an order, with the codes 0, 1, ..
    Choices(usize),
}

/// Codes on a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Line {
    /// Least code.
    pub(crate) low: f64,
    /// Greatest code.
    pub(crate) high: f64,
    /// Distance of neighbours; 0 where every number is a code.
    pub(crate) step: f64,
    /// True where the scale is that of the logarithms.
    pub(crate) log: bool,
}

impl Domain {
    /// Whole numbers `low`, `low + step` up to `high` at most. With `log`, which takes a step of 1 and a `low` of at
    /// least 1, the same factor counts as the same distance. The message says what is wrong.
    pub fn int(low: i64, high: i64, step: i64, log: bool) -> Result<Self, String> {
        if low.unsigned_abs() > MAX_WHOLE.unsigned_abs() || high.unsigned_abs() > MAX_WHOLE.unsigned_abs() {
            return Err(format!("whole numbers reach from -{MAX_WHOLE} to {MAX_WHOLE}"));
        }
        if low > high {
            return Err(format!("min {low} is above max {high}"));
        }
        if step < 1 {
            return Err(format!("step {step} is not above 0"));
        }
        if log && step != 1 {
            return Err("a logarithmic scale has no step: leave out one of both".into());
        }
        if log && low < 1 {
            return Err(format!("a logarithmic scale begins at 1 or later, not at {low}"));
        }
        Ok(Self(Kind::Int { low, high: low + (high - low) / step * step, step, log }))
    }

    /// Numbers from `low` to `high`; with a step, `low`, `low + step` up to `high` at most. With `log`, which takes no
    /// step and a `low` above 0, the same factor counts as the same distance. The message says what is wrong.
    pub fn float(low: f64, high: f64, step: Option<f64>, log: bool) -> Result<Self, String> {
        if !(low.is_finite() && high.is_finite()) {
            return Err("min and max are finite numbers".into());
        }
        if low > high {
            return Err(format!("min {low} is above max {high}"));
        }
        if log && step.is_some() {
            return Err("a logarithmic scale has no step: leave out one of both".into());
        }
        if log && low <= 0.0 {
            return Err(format!("a logarithmic scale begins above 0, not at {low}"));
        }
        let Some(step) = step else { return Ok(Self(Kind::Float { low, high, step: None, log })) };
        if !(step.is_finite() && step > 0.0) {
            return Err(format!("step {step} is not above 0"));
        }
        let low = tidy(low);
        let n_steps = ((high - low) / step + 1e-9).floor();
        if n_steps > MAX_WHOLE as f64 {
            return Err(format!("step {step} is too small for a range from {low} to {high}"));
        }
        Ok(Self(Kind::Float { low, high: tidy(low + n_steps * step), step: Some(step), log }))
    }

    /// One of `values`, which differ. Numbers are put in ascending order, and neighbours are taken for alike. The message
    /// says what is wrong.
    pub fn list(mut values: Vec<Value>) -> Result<Self, String> {
        if values.is_empty() {
            return Err("a list has at least one value".into());
        }
        if let Some(twice) = values.iter().enumerate().find(|(i, v)| values[..*i].iter().any(|w| same(v, w))) {
            return Err(format!("{} stands there twice", twice.1));
        }
        if !values.iter().all(Value::is_number) {
            return Ok(Self(Kind::Choice(values)));
        }
        values.sort_by(|a, b| number(a).total_cmp(&number(b)));
        Ok(Self(Kind::Ordered(values)))
    }

    /// How many values there are; `None` where every number of a range is one.
    pub fn n_values(&self) -> Option<u64> {
        match &self.0 {
            Kind::Int { low, high, step, .. } => Some(high.abs_diff(*low) / step.unsigned_abs() + 1),
            Kind::Float { low, high, step: None, .. } => (low == high).then_some(1),
            Kind::Float { low, high, step: Some(step), .. } => Some(((high - low) / step).round() as u64 + 1),
            Kind::Ordered(values) | Kind::Choice(values) => Some(values.len() as u64),
        }
    }

    /// All values, in ascending order or that of the list; `None` where every number of a range is one.
    pub fn values(&self) -> Option<Vec<Value>> {
        Some((0..self.n_values()?).map(|i| self.value(self.code_at(i))).collect())
    }

    /// True where there is nothing to choose.
    pub fn is_single(&self) -> bool {
        self.n_values() == Some(1)
    }

    /// The value of a code of this domain.
    pub fn value(&self, code: f64) -> Value {
        match &self.0 {
            Kind::Int { .. } => json!(code.round() as i64),
            Kind::Float { .. } => json!(code),
            Kind::Ordered(values) | Kind::Choice(values) => {
                values.get(code.round() as usize).cloned().unwrap_or(Value::Null)
            }
        }
    }

    /// The code of `value`; `None` for one that is not of this domain.
    pub fn code(&self, value: &Value) -> Option<f64> {
        match &self.0 {
            Kind::Int { low, high, step, .. } => {
                let value = whole(value)?;
                let fits = (*low..=*high).contains(&value) && (value - low) % step == 0;
                fits.then_some(value as f64)
            }
            Kind::Float { low, high, step, .. } => {
                let value = value.as_f64()?;
                let Some(step) = step else { return (*low..=*high).contains(&value).then_some(value) };
                let code = tidy(low + ((value - low) / step).round() * step);
                let is_near = (code - value).abs() <= 1e-9 * step.max(value.abs());
                (is_near && code >= *low && code <= *high).then_some(code)
            }
            Kind::Ordered(values) | Kind::Choice(values) => {
                values.iter().position(|known| same(known, value)).map(|at| at as f64)
            }
        }
    }

    /// The code of value number `i`, in ascending order or that of the list; of a range without steps the lowest.
    pub(crate) fn code_at(&self, i: u64) -> f64 {
        match &self.0 {
            Kind::Int { low, step, .. } => *low as f64 + i as f64 * *step as f64,
            Kind::Float { low, step: Some(step), .. } => tidy(low + i as f64 * step),
            Kind::Float { low, step: None, .. } => *low,
            Kind::Ordered(_) | Kind::Choice(_) => i as f64,
        }
    }

    /// The form in which a density over it is built.
    pub(crate) fn axis(&self) -> Axis {
        match &self.0 {
            Kind::Int { low, high, step, log } => {
                Axis::Line(Line { low: *low as f64, high: *high as f64, step: *step as f64, log: *log })
            }
            Kind::Float { low, high, step, log } => {
                Axis::Line(Line { low: *low, high: *high, step: step.unwrap_or(0.0), log: *log })
            }
            Kind::Ordered(values) => {
                Axis::Line(Line { low: 0.0, high: (values.len() - 1) as f64, step: 1.0, log: false })
            }
            Kind::Choice(values) => Axis::Choices(values.len()),
        }
    }

    /// True for a range, false for a list.
    pub(crate) fn is_range(&self) -> bool {
        matches!(self.0, Kind::Int { .. } | Kind::Float { .. })
    }

    /// True for whole numbers of a range, of which a range on a logarithmic scale is looked at coarsely.
    pub(crate) fn is_int_range(&self) -> bool {
        matches!(self.0, Kind::Int { .. })
    }

    /// A code drawn at random, each value as likely as any other (on a logarithmic scale, each factor).
    pub(crate) fn draw(&self, rng: &mut Stream) -> f64 {
        match self.axis() {
            Axis::Choices(n) => rng.below(n) as f64,
            Axis::Line(line) => {
                let (low, high) = line.bounds();
                line.snap(low + rng.uniform() * (high - low))
            }
        }
    }

    /// At most `n` of its values that lie apart as evenly as they can, the first and the last among them; of a range
    /// without steps, rounded to three digits. A list of values keeps all where there are no more than `n`.
    pub(crate) fn thinned(&self, n: u64) -> Self {
        let n = n.max(1);
        if self.n_values().is_some_and(|there| there <= n) {
            return self.clone();
        }
        let share = |i: u64| if n == 1 { 0.5 } else { i as f64 / (n - 1) as f64 };
        let codes: Vec<f64> = match (self.axis(), self.n_values()) {
            (Axis::Line(line), None) => {
                let (low, high) = line.bounds();
                let inner = |share: f64| {
                    let code = line.snap(low + share * (high - low));
                    format!("{code:.2e}").parse().unwrap_or(code).clamp(line.low, line.high)
                };
                let ends = |i: u64| if i == 0 { line.low } else { line.high };
                (0..n).map(|i| if n > 1 && (i == 0 || i == n - 1) { ends(i) } else { inner(share(i)) }).collect()
            }
            (Axis::Line(line), Some(_)) if line.log => {
                let (low, high) = (line.low.ln(), line.high.ln());
                (0..n).map(|i| line.snap(low + share(i) * (high - low))).collect()
            }
            (_, there) => {
                let last = there.map_or(0, |there| there - 1) as f64;
                (0..n).map(|i| self.code_at((share(i) * last).round() as u64)).collect()
            }
        };
        let mut values: Vec<Value> = Vec::new();
        for value in codes.into_iter().map(|code| self.value(code)) {
            if !values.iter().any(|known| same(known, &value)) {
                values.push(value);
            }
        }
        Self::list(values).unwrap_or_else(|_| self.clone())
    }

    /// As a space says it: a list, or an object with `min`, `max`, `step` and `log`.
    pub(crate) fn to_json(&self) -> Value {
        let mut range = Map::new();
        match &self.0 {
            Kind::Ordered(values) | Kind::Choice(values) => return Value::Array(values.clone()),
            Kind::Int { low, high, step, log } => {
                range.insert("min".into(), json!(low));
                range.insert("max".into(), json!(high));
                if *step != 1 {
                    range.insert("step".into(), json!(step));
                }
                range.insert("log".into(), json!(log));
            }
            Kind::Float { low, high, step, log } => {
                range.insert("min".into(), json!(low));
                range.insert("max".into(), json!(high));
                if let Some(step) = step {
                    range.insert("step".into(), json!(step));
                }
                range.insert("log".into(), json!(log));
            }
        }
        Value::Object(range)
    }
}

impl Line {
    /// Lower and upper bound on the scale: of codes with a step half a step beyond the first and the last, so that all
    /// are as wide.
    pub(crate) fn bounds(&self) -> (f64, f64) {
        (self.on_scale(self.low - self.step / 2.0), self.on_scale(self.high + self.step / 2.0))
    }

    /// Where `code` lies on the scale.
    pub(crate) fn on_scale(&self, code: f64) -> f64 {
        if self.log { code.ln() } else { code }
    }

    /// The code nearest to a place on the scale.
    pub(crate) fn snap(&self, place: f64) -> f64 {
        let code = if self.log { place.exp() } else { place };
        if self.step == 0.0 {
            return code.clamp(self.low, self.high);
        }
        tidy(self.low + ((code - self.low) / self.step).round() * self.step).clamp(self.low, self.high)
    }
}

/// The same number in at most 15 digits: `0.1 + 2 * 0.1` is 0.3 as in the list that a person would write.
fn tidy(x: f64) -> f64 {
    format!("{x:.14e}").parse().unwrap_or(x)
}

/// Equal values, 1 and 1.0 among them.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        _ => a == b,
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

/// A whole number, 16.0 among them.
pub(crate) fn whole(value: &Value) -> Option<i64> {
    let rounded = || value.as_f64().filter(|v| v.fract() == 0.0 && v.abs() <= MAX_WHOLE as f64).map(|v| v as i64);
    value.as_i64().or_else(rounded)
}

#[cfg(test)]
mod tests {
    use candlecast_core::Seed;

    use super::*;

    fn values(domain: &Domain) -> Vec<Value> {
        domain.values().unwrap()
    }

    #[test]
    fn ranges_end_at_a_whole_number_of_steps() {
        assert_eq!(values(&Domain::int(1, 10, 4, false).unwrap()), [json!(1), json!(5), json!(9)]);
        let tenths = Domain::float(0.1, 0.45, Some(0.1), false).unwrap();
        assert_eq!(values(&tenths), [json!(0.1), json!(0.2), json!(0.3), json!(0.4)]);
        assert_eq!(tenths.code(&json!(0.1 + 0.2)), Some(0.3));
        assert_eq!(tenths.code(&json!(0.45)), None);
        assert!(Domain::float(0.5, 0.5, None, false).unwrap().is_single());
        assert_eq!(Domain::float(0.5, 0.6, None, false).unwrap().n_values(), None);
    }

    #[test]
    fn what_makes_no_range_is_refused() {
        for wrong in [Domain::int(3, 2, 1, false), Domain::int(1, 2, 0, false), Domain::int(0, 9, 1, true)] {
            wrong.unwrap_err();
        }
        Domain::int(1, 9, 2, true).unwrap_err();
        for (low, high, step, log) in [
            (0.0, 1.0, None, true),
            (1.0, 0.0, None, false),
            (0.1, 1.0, Some(0.1), true),
            (0.1, 1.0, Some(0.0), false),
            (0.0, f64::INFINITY, None, false),
        ] {
            Domain::float(low, high, step, log).unwrap_err();
        }
        assert_eq!(Domain::list(vec![json!(1), json!("a"), json!(1.0)]).unwrap_err(), "1.0 stands there twice");
        Domain::list(vec![]).unwrap_err();
    }

    #[test]
    fn lists_of_numbers_are_ordered_and_others_are_not() {
        let sizes = Domain::list(vec![json!(64), json!(16), json!(32)]).unwrap();
        assert_eq!(values(&sizes), [json!(16), json!(32), json!(64)]);
        assert_eq!(sizes.axis(), Axis::Line(Line { low: 0.0, high: 2.0, step: 1.0, log: false }));
        let layers = Domain::list(vec![json!(null), json!([32, 16]), json!([50, 30])]).unwrap();
        assert_eq!(layers.axis(), Axis::Choices(3));
        assert_eq!(layers.code(&json!([50.0, 30])), Some(2.0));
        assert_eq!(layers.code(&json!([50])), None);
    }

    #[test]
    fn draws_are_values_and_every_value_is_drawn() {
        let mut rng = Seed(1).stream();
        for domain in [
            Domain::int(-3, 5, 2, false).unwrap(),
            Domain::int(1, 8, 1, true).unwrap(),
            Domain::float(0.1, 0.7, Some(0.1), false).unwrap(),
            Domain::list(vec![json!(0.1), json!(0.01), json!(7)]).unwrap(),
            Domain::list(vec![json!(true), json!("a"), json!([1])]).unwrap(),
        ] {
            let n = domain.n_values().unwrap();
            let mut counts = vec![0; n as usize];
            for _ in 0..4000 {
                let code = domain.draw(&mut rng);
                let at = (0..n).position(|i| domain.code_at(i) == code).unwrap();
                assert_eq!(domain.code(&domain.value(code)), Some(code), "{domain:?}");
                counts[at] += 1;
            }
            let least = if domain.axis() == Domain::int(1, 8, 1, true).unwrap().axis() { 100 } else { 400 };
            assert!(counts.iter().all(|&c| c > least), "{domain:?}: {counts:?}");
        }
        let rate = Domain::float(1e-4, 1.0, None, true).unwrap();
        let below = (0..4000).filter(|_| rate.draw(&mut rng) < 1e-2).count();
        assert!((1800..2200).contains(&below), "half of the scale is half of the draws: {below}");
    }

    #[test]
    fn fewer_values_keep_both_ends() {
        let of = |domain: Domain, n| domain.thinned(n).to_json();
        assert_eq!(of(Domain::int(100, 1000, 100, false).unwrap(), 3), json!([100, 600, 1000]));
        assert_eq!(of(Domain::float(0.01, 0.3, None, true).unwrap(), 3), json!([0.01, 0.0548, 0.3]));
        assert_eq!(of(Domain::int(1, 100, 1, true).unwrap(), 3), json!([1, 10, 100]));
        let words = Domain::list(vec![json!("a"), json!("b"), json!("c")]).unwrap();
        assert_eq!(of(words.clone(), 2), json!(["a", "c"]));
        assert_eq!(words.thinned(3), words);
    }
}
