//! The audit catches planted leaks of every kind and accuses no feature of the catalog.

use candlecast_core::{FeatureSet, FilledSeries, Segment};
use candlecast_features::{
    AuditConfig, Indicator, IndicatorStream, Leak, Memory, Observation, audit, audit_indicators,
};

use crate::market::{listed, regular};

/// A feature with a look into the future: its values over a segment.
struct Planted {
    name: &'static str,
    warmup: usize,
    values: fn(&Segment<'_>) -> Vec<f64>,
}

impl Indicator for Planted {
    fn outputs(&self) -> Vec<String> {
        vec![self.name.to_owned()]
    }

    fn warmup(&self) -> usize {
        self.warmup
    }

    fn memory(&self) -> Memory {
        Memory::Unbounded
    }

    fn compute(&self, segment: &Segment<'_>, out: &mut [&mut [f64]]) {
        out[0].copy_from_slice(&(self.values)(segment));
    }

    fn open(&self, _: &Segment<'_>) -> Box<dyn IndicatorStream> {
        Box::new(Mute)
    }
}

/// Planted leaks have no live form.
struct Mute;

impl IndicatorStream for Mute {
    fn update(&mut self, _: &Observation, out: &mut [f64]) {
        out.fill(f64::NAN);
    }

    fn peek(&self, _: &Observation, out: &mut [f64]) {
        out.fill(f64::NAN);
    }
}

fn mean(v: &[f64]) -> f64 {
    v.iter().sum::<f64>() / v.len() as f64
}

fn deviation(v: &[f64]) -> f64 {
    let m = mean(v);
    (v.iter().map(|x| (x - m).powi(2)).sum::<f64>() / v.len() as f64).sqrt()
}

/// Row by row from the whole close column.
fn each(s: &Segment<'_>, of: impl Fn(&[f64], usize) -> f64) -> Vec<f64> {
    (0..s.len()).map(|t| of(s.close, t)).collect()
}

const LEAKS: &[Planted] = &[
    Planted {
        name: "centred_mean",
        warmup: 5,
        values: |s| each(s, |c, t| if t < 5 || t + 5 >= c.len() { f64::NAN } else { mean(&c[t - 5..=t + 5]) }),
    },
    Planted {
        name: "whole_sample_zscore",
        warmup: 0,
        values: |s| each(s, |c, t| (c[t] - mean(c)) / deviation(c).max(1e-300)),
    },
    Planted {
        name: "future_maximum",
        warmup: 0,
        values: |s| each(s, |c, t| c[t..c.len().min(t + 10)].iter().copied().fold(f64::MIN, f64::max)),
    },
    Planted { name: "next_close", warmup: 0, values: |s| each(s, |c, t| c.get(t + 1).copied().unwrap_or(f64::NAN)) },
    Planted {
        name: "next_open",
        warmup: 0,
        values: |s| (0..s.len()).map(|t| s.open.get(t + 1).copied().unwrap_or(s.close[t])).collect(),
    },
    Planted {
        name: "back_filled_warmup",
        warmup: 20,
        values: |s| {
            let first = s.close.get(20).copied().unwrap_or(f64::NAN);
            each(s, |c, t| if t < 20 { first } else { c[t] / c[t - 20] })
        },
    },
    Planted { name: "over_last_value", warmup: 0, values: |s| each(s, |c, t| c[t] / c[c.len() - 1]) },
    Planted {
        name: "over_whole_range",
        warmup: 0,
        values: |s| {
            let low = s.close.iter().copied().fold(f64::MAX, f64::min);
            let high = s.close.iter().copied().fold(f64::MIN, f64::max);
            each(s, |c, t| (c[t] - low) / (high - low).max(1e-300))
        },
    },
    Planted {
        name: "whole_sample_rank",
        warmup: 0,
        values: |s| each(s, |c, t| c.iter().filter(|x| **x < c[t]).count() as f64 / c.len() as f64),
    },
    Planted {
        name: "smoothed_both_ways",
        warmup: 0,
        values: |s| {
            let mut forward = s.close.to_vec();
            for t in 1..forward.len() {
                forward[t] = 0.2 * forward[t] + 0.8 * forward[t - 1];
            }
            for t in (0..forward.len().saturating_sub(1)).rev() {
                forward[t] = 0.2 * forward[t] + 0.8 * forward[t + 1];
            }
            forward
        },
    },
    Planted {
        name: "pivot_known_too_early",
        warmup: 2,
        values: |s| {
            each(s, |c, t| {
                let known = t >= 2 && t + 2 < c.len();
                f64::from(u8::from(known && (t - 2..=t + 2).all(|i| c[i] <= c[t])))
            })
        },
    },
    Planted {
        name: "whole_sample_volatility",
        warmup: 1,
        values: |s| {
            let returns: Vec<f64> = s.close.windows(2).map(|w| (w[1] / w[0]).ln()).collect();
            let sigma = if returns.is_empty() { 1.0 } else { deviation(&returns).max(1e-300) };
            each(s, |c, t| if t == 0 { f64::NAN } else { (c[t] / c[t - 1]).ln() / sigma })
        },
    },
];

/// Causal, and so to be left alone by the audit.
const HONEST: Planted = Planted { name: "expanding_mean", warmup: 0, values: |s| each(s, |c, t| mean(&c[..=t])) };

fn market() -> FilledSeries {
    regular(1_500)
}

#[test]
fn every_planted_leak_is_caught() {
    let series = market();
    let planted: Vec<&dyn Indicator> = LEAKS.iter().map(|p| p as &dyn Indicator).collect();
    let findings = audit_indicators(&planted, &series, &AuditConfig::default());
    for leak in LEAKS {
        let found: Vec<Leak> = findings.iter().filter(|f| f.output == leak.name).map(|f| f.leak).collect();
        assert!(found.contains(&Leak::Truncated) || found.contains(&Leak::Scrambled), "{} went unnoticed", leak.name);
    }
    for f in &findings {
        assert!(f.row <= f.cut && f.cut < series.len(), "{f:?}");
    }
}

#[test]
fn what_is_causal_is_not_accused() {
    let series = market();
    let accused = audit_indicators(&[&HONEST], &series, &AuditConfig::default());
    assert!(accused.is_empty(), "{accused:?}");
    let built = listed();
    let all: Vec<&dyn Indicator> = built.iter().map(|l| &*l.indicator).collect();
    let accused = audit_indicators(&all, &series, &AuditConfig { cuts: 6, ..AuditConfig::default() });
    assert!(accused.is_empty(), "{accused:?}");
}

#[test]
fn a_feature_set_is_audited_by_name() {
    let series = market();
    let config = AuditConfig { cuts: 3, ..AuditConfig::default() };
    assert_eq!(audit(&FeatureSet::of(&["default", "reversal"]), &series, &config), Ok(Vec::new()));
    assert!(audit(&FeatureSet::of(&["nonsense"]), &series, &config).is_err());
}
