//! [`DailyLosses`]: by how much a model was better than the reference, day by day.

use crate::dataset::Market;

/// Length of a day, ms.
const DAY_MS: i64 = 86_400_000;

/// By how much the loss of a model was below that of the reference on each UTC day, as a mean over the origins whose
/// candle opened on it; above 0 is better. The loss is the one that verdicts compare by. In single precision, which is
/// fine enough for what days are set side by side for, and how the ledger keeps them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DailyLosses {
    /// Day of the first value, in days since 1970.
    pub first_day: i64,
    /// One a day; `None` on days without a scored origin.
    pub values: Vec<Option<f32>>,
}

impl DailyLosses {
    /// Most days that are kept, eleven years; of more the newest.
    pub const MOST_DAYS: usize = 4_096;

    /// Those of the losses `own` and `reference` of the origins in `rows` of `market`, which are in time order.
    pub(super) fn of(market: &Market, rows: &[usize], own: &[f64], reference: &[f64]) -> Self {
        let open_times = &market.series().columns().open_time;
        let day_of = |row: usize| open_times[row].div_euclid(DAY_MS);
        let Some((first, last)) = rows.first().zip(rows.last()) else { return Self::default() };
        let first_day = day_of(*first).max(day_of(*last) + 1 - Self::MOST_DAYS as i64);
        let mut sums = vec![(0.0, 0.0_f64); (day_of(*last) + 1 - first_day) as usize];
        for ((row, own), reference) in rows.iter().zip(own).zip(reference) {
            if let Ok(day) = usize::try_from(day_of(*row) - first_day) {
                sums[day].0 += reference - own;
                sums[day].1 += 1.0;
            }
        }
        let mean = |(sum, count): (f64, f64)| (count > 0.0).then(|| (sum / count) as f32).filter(|x| x.is_finite());
        Self { first_day, values: sums.into_iter().map(mean).collect() }
    }

    /// The value of a day, in days since 1970.
    pub fn on(&self, day: i64) -> Option<f32> {
        let at = usize::try_from(day.checked_sub(self.first_day)?).ok()?;
        self.values.get(at).copied().flatten()
    }

    /// Days that have a value.
    pub fn days(&self) -> impl Iterator<Item = i64> {
        let first_day = self.first_day;
        let has_value = move |(at, value): (usize, &Option<f32>)| value.map(|_| first_day + at as i64);
        self.values.iter().enumerate().filter_map(has_value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made::market_of;

    #[test]
    fn hours_of_a_day_are_averaged_and_days_without_origins_stay_empty() {
        let market = market_of(&[0.001; 100]);
        let rows = [20, 22, 23, 24, 72, 95];
        let (own, reference) = ([1.0, 2.0, 0.5, 1.0, 1.0, 4.0], [1.5, 2.0, 1.5, 0.0, 3.0, 3.0]);
        let found = DailyLosses::of(&market, &rows, &own, &reference);
        // The first candle opens at the beginning of 1970.
        assert_eq!(found, DailyLosses { first_day: 0, values: vec![Some(0.5), Some(-1.0), None, Some(0.5)] });
        assert_eq!(found.days().collect::<Vec<_>>(), [0, 1, 3]);
        assert_eq!([-1, 0, 2, 3, 4].map(|day| found.on(day)), [None, Some(0.5), None, Some(0.5), None]);
        assert_eq!(DailyLosses::of(&market, &[], &[], &[]), DailyLosses::default());
        assert_eq!(found.on(i64::MIN), None);
    }
}
