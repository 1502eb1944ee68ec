//! [`Season`]: how volatile each time of the week and of the day is beside the others.

use candlecast_core::{Ewma, Interval};

use super::regressors::{ANCHORS, log_floored};

const DAY_MS: i64 = 86_400_000;
const DAYS_A_WEEK: usize = 7;
const WEEK_MS: i64 = 7 * DAY_MS;
/// 1970-01-05, a Monday: where weeks begin.
const MONDAY_MS: i64 = 4 * DAY_MS;
/// Half-life of a slot of the week, in weeks.
const WEEK_HALF_LIFE: f64 = 20.0;
/// Half-life of a slot of the day, in days.
const DAY_HALF_LIFE: f64 = 60.0;
/// Values after which a slot of the week is known.
const MIN_WEEKS: usize = 4;
/// Values after which a slot of the day is known.
const MIN_DAYS: usize = 20;

/// The season of the volatility, learnt candle by candle.
///
/// A slot is one candle of the week or of the day. Its mean is that of `q`, the squared range of a candle over what is
/// usual, exponentially weighted over weeks (half-life 20) or days (60). The factor of a candle is
/// `f = (W + D) / 2`, `W` and `D` being the means of its slots; before four weeks are known `D` stands for `W`, and
/// before twenty days 1 for `D`. A slot whose candle is missing stays as it was, so the season goes on over gaps.
/// Candles of a day have slots of the week only, with `D = 1`; candles of a week have no season, `f = 1`.
#[derive(Debug, Clone)]
pub(super) struct Season {
    step_ms: i64,
    /// Candles in a day; 0 for candles of a week.
    day_steps: usize,
    /// `[slot of the week]`.
    week: Vec<Ewma>,
    /// `[slot of the day]`; empty for candles of a day or longer.
    day: Vec<Ewma>,
    /// `f` as it is known now, `[slot of the week]`.
    factors: Vec<f64>,
}

impl Season {
    /// Nothing known yet: all factors are 1.
    pub(super) fn new(interval: Interval) -> Self {
        let day_steps = interval.day_steps().unwrap_or(0);
        let slots = DAYS_A_WEEK * day_steps;
        let slots_of_day = if day_steps > 1 { day_steps } else { 0 };
        Self {
            step_ms: interval.ms(),
            day_steps,
            week: vec![Ewma::new(WEEK_HALF_LIFE); slots],
            day: vec![Ewma::new(DAY_HALF_LIFE); slots_of_day],
            factors: vec![1.0; slots],
        }
    }

    /// Slot of the week of the candle that opens at `open_time` (ms); `None` for candles of a week.
    fn slot(&self, open_time: i64) -> Option<usize> {
        let slot = ((open_time - MONDAY_MS).rem_euclid(WEEK_MS) / self.step_ms) as usize;
        (slot < self.factors.len()).then_some(slot)
    }

    /// `f` of the candle that opens at `open_time` (ms), as it is known now.
    pub(super) fn factor(&self, open_time: i64) -> f64 {
        self.slot(open_time).map_or(1.0, |slot| self.factors[slot])
    }

    /// Takes `q` of the candle that opens at `open_time` (ms).
    pub(super) fn take(&mut self, open_time: i64, q: f64) {
        let Some(slot) = self.slot(open_time) else { return };
        let of_day = slot % self.day_steps;
        self.week[slot].push(q);
        if let Some(mean) = self.day.get_mut(of_day) {
            mean.push(q);
        }
        for weekday in 0..DAYS_A_WEEK {
            let slot = weekday * self.day_steps + of_day;
            self.factors[slot] = self.known(slot);
        }
    }

    fn known(&self, slot: usize) -> f64 {
        let known = |mean: Option<&Ewma>, least: usize| mean.filter(|mean| mean.count() >= least).map(Ewma::mean);
        let day = known(self.day.get(slot % self.day_steps), MIN_DAYS).unwrap_or(1.0);
        let week = known(self.week.get(slot), MIN_WEEKS).unwrap_or(day);
        0.5 * (week + day)
    }

    /// `ln mean f(t+1..t+h)` for each of the anchors `h`, where the candle `t` opens at `open_time` (ms).
    pub(super) fn ahead(&self, open_time: i64) -> [f64; ANCHORS.len()] {
        let Some(mut slot) = self.slot(open_time) else { return [0.0; ANCHORS.len()] };
        let (mut sum, mut taken) = (0.0_f64, 0_usize);
        ANCHORS.map(|anchor| {
            while taken < anchor {
                slot = if slot + 1 < self.factors.len() { slot + 1 } else { 0 };
                sum += self.factors[slot];
                taken += 1;
            }
            log_floored(sum / anchor as f64)
        })
    }

    /// Share of the week, from 0 to below 1, at which the candle after the one at `open_time` (ms) opens.
    pub(super) fn next_share_of_week(&self, open_time: i64) -> f64 {
        (open_time + self.step_ms - MONDAY_MS).rem_euclid(WEEK_MS) as f64 / WEEK_MS as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn interval(name: &str) -> Interval {
        name.parse().unwrap()
    }

    #[test]
    fn slots_are_candles_of_the_week_and_of_the_day() {
        for (name, slots, slots_of_day) in [("1m", 10_080, 1_440), ("1h", 168, 24), ("12h", 14, 2)] {
            let season = Season::new(interval(name));
            assert_eq!((season.week.len(), season.day.len()), (slots, slots_of_day), "{name}");
        }
        let days = Season::new(Interval::D1);
        assert_eq!((days.week.len(), days.day.len()), (7, 0));
        let hours = Season::new(Interval::H1);
        // Thursday 1970-01-01, and the hour before the Monday after it.
        assert_eq!([0, MONDAY_MS - HOUR_MS, MONDAY_MS].map(|t| hours.slot(t).unwrap()), [72, 167, 0]);
        assert!((hours.next_share_of_week(0) - 73.0 / 168.0).abs() < 1e-15);
        assert_eq!(hours.next_share_of_week(MONDAY_MS - HOUR_MS), 0.0);
    }

    #[test]
    fn candles_of_a_week_have_no_season() {
        let mut weeks = Season::new(interval("1w"));
        for k in 0..100 {
            weeks.take(MONDAY_MS + k * WEEK_MS, 3.0);
        }
        assert_eq!((weeks.factor(MONDAY_MS), weeks.next_share_of_week(MONDAY_MS)), (1.0, 0.0));
        assert_eq!(weeks.ahead(MONDAY_MS), [0.0; ANCHORS.len()]);
    }

    #[test]
    fn days_of_the_week_differ_and_the_day_is_one() {
        let mut days = Season::new(Interval::D1);
        // Monday 2, other days 0.5.
        for day in 0..7 * MIN_WEEKS as i64 {
            days.take(MONDAY_MS + day * DAY_MS, if day % 7 == 0 { 2.0 } else { 0.5 });
        }
        assert!((days.factor(MONDAY_MS) - 1.5).abs() < 1e-12);
        assert!((days.factor(MONDAY_MS + DAY_MS) - 0.75).abs() < 1e-12);
        let week: f64 = (1.5 + 6.0 * 0.75) / 7.0;
        // After a Sunday the next candle is a Monday, and 288 candles are 41 weeks and one more Monday.
        let ahead = days.ahead(MONDAY_MS - DAY_MS);
        assert!((ahead[0] - 1.5_f64.ln()).abs() < 1e-12);
        assert!((ahead[9] - ((287.0 * week + 1.5) / 288.0).ln()).abs() < 1e-12);
    }

    #[test]
    fn what_is_not_known_yet_is_replaced_by_what_is() {
        let mut season = Season::new(Interval::H1);
        let noon = |day: i64| MONDAY_MS + day * DAY_MS + 12 * HOUR_MS;
        for day in 0..30 {
            // Neither is known; then the day alone; then, of the slots that four weeks have seen, both.
            let expected = match day {
                0..20 => 1.0,
                _ => 0.5 * (2.0 + 2.0),
            };
            assert!((season.factor(noon(day)) - expected).abs() < 1e-12, "{day}");
            season.take(noon(day), 2.0);
        }
        // Three Mondays at noon differ from the other days; a slot is known by its own four values.
        let (monday, tuesday) = (season.factor(noon(0)), season.factor(noon(1)));
        for week in 5..8 {
            season.take(noon(7 * week), 6.0);
        }
        assert!(season.factor(noon(0)) > monday + 0.5 && season.factor(noon(1)) > tuesday);
        assert!(season.factor(noon(0)) > season.factor(noon(1)) + 0.1);
        assert_eq!(season.factor(noon(0) + HOUR_MS), 1.0, "the hour after was never seen");
    }
}
