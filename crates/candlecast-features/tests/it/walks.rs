//! The laws on arbitrary walks with halts and empty candles.

use proptest::prelude::*;

use crate::market::{batch, listed, same, scale, series, streamed, whole};

/// One candle: log move, wicks up and down, volume; `None` for a flat candle without volume.
type Step = Option<(f64, f64, f64, f64)>;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => Just(None),
        6 => (-0.05..0.05f64, 0.0..0.02f64, 0.0..0.02f64, 0.0..1e4f64).prop_map(Some),
    ]
}

fn candles(steps: &[Step], start: f64) -> Vec<[f64; 5]> {
    let mut price = start;
    let mut rows = Vec::new();
    for step in steps {
        let open = price;
        let row = match *step {
            None => [open, open, open, open, 0.0],
            Some((r, up, down, volume)) => {
                price = open * r.exp();
                [open, open.max(price) * (1.0 + up), open.min(price) * (1.0 - down), price, volume]
            }
        };
        rows.push(row);
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn batch_stream_and_prefix_agree_on_any_walk(
        steps in prop::collection::vec(step(), 1..280),
        start in 1e-4..1e5f64,
        at in 0.0..1.0f64,
    ) {
        let series = series(&candles(&steps, start));
        let segment = whole(&series);
        let cut = (at * segment.len() as f64) as usize;
        for l in listed() {
            let values = batch(&*l.indicator, &segment);
            let prefix = batch(&*l.indicator, &segment.prefix(cut));
            let live = streamed(&*l.indicator, &segment, cut);
            for output in 0..values.len() {
                let size = scale(&values[output]);
                for row in 0..segment.len() {
                    let want = values[output][row];
                    prop_assert!(!want.is_infinite(), "{} row {row} is infinite", l.id);
                    if row < cut {
                        prop_assert_eq!(prefix[output][row].to_bits(), want.to_bits(), "{} row {}", l.id, row);
                    } else {
                        let value = live[output][row - cut];
                        prop_assert!(same(value, want, 1e-9, size), "{} row {row}: {value} {want}", l.id);
                    }
                }
            }
        }
    }
}
