//! The forecast after the last candles.

use candlecast_app::text::share;
use candlecast_core::{FilledSeries, Forecast, ForecastStep, Outlook, Quantiles, VolatilityOutlook};
use plotters::prelude::RGBColor;

use super::axis::Axis;
use super::chart::{Band, Chart, Curve, Line};
use super::x;

const GREY: RGBColor = RGBColor(150, 150, 150);
const BLUE: RGBColor = RGBColor(86, 180, 233);
/// Candles before the origin that are shown: so many times as many as after it, and as many as if a day of hours were.
const PAST: usize = 4;
const LEAST_REACH: usize = 24;

/// `f` by the model `model` after the candles of `series`, which may reach beyond its origin, beside the forecast of no
/// change.
pub(super) fn chart(f: &Forecast, series: &FilledSeries, model: &str) -> Chart {
    let past = (PAST * f.reach().max(LEAST_REACH)) as i64;
    let first = f.origin.plus_ms(-past * f.key.interval.ms());
    let last = f.origin.plus_ms(f.reach() as i64 * f.key.interval.ms());
    let close = &series.columns().close;
    let candles = (0..close.len()).map(|row| (series.close_time(row), close[row]));
    let shown = candles.filter(|(time, _)| first <= *time && *time <= last);
    let naive = vec![(x(f.origin), f.origin_price), (x(last), f.origin_price)];
    let mut curves = vec![
        Curve::new("naive (the last price)", naive, Line::Reference),
        Curve::new("price", shown.map(|(time, price)| (x(time), price)).collect(), Line::Solid(0)),
    ];
    let (ahead, bands) = after(f);
    curves.extend(ahead);
    let title = format!("{} {} by {model}, origin {}, {}", f.key.symbol, f.key.interval, f.origin, legend(f));
    let mut chart = Chart::new(title, Axis::Time, "close of the candle, UTC", "price", curves);
    chart.bands = bands;
    chart
}

fn legend(f: &Forecast) -> String {
    match &f.outlook {
        Outlook::Price(_) => format!("{} interval", share(f.level)),
        Outlook::Direction(d) => format!("{} {:.0} %", d.action, 100.0 * d.probabilities[d.action as usize]),
        Outlook::Volatility(v) => format!("volatility {:.3} %, drawn either way", 100.0 * v.volatility),
    }
}

/// When step `step` ends.
fn at(f: &Forecast, step: usize) -> f64 {
    x(f.origin.plus_ms(step as i64 * f.key.interval.ms()))
}

/// Curves and bands after the origin.
fn after(f: &Forecast) -> (Vec<Curve>, Vec<Band>) {
    let start = (x(f.origin), f.origin_price);
    match &f.outlook {
        Outlook::Price(steps) => prices(f, steps),
        Outlook::Direction(d) => {
            let line = |name: &str, price: f64, colour: usize| {
                Curve::new(name, vec![(start.0, price), (at(f, d.step), price)], Line::Solid(colour))
            };
            (vec![line("SELL at or below", d.sell_at, 5), line("BUY at or above", d.buy_at, 3)], vec![])
        }
        Outlook::Volatility(v) => (vec![], volatilities(f, v)),
    }
}

/// The price with its interval, and a fan of the quantiles: a band between each pair of them from the outside to the
/// inside, and a line at the middle one, if there is one.
fn prices(f: &Forecast, steps: &[ForecastStep]) -> (Vec<Curve>, Vec<Band>) {
    let start = (x(f.origin), f.origin_price);
    let ahead = std::iter::once(start).chain(steps.iter().map(|s| (at(f, s.step), s.price))).collect();
    let band = |bounds: &dyn Fn(usize) -> (f64, f64)| {
        let begin = std::iter::once((start.0, start.1, start.1));
        let bound = |(k, s): (usize, &ForecastStep)| (at(f, s.step), bounds(k).0, bounds(k).1);
        begin.chain(steps.iter().enumerate().map(bound)).collect::<Vec<_>>()
    };
    let interval = band(&|k| (steps[k].lower, steps[k].upper));
    let name = Some(format!("{} interval", share(f.level)));
    let mut bands = vec![Band { name, points: interval, colour: GREY, opacity: 0.35 }];
    let mut curves = vec![Curve::new("forecast", ahead, Line::Solid(4))];
    let Some(Quantiles { shares, values }) = &f.quantiles else { return (curves, bands) };
    let value = |k: usize, quantile: usize| values.get(k).map_or(f64::NAN, |row| row[quantile]);
    for low in 0..shares.len() / 2 {
        let high = shares.len() - 1 - low;
        let points = band(&|k| (value(k, low), value(k, high)));
        let name = Some(format!("{} to {}", share(shares[low]), share(shares[high])));
        bands.push(Band { name, points, colour: BLUE, opacity: 0.3 });
    }
    if shares.len() % 2 == 1 {
        let middle = shares.len() / 2;
        let line = steps.iter().enumerate().map(|(k, s)| (at(f, s.step), value(k, middle)));
        let points = std::iter::once(start).chain(line).collect();
        curves.push(Curve::new(format!("{} quantile", share(shares[middle])), points, Line::Solid(5)));
    }
    (curves, bands)
}

/// The volatility either way, growing with the root of time, and its quantiles likewise.
fn volatilities(f: &Forecast, v: &VolatilityOutlook) -> Vec<Band> {
    let either_way = |volatility: f64| {
        let width = |step: usize| volatility * (step as f64 / v.step.max(1) as f64).sqrt();
        let around =
            |step: usize| (at(f, step), f.origin_price * (-width(step)).exp(), f.origin_price * width(step).exp());
        (0..=v.step).map(around).collect::<Vec<_>>()
    };
    let name = Some("volatility".to_owned());
    let mut bands = vec![Band { name, points: either_way(v.volatility), colour: GREY, opacity: 0.35 }];
    for (at, volatility) in f.quantiles_of(0).into_iter().rev() {
        let name = Some(format!("{} quantile", share(at)));
        bands.push(Band { name, points: either_way(volatility), colour: BLUE, opacity: 0.2 });
    }
    bands
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::market::random_walk;
    use candlecast_core::{Action, CandleSeries, DirectionOutlook, Move, Seed};

    const HORIZON: usize = 6;

    /// A market and the row that forecasts are from, which is not the last.
    fn market() -> (FilledSeries, usize) {
        let walk: CandleSeries = random_walk(300, Seed(1), 0.0);
        (FilledSeries::new(&walk, 3), 280)
    }

    fn forecast(series: &FilledSeries, row: usize, outlook: Outlook, quantiles: Option<Quantiles>) -> Forecast {
        let (origin, price) = (series.close_time(row), series.columns().close[row]);
        Forecast { key: series.key().clone(), origin, origin_price: price, level: 0.9, outlook, quantiles }
    }

    fn of_prices(series: &FilledSeries, row: usize, quantiles: Option<Quantiles>) -> Forecast {
        let price = series.columns().close[row];
        let step = |step: usize| ForecastStep {
            step,
            target_time: series.close_time(row + step),
            price: price * 1.01,
            lower: price * 0.98,
            upper: price * 1.04,
            direction: Move::Up,
            factor: 1.0,
            confidence: 0.6,
            calibrated: true,
        };
        forecast(series, row, Outlook::Price((1..=HORIZON).map(step).collect()), quantiles)
    }

    #[test]
    fn a_forecast_from_the_past_lies_at_its_time_beside_what_happened() {
        let (series, row) = market();
        let chart = chart(&of_prices(&series, row, None), &series, "a model");
        assert_eq!(chart.axis, Axis::Time);
        let [naive, price, ahead] = &chart.curves[..] else { panic!("{:?}", chart.curves) };
        let (origin, close) = (x(series.close_time(row)), series.columns().close[row]);
        let end = x(series.close_time(row + HORIZON));
        assert_eq!((naive.line, &naive.points[..]), (Line::Reference, &[(origin, close), (end, close)][..]));
        assert_eq!(price.points.first().unwrap().0, x(series.close_time(row - 96)), "four days of hours before");
        assert_eq!(price.points.last(), Some(&(end, series.columns().close[row + HORIZON])), "and what came true");
        assert_eq!((ahead.points.len(), ahead.points[0]), (HORIZON + 1, (origin, close)));
        assert_eq!(ahead.points[HORIZON].0, end);
        assert_eq!(chart.bands.len(), 1);
        assert_eq!(chart.bands[0].points[HORIZON], (end, close * 0.98, close * 1.04));
    }

    #[test]
    fn quantiles_are_bands_from_the_outside_to_the_inside_and_a_line_at_the_middle() {
        let (series, row) = market();
        let values = vec![vec![96.0, 98.0, 100.0, 102.0, 104.0]; HORIZON];
        let five = Quantiles { shares: vec![0.05, 0.25, 0.5, 0.75, 0.95], values };
        let chart = chart(&of_prices(&series, row, Some(five)), &series, "a model");
        let names: Vec<&str> = chart.bands.iter().filter_map(|band| band.name.as_deref()).collect();
        assert_eq!(names, ["90 % interval", "5 % to 95 %", "25 % to 75 %"]);
        let last = |band: &Band| (band.points[HORIZON].1, band.points[HORIZON].2);
        assert_eq!((last(&chart.bands[1]), last(&chart.bands[2])), ((96.0, 104.0), (98.0, 102.0)));
        let median = chart.curves.last().unwrap();
        assert_eq!((median.name.as_str(), median.points[1].1), ("50 % quantile", 100.0));
    }

    #[test]
    fn two_quantiles_are_a_band_and_one_is_a_line() {
        let (series, row) = market();
        let fan = |shares: Vec<f64>| {
            let values = vec![vec![100.0; shares.len()]; HORIZON];
            let chart = chart(&of_prices(&series, row, Some(Quantiles { shares, values })), &series, "a model");
            (chart.curves.len(), chart.bands.len())
        };
        assert_eq!((fan(vec![0.1, 0.9]), fan(vec![0.5])), ((3, 2), (4, 1)));
    }

    #[test]
    fn classes_have_their_borders_and_volatilities_reach_either_way() {
        let (series, row) = market();
        let target_time = series.close_time(row + HORIZON);
        let class = DirectionOutlook {
            step: HORIZON,
            target_time,
            action: Action::Buy,
            probabilities: [0.2, 0.3, 0.5],
            sell_at: 90.0,
            buy_at: 110.0,
            confidence: 0.5,
            calibrated: true,
        };
        let borders = chart(&forecast(&series, row, Outlook::Direction(class), None), &series, "a model");
        assert!(borders.title.contains("BUY 50 %") && borders.bands.is_empty());
        assert_eq!(borders.curves[2].points[1], (x(target_time), 90.0));
        let volatility = VolatilityOutlook { step: HORIZON, target_time, volatility: 0.02, lower: 0.01, upper: 0.03 };
        let quantiles = Quantiles { shares: vec![0.05, 0.95], values: vec![vec![0.01, 0.03]] };
        let f = forecast(&series, row, Outlook::Volatility(volatility), Some(quantiles));
        let bands = chart(&f, &series, "a model").bands;
        let names: Vec<&str> = bands.iter().filter_map(|band| band.name.as_deref()).collect();
        assert_eq!(names, ["volatility", "95 % quantile", "5 % quantile"], "the widest first");
        let (_, low, high) = bands[0].points[HORIZON];
        assert!((low / f.origin_price - (-0.02_f64).exp()).abs() < 1e-12);
        assert!((high / f.origin_price - 0.02_f64.exp()).abs() < 1e-12);
    }
}
