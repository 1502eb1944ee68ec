//! From names in a feature set to features, their parameters and outputs.

use candlecast_core::FeatureSet;
use candlecast_core::catalog::nearest;

use crate::aliases::aliases;
use crate::catalog::catalog;
use crate::error::FeatureError;
use crate::spec::{FeatureSpec, Group, id_of};

/// How many near names an error offers.
const NEAR_NAMES: usize = 3;

/// One output of one feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selected {
    /// Place of the feature in the catalog.
    pub(crate) spec: usize,
    pub(crate) params: Vec<u32>,
    pub(crate) output: usize,
}

impl Selected {
    /// Its feature.
    pub(crate) fn spec(&self) -> &'static FeatureSpec {
        &catalog()[self.spec]
    }

    /// Id of the output.
    pub(crate) fn id(&self) -> String {
        id_of(self.spec().outputs[self.output], &self.params)
    }
}

/// The outputs that `set` names, in its order, each once. A name is an output id (`macd_hist_ratio_12_26_9`), a
/// feature id (`macd_ratio_12_26_9`), either without parameters for the first listed ones, an alias, or
/// `group:momentum` for all that the catalog lists of a group.
pub(crate) fn resolve(set: &FeatureSet) -> Result<Vec<Selected>, FeatureError> {
    let mut selected: Vec<Selected> = Vec::new();
    for name in set.ids() {
        for output in expand(name)? {
            if !selected.contains(&output) {
                selected.push(output);
            }
        }
    }
    if selected.is_empty() { Err(FeatureError::Empty) } else { Ok(selected) }
}

fn expand(name: &str) -> Result<Vec<Selected>, FeatureError> {
    let id = name.trim().to_ascii_lowercase();
    if let Some((_, ids)) = aliases().iter().find(|(alias, _)| *alias == id) {
        let each: Result<Vec<_>, _> = ids.iter().map(|id| by_id(id)).collect();
        return Ok(each?.concat());
    }
    match id.strip_prefix("group:") {
        Some(group) => of_group(&id, group),
        None => by_id(&id),
    }
}

fn of_group(name: &str, group: &str) -> Result<Vec<Selected>, FeatureError> {
    let names = Group::ALL.map(Group::name);
    if !names.contains(&group) {
        let near = nearest(group, &names).map(|g| format!("group:{g}")).into_iter().collect();
        return Err(FeatureError::Unknown { id: name.to_owned(), near });
    }
    let listed = catalog().iter().enumerate().filter(|(_, spec)| spec.group.name() == group);
    Ok(listed.flat_map(|(k, spec)| spec.listed.iter().flat_map(move |p| outputs(k, spec, p, None))).collect())
}

fn by_id(id: &str) -> Result<Vec<Selected>, FeatureError> {
    let (stem, given) = split(id);
    let Some((k, spec, output)) = find(stem) else {
        return Err(FeatureError::Unknown { id: id.to_owned(), near: near_names(id) });
    };
    let params = if given.is_empty() { spec.listed[0].to_vec() } else { given };
    // Building is the check: bounds, order and TA-Lib's own limits.
    spec.build(&params)?;
    Ok(outputs(k, spec, &params, output))
}

fn outputs(k: usize, spec: &FeatureSpec, params: &[u32], only: Option<usize>) -> Vec<Selected> {
    let all = 0..spec.outputs.len();
    let wanted = all.filter(|&output| only.is_none_or(|o| o == output));
    wanted.map(|output| Selected { spec: k, params: params.to_vec(), output }).collect()
}

/// The feature whose id, or one of whose outputs, has this stem.
fn find(stem: &str) -> Option<(usize, &'static FeatureSpec, Option<usize>)> {
    catalog().iter().enumerate().find_map(|(k, spec)| {
        if spec.id == stem {
            return Some((k, spec, None));
        }
        spec.outputs.iter().position(|o| *o == stem).map(|output| (k, spec, Some(output)))
    })
}

/// `macd_line_12_26_9` is `macd_line` with 12, 26, 9.
fn split(id: &str) -> (&str, Vec<u32>) {
    let mut stem = id;
    let mut params = Vec::new();
    while let Some((rest, last)) = stem.rsplit_once('_') {
        let Ok(value) = last.parse() else { break };
        params.insert(0, value);
        stem = rest;
    }
    (stem, params)
}

fn near_names(id: &str) -> Vec<String> {
    let mut names: Vec<String> = aliases().iter().map(|(name, _)| (*name).to_owned()).collect();
    for spec in catalog() {
        names.push(spec.id.to_owned());
        names.extend(spec.outputs.iter().map(|&stem| stem.to_owned()));
        for params in spec.listed {
            names.push(spec.id_with(params));
            names.extend(spec.output_ids(params));
        }
    }
    let mut left: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut near = Vec::new();
    while near.len() < NEAR_NAMES {
        let Some(name) = nearest(id, &left) else { break };
        near.push(name.to_owned());
        left.retain(|&other| other != name);
    }
    near
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &[&str]) -> Vec<String> {
        resolve(&FeatureSet::of(names)).expect("known names").iter().map(Selected::id).collect()
    }

    #[test]
    fn names_stand_for_outputs() {
        assert_eq!(ids(&["RSI_7", " rsi "]), ["rsi_7", "rsi_14"]);
        assert_eq!(ids(&["macd_hist_12_26_9"]), ["macd_hist_12_26_9"]);
        assert_eq!(ids(&["macd_8_20_5"]), ["macd_line_8_20_5", "macd_signal_8_20_5", "macd_hist_8_20_5"]);
        assert_eq!(ids(&["ema_ratio_30", "sma_100"]), ["ema_ratio_30", "sma_100"]);
        assert_eq!(ids(&["stoch_k"]), ["stoch_k_14_3_3"]);
        assert_eq!(ids(&["hour"]), ["hour_sin", "hour_cos"]);
        assert_eq!(ids(&["ohlcv"]).len(), 5);
    }

    #[test]
    fn the_default_set_has_45_outputs_and_nothing_comes_twice() {
        assert_eq!(ids(&["default"]), crate::DEFAULT);
        assert_eq!(ids(&["default", "rsi", "rsi_14"]).len(), 45);
        assert_eq!(ids(&["rsi", "default"])[0], "rsi_14");
    }

    #[test]
    fn the_reversal_set_has_68_outputs_and_shares_the_hour_with_the_default_set() {
        assert_eq!(ids(&["Reversal"]), crate::REVERSAL);
        assert_eq!(ids(&["default", "reversal"]).len(), 45 + 68 - 2);
    }

    #[test]
    fn groups_stand_for_all_that_is_listed() {
        let all = ids(&["group:correlation"]);
        assert!(all.contains(&"hurst_128".to_owned()) && all.contains(&"autocorr_10_48".to_owned()), "{all:?}");
        let error = resolve(&FeatureSet::of(&["group:momentun"])).expect_err("unknown group").to_string();
        assert!(error.contains("group:momentum"), "{error}");
    }

    #[test]
    fn unknown_names_bring_the_nearest_ones() {
        let error = |name: &str| resolve(&FeatureSet::of(&[name])).expect_err("refused").to_string();
        assert!(error("rsl_14").contains("rsi_14"), "{}", error("rsl_14"));
        assert!(error("sma_0").contains("n is 0, allowed are 2 to 10000"), "{}", error("sma_0"));
        assert!(error("macd_12_26").contains("3 needed"), "{}", error("macd_12_26"));
        assert!(error("hour_3").contains("0 needed"), "{}", error("hour_3"));
        assert!(error("_").contains("not known") && error("").contains("not known"));
        assert_eq!(resolve(&FeatureSet::default()), Err(FeatureError::Empty));
    }
}
