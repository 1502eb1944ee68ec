//! `audit features`: every feature is computed again without the future and with a false one.

use candlecast_core::market::{MarketConfig, generate};
use candlecast_core::{
    CandleSeries, FeatureSet, FilledSeries, Problem, ProgressSink, Seed, SeriesKey, TimeRange, Timestamp,
};
use candlecast_features::{AuditConfig, Engine, Finding, Group, audit};
use candlecast_learn::walk_forward::Hooks;

use crate::options::MAX_FILL;

/// How an audit of features is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditOptions {
    /// Random cut points a segment, from 1 to [`AuditOptions::MAX_CUTS`].
    pub cuts: usize,
    /// Candles audited, the newest of the series: from 2 to [`AuditOptions::MAX_CANDLES`].
    pub candles: usize,
}

impl AuditOptions {
    /// Most cut points a segment.
    pub const MAX_CUTS: usize = 10_000;
    /// Most candles audited.
    pub const MAX_CANDLES: usize = 10_000_000;
}

impl Default for AuditOptions {
    /// 12 cut points a segment on 5,000 candles: enough for features of any window in the catalog.
    fn default() -> Self {
        Self { cuts: AuditConfig::default().cuts, candles: 5_000 }
    }
}

/// A finished audit of features.
#[derive(Debug, Clone, PartialEq)]
pub struct Audited {
    /// Series audited.
    pub key: SeriesKey,
    /// Candles audited.
    pub candles: usize,
    /// From the first open to the last close of them.
    pub range: Option<TimeRange>,
    /// Features audited, in order.
    pub features: Vec<String>,
    /// Random cut points drawn for each feature, besides up to six around the warm-up in each segment.
    pub cuts: usize,
    /// What was found: at most one a feature and check.
    pub findings: Vec<AuditFinding>,
    /// Features without any value on these candles: of them nothing can be told.
    pub undefined: Vec<String>,
    /// What limits the power of this audit.
    pub notes: Vec<String>,
}

/// A finding and the time of its candle.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditFinding {
    /// The finding; rows count within the candles audited, filled ones included.
    pub finding: Finding,
    /// Open time of the candle whose value changed.
    pub open_time: Timestamp,
    /// Open time of the last candle that was left as it is.
    pub cut_time: Timestamp,
}

impl Audited {
    /// True when nothing was found.
    pub fn passed(&self) -> bool {
        self.findings.is_empty()
    }

    /// The error that ends a run with findings.
    pub fn verdict(&self) -> Result<(), Problem> {
        let found = |feature: &str| self.findings.iter().any(|f| f.finding.output == feature);
        let leaking: Vec<&str> = self.features.iter().map(String::as_str).filter(|feature| found(feature)).collect();
        if leaking.is_empty() {
            return Ok(());
        }
        Err(Problem::data(
            "leak-found",
            format!(
                "{} of {} features depend on the future: {}; a model trained on them cannot be trusted, leave them out",
                leaking.len(),
                self.features.len(),
                leaking.join(", ")
            ),
        ))
    }
}

/// Outputs audited between two reports of progress.
const CHUNK: usize = 8;
/// Fewer candles than this leave long windows unexamined.
const FEW_CANDLES: usize = 2_000;

/// Audits `features` (ids, groups, sets, or `all` for the whole catalog) on the newest candles of `series`.
pub fn audit_features(
    series: &CandleSeries,
    features: &FeatureSet,
    options: AuditOptions,
    seed: Seed,
    hooks: &dyn Hooks,
    watch: &dyn ProgressSink,
) -> Result<Audited, Problem> {
    let series = newest(series, options.candles);
    let filled = FilledSeries::new(&series, MAX_FILL);
    let engine = Engine::new(&with_all(features))?;
    let table = engine.compute(&filled);
    let undefined: Vec<String> = table
        .names
        .iter()
        .zip(&table.columns)
        .filter(|(_, column)| column.iter().all(|v| v.is_nan()))
        .map(|(name, _)| name.clone())
        .collect();
    let outputs = engine.outputs();
    let mut findings = Vec::new();
    for (k, chunk) in outputs.chunks(CHUNK).enumerate() {
        if hooks.cancelled() {
            return Err(Problem::cancelled());
        }
        watch.progress("features audited", (k * CHUNK) as u64, outputs.len() as u64);
        let seed = seed.derive("audit-features", k as u64);
        let config = AuditConfig { cuts: options.cuts, seed, ..AuditConfig::default() };
        findings.extend(audit(&FeatureSet(chunk.to_vec()), &filled, &config)?);
    }
    let open_time = |row: usize| Timestamp(filled.columns().open_time[row]);
    let findings = findings
        .into_iter()
        .map(|f| AuditFinding { open_time: open_time(f.row), cut_time: open_time(f.cut), finding: f })
        .collect();
    Ok(Audited {
        key: series.key().clone(),
        candles: series.len(),
        range: series.range(),
        cuts: options.cuts * filled.segment_ranges().len().min(AuditConfig::default().segments),
        notes: notes(&filled, series.len(), engine.warmup(), &undefined),
        features: outputs.to_vec(),
        findings,
        undefined,
    })
}

/// Refuses options out of bounds, each named.
pub fn check_audit_options(options: AuditOptions) -> Result<(), Problem> {
    let bounds =
        [("cuts", options.cuts, 1, AuditOptions::MAX_CUTS), ("candles", options.candles, 2, AuditOptions::MAX_CANDLES)];
    match bounds.iter().find(|(_, value, least, most)| value < least || value > most) {
        Some((field, value, least, most)) => {
            Err(Problem::usage("bad-audit", field, format!("{field} {value} is not within {least} to {most}")))
        }
        None => Ok(()),
    }
}

/// `features` with `all` spelled out as every group of the catalog.
pub fn with_all(features: &FeatureSet) -> FeatureSet {
    let groups = || Vec::from(Group::ALL.map(|group| format!("group:{group}")));
    let spelled = |id: &String| if id.trim().eq_ignore_ascii_case("all") { groups() } else { vec![id.clone()] };
    FeatureSet(features.ids().iter().flat_map(spelled).collect())
}

fn newest(series: &CandleSeries, candles: usize) -> CandleSeries {
    let first = series.open_time().len().saturating_sub(candles);
    match series.open_time().get(first) {
        Some(&from) => series.between(TimeRange { from: Timestamp(from), to: TimeRange::ALL.to }),
        None => series.clone(),
    }
}

/// The generated market that is audited where no series is named.
pub fn generated_market(seed: Seed, candles: usize) -> Result<CandleSeries, Problem> {
    let config =
        MarketConfig { coins: vec![("BTCUSDT", 30_000.0)], n_candles: candles, seed, ..MarketConfig::default() };
    let coin = generate(&config).into_iter().next();
    coin.map(|g| g.series).ok_or_else(|| Problem::data("no-market", "the generated market has no coin"))
}

/// What a clean audit of these candles does not say.
fn notes(filled: &FilledSeries, candles: usize, warmup: usize, undefined: &[String]) -> Vec<String> {
    let longest = filled.segment_ranges().iter().map(ExactSizeIterator::len).max().unwrap_or(0);
    let mut notes = Vec::new();
    if candles < FEW_CANDLES {
        notes.push(format!("little power: only {candles} candles were audited; {FEW_CANDLES} or more are advised"));
    }
    if longest <= warmup + 1 {
        notes.push(format!(
            "little power: the longest run without a gap has {longest} candles, the features warm up over {warmup}"
        ));
    }
    if !undefined.is_empty() {
        notes.push(format!("without a value on these candles, so not examined: {}", undefined.join(", ")));
    }
    notes
}

#[cfg(test)]
mod tests {
    use candlecast_core::{Interval, Symbol, Venue};
    use candlecast_features::Leak;

    use super::*;

    fn audited(outputs: &[&str]) -> Audited {
        let finding = |output: &&str| AuditFinding {
            finding: Finding {
                output: (*output).to_owned(),
                leak: Leak::Scrambled,
                row: 3,
                cut: 5,
                whole: 1.0,
                without: f64::NAN,
            },
            open_time: Timestamp(3),
            cut_time: Timestamp(5),
        };
        Audited {
            key: SeriesKey::new(Venue::synthetic(), Symbol::new("BTCUSDT").unwrap(), Interval::H1),
            candles: 10,
            range: None,
            features: vec!["a".into(), "b".into(), "c".into()],
            cuts: 4,
            findings: outputs.iter().map(finding).collect(),
            undefined: vec![],
            notes: vec![],
        }
    }

    #[test]
    fn a_finding_is_a_failure_that_names_the_features() {
        assert!(audited(&[]).passed());
        assert_eq!(audited(&[]).verdict(), Ok(()));
        let error = audited(&["a", "a", "c"]).verdict().unwrap_err();
        assert!(error.detail.starts_with("2 of 3 features depend on the future: a, c;"), "{}", error.detail);
        assert_eq!(error.exit_code(), 1);
    }

    #[test]
    fn all_stands_for_every_group() {
        let spelled = with_all(&FeatureSet::of(&["rsi_7", " ALL "]));
        assert_eq!(spelled.ids()[..2], ["rsi_7", "group:price"]);
        assert_eq!(spelled.ids().len(), 1 + Group::ALL.len());
        let listed: usize =
            candlecast_features::catalog().iter().map(|spec| spec.listed.len() * spec.outputs.len()).sum();
        assert_eq!(Engine::new(&with_all(&FeatureSet::of(&["all"]))).unwrap().outputs().len(), listed);
    }

    #[test]
    fn options_out_of_bounds_are_named() {
        let error = |cuts, candles| check_audit_options(AuditOptions { cuts, candles }).unwrap_err();
        assert_eq!(error(0, 100).field.as_deref(), Some("cuts"));
        assert!(error(12, 1).detail.contains("candles 1 is not within 2 to"));
        assert_eq!(check_audit_options(AuditOptions::default()), Ok(()));
    }
}
