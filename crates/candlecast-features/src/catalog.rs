//! [`catalog()`]: every feature, one line each, in the order of the documentation.

use crate::spec::FeatureSpec;
use crate::{average, calendar, correlation, microstructure, momentum, price, regime, trend, volatility, volume};

static CATALOG: &[FeatureSpec] = &[
    price::returns::SIMPLE,
    price::returns::LOG,
    price::momentum::SPEC,
    price::roc::SPEC,
    price::gap::SPEC,
    price::candle_shape::SPEC,
    price::candle_logs::SPEC,
    price::day_range::SPEC,
    price::extreme_distance::SPEC,
    price::ohlcv::SPEC,
    price::scaled_return::PLAIN,
    price::scaled_return::TANH,
    price::scaled_return_lag::PLAIN,
    price::scaled_return_lag::TANH,
    price::signed_square_return::SPEC,
    price::close_location::SPEC,
    price::range_position::SPEC,
    price::wick_balance::SPEC,
    price::wick_balance::MEAN,
    average::sma::LEVEL,
    average::sma::RATIO,
    average::ema::LEVEL,
    average::ema::RATIO,
    average::wma::LEVEL,
    average::wma::RATIO,
    average::dema::LEVEL,
    average::dema::RATIO,
    average::tema::LEVEL,
    average::tema::RATIO,
    average::hma::LEVEL,
    average::hma::RATIO,
    average::kama::LEVEL,
    average::kama::RATIO,
    average::vwap::LEVEL,
    average::vwap::RATIO,
    average::session_vwap::LEVEL,
    average::session_vwap::RATIO,
    average::ma_cross::SPEC,
    average::scaled_ema_distance::SPEC,
    momentum::rsi::SPEC,
    momentum::macd::LEVEL,
    momentum::macd::RATIO,
    momentum::stoch::SPEC,
    momentum::stoch_rsi::SPEC,
    momentum::willr::SPEC,
    momentum::cci::SPEC,
    momentum::trix::SPEC,
    momentum::ultosc::SPEC,
    momentum::ao::LEVEL,
    momentum::ao::RATIO,
    momentum::mfi::SPEC,
    momentum::cmo::SPEC,
    momentum::ppo::SPEC,
    momentum::bop::SPEC,
    momentum::return_sign_ema::SPEC,
    trend::adx::SPEC,
    trend::plus_di::SPEC,
    trend::minus_di::SPEC,
    trend::aroon::SPEC,
    trend::aroon_osc::SPEC,
    trend::sar::LEVEL,
    trend::sar::RATIO,
    trend::supertrend::LEVEL,
    trend::supertrend::RATIO,
    trend::ichimoku::LEVEL,
    trend::ichimoku::RATIO,
    trend::linreg_slope::LEVEL,
    trend::linreg_slope::RATIO,
    trend::linreg_r2::SPEC,
    trend::vortex::SPEC,
    trend::trend_strength::SPEC,
    trend::efficiency::SPEC,
    volatility::atr::SPEC,
    volatility::natr::SPEC,
    volatility::bollinger::LEVEL,
    volatility::bollinger::RATIO,
    volatility::keltner::LEVEL,
    volatility::keltner::RATIO,
    volatility::donchian::LEVEL,
    volatility::donchian::RATIO,
    volatility::realized::SPEC,
    volatility::parkinson::SPEC,
    volatility::garman_klass::SPEC,
    volatility::rogers_satchell::SPEC,
    volatility::yang_zhang::SPEC,
    volatility::ewma::SPEC,
    volatility::vol_of_vol::SPEC,
    volatility::semivariance::SPEC,
    volatility::log_vol_ratio::SPEC,
    volatility::return_vol_ratio::SPEC,
    volatility::return_third_moment::SPEC,
    volume::obv::SPEC,
    volume::obv_flow::SPEC,
    volume::ad::SPEC,
    volume::adosc::LEVEL,
    volume::adosc::RATIO,
    volume::cmf::SPEC,
    volume::volume_ratio::SPEC,
    volume::volume_ema_ratio::SPEC,
    volume::volume_momentum::SPEC,
    volume::volume_zscore::SPEC,
    volume::force_index::LEVEL,
    volume::force_index::RATIO,
    volume::ease_of_movement::SPEC,
    volume::taker_buy_share::SPEC,
    volume::quote_per_trade::SPEC,
    volume::log_volume_ratio::SPEC,
    volume::log_volume_ratio::MEAN,
    volume::return_times_volume::SPEC,
    volume::volume_weighted_return::SPEC,
    microstructure::roll::SPEC,
    microstructure::corwin_schultz::SPEC,
    microstructure::amihud::SPEC,
    correlation::price_volume::SPEC,
    correlation::autocorrelation::SPEC,
    correlation::hurst::SPEC,
    calendar::clock::HOUR,
    calendar::clock::WEEKDAY,
    calendar::clock::HOUR_HARMONIC,
    calendar::clock::WEEK_HARMONIC,
    calendar::clock::FUNDING,
    calendar::seasonal_return::NEXT,
    calendar::seasonal_return::SUM,
    regime::rule::SPEC,
];

/// Every feature.
pub fn catalog() -> &'static [FeatureSpec] {
    CATALOG
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::aliases::aliases;
    use crate::default_set::DEFAULT;
    use crate::indicator::MAX_OUTPUTS;
    use crate::reversal_set::REVERSAL;
    use crate::spec::Group;

    #[test]
    fn every_feature_is_complete_and_its_names_are_its_own() {
        let mut names = BTreeSet::new();
        for spec in catalog() {
            assert!(names.insert(spec.id), "{} is listed twice", spec.id);
            assert!(!spec.summary.is_empty() && !spec.unit.is_empty() && !spec.formula.is_empty());
            assert!(!spec.source.is_empty() && spec.cost.starts_with("O(") && spec.version > 0, "{}", spec.id);
            assert!((1..=MAX_OUTPUTS).contains(&spec.outputs.len()), "{}", spec.id);
            assert!(!spec.listed.is_empty(), "{} lists no parameters", spec.id);
            for stem in spec.outputs {
                assert!(*stem == spec.id || names.insert(stem), "{stem} is the name of two outputs");
                assert!(*stem != spec.id || spec.outputs.len() == 1, "{stem} names a feature and one of its outputs");
                let snake = stem.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
                let numbered = stem.rsplit('_').next().is_some_and(|last| last.parse::<u32>().is_ok());
                assert!(snake && !numbered, "{stem}");
            }
            for params in spec.listed {
                let built = spec.build(params).unwrap_or_else(|e| panic!("{}: {e}", spec.id));
                assert_eq!(built.outputs(), spec.output_ids(params));
            }
        }
    }

    #[test]
    fn every_group_has_features_and_there_are_enough() {
        assert!(catalog().len() >= 60, "{}", catalog().len());
        for group in Group::ALL {
            assert!(catalog().iter().any(|s| s.group == group), "{group} is empty");
        }
        let order: Vec<Group> = catalog().iter().map(|s| s.group).collect();
        assert!(order.is_sorted(), "groups lie together");
    }

    #[test]
    fn sets_are_listed_scale_free_and_distinct() {
        let listed: BTreeSet<String> =
            catalog().iter().flat_map(|s| s.listed.iter().flat_map(|p| s.output_ids(p))).collect();
        for id in aliases().iter().flat_map(|(_, ids)| ids.iter()) {
            assert!(listed.contains(*id), "{id} is not listed");
        }
        for set in [&DEFAULT[..], &REVERSAL[..]] {
            let distinct: BTreeSet<&str> = set.iter().copied().collect();
            assert_eq!(distinct.len(), set.len());
            for spec in catalog() {
                let used = spec.listed.iter().flat_map(|p| spec.output_ids(p)).any(|id| distinct.contains(id.as_str()));
                assert!(!used || spec.scale == crate::Scale::FREE, "{} depends on the price level", spec.id);
                assert!(!used || spec.requires.is_empty(), "{} needs columns that not every source has", spec.id);
            }
        }
    }

    #[test]
    fn parameters_out_of_bounds_are_refused_in_words() {
        let spec = catalog().iter().find(|s| s.id == "rsi").expect("listed");
        let text = |p: &[u32]| spec.build(p).err().expect("refused").to_string();
        assert!(text(&[1]).contains("n is 1, allowed are 2 to 10000"), "{}", text(&[1]));
        assert!(text(&[14, 3]).contains("write rsi_14"), "{}", text(&[14, 3]));
        let macd = catalog().iter().find(|s| s.id == "macd").expect("listed");
        assert!(macd.build(&[26, 12, 9]).is_err(), "a fast average that is slower than the slow one");
    }
}
