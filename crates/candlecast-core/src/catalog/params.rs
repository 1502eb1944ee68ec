//! [`params!`](crate::params!): the parameters of a part, each declared once.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Param, RecipeError};

/// Values that a search over configurations tries for a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SearchRange {
    /// Each of these, as JSON text.
    Values(&'static [&'static str]),
    /// `low`, `low + step` .. `high`.
    Int {
        /// Least.
        low: i64,
        /// Greatest, a whole number of steps above `low`.
        high: i64,
        /// Distance of neighbours, at least 1.
        step: i64,
    },
    /// Any number from `low` to `high`.
    Float {
        /// Least.
        low: f64,
        /// Greatest.
        high: f64,
        /// Drawn on a logarithmic scale; `low` is then above 0.
        log: bool,
    },
}

/// The parameters that a search varies when nobody names a space, in the order of their declaration. Which
/// combinations make sense (dropout acts only between layers) is for the search to know.
pub fn search_space(params: &[Param]) -> impl Iterator<Item = (&'static str, SearchRange)> {
    params.iter().filter_map(|p| p.search.map(|range| (p.name, range)))
}

/// The configuration that [`params!`](crate::params!) declared, from parameters that
/// [`check_params`](super::check_params) has accepted.
pub fn read_config<T: DeserializeOwned>(part: &str, config: &Value) -> Result<T, RecipeError> {
    serde_json::from_value(config.clone()).map_err(|e| RecipeError::one(part, "config", e.to_string()))
}

/// The value that a word stands for; for the expansion of [`params!`](crate::params!).
#[doc(hidden)]
pub fn default_word<T: DeserializeOwned>(word: &str) -> T {
    serde_json::from_value(Value::from(word))
        .expect("a default is one of the words: the tests of each catalog build the defaults")
}

/// Declares the parameters of a part: a configuration struct, its `Default`, and its `PARAMS` for the catalog.
///
/// ```
/// candlecast_core::params! {
///     /// Exponential smoothing.
///     pub struct Smoothing {
///         /// More on it, for readers of the code.
///         "startLevel" => start_level: Option<f64> = null, float(0.0..=1e9),
///             "level before the first value; null: the first value";
///         "alpha" => alpha: f64 = 0.3, float(0.05..=1.0), search(0.1..=0.9), "weight of the newest value";
///     }
/// }
///
/// assert_eq!(Smoothing::default().alpha, 0.3);
/// assert_eq!(Smoothing::PARAMS[1].default, "0.3");
/// ```
///
/// A line is `"jsonName" => field: Type = default, kind, search, "summary";`. The default is JSON, written as a single
/// token: `null` (the field is then an `Option`), a number without `_`, `true`, `"word"` or `[1, 2]`. Kinds and searches
/// are
///
/// | kind | values | search |
/// |---|---|---|
/// | `bool` | true, false | `search(true, false)` |
/// | `int(1..=9)` | whole numbers | `search(2, 4, 8)`, `search(2..=8)`, `search(2..=8, step 2)` |
/// | `float(0.1..=9.0)` | numbers | `search(0.5, 1.0)`, `search(0.5..=2.0)`, `search(0.5..=2.0, log)` |
/// | `float(0.1..=9.0, log)` | numbers that matter by their logarithm | the same |
/// | `choice("a", "b")` | words; the field's type reads them with serde | `search("a", "b")` |
/// | `int_list(1..=9, 3)` | lists of at most 3 whole numbers | `search([4, 2], [4])` |
///
/// The search may be left out; `null` may stand among its values. Fields are as visible as the struct.
/// The struct derives `Debug`, `Clone`, `PartialEq`, `Serialize` and `Deserialize`, so the calling crate must depend on
/// `serde` with `derive`; further attributes are kept. Unknown names are refused when it is read.
#[macro_export]
macro_rules! params {
    (@kind bool) => {
        $crate::catalog::ParamKind::Bool
    };
    (@kind int($min:literal..=$max:literal)) => {
        $crate::catalog::ParamKind::Int { min: $min, max: $max }
    };
    (@kind float($min:literal..=$max:literal)) => {
        $crate::catalog::ParamKind::Float { min: $min, max: $max, log: false }
    };
    (@kind float($min:literal..=$max:literal, log)) => {
        $crate::catalog::ParamKind::Float { min: $min, max: $max, log: true }
    };
    (@kind choice($($word:literal),+ $(,)?)) => {
        $crate::catalog::ParamKind::Choice(&[$($word),+])
    };
    (@kind int_list($min:literal..=$max:literal, $max_len:literal)) => {
        $crate::catalog::ParamKind::IntList { min: $min, max: $max, max_len: $max_len }
    };

    (@default null, $kind:ident) => {
        ::core::option::Option::None
    };
    // A default such as `1` is no `f64` by itself.
    (@default $number:tt, float) => {
        <f64 as ::core::convert::From<_>>::from($number)
    };
    (@default $word:tt, choice) => {
        $crate::catalog::default_word($word)
    };
    (@default $list:tt, int_list) => {
        ::std::vec::Vec::from($list)
    };
    (@default $value:tt, $kind:ident) => {
        $value
    };

    (@search $kind:ident) => {
        ::core::option::Option::None
    };
    (@search int($low:literal..=$high:literal)) => {
        ::core::option::Option::Some($crate::catalog::SearchRange::Int { low: $low, high: $high, step: 1 })
    };
    (@search int($low:literal..=$high:literal, step $step:literal)) => {
        ::core::option::Option::Some($crate::catalog::SearchRange::Int { low: $low, high: $high, step: $step })
    };
    (@search float($low:literal..=$high:literal)) => {
        ::core::option::Option::Some($crate::catalog::SearchRange::Float { low: $low, high: $high, log: false })
    };
    (@search float($low:literal..=$high:literal, log)) => {
        ::core::option::Option::Some($crate::catalog::SearchRange::Float { low: $low, high: $high, log: true })
    };
    (@search $kind:ident($($value:tt),+ $(,)?)) => {
        ::core::option::Option::Some($crate::catalog::SearchRange::Values(&[$(::core::stringify!($value)),+]))
    };

    (
        $(#[$meta:meta])*
        $vis:vis struct $config:ident {
            $(
                $(#[$field_meta:meta])*
                $name:literal => $field:ident: $type:ty = $default:tt,
                $kind:ident $(($($bounds:tt)*))? $(, search($($search:tt)*))?,
                $summary:literal;
            )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        $vis struct $config {
            $(
                #[doc = $summary]
                #[doc = ""]
                $(#[$field_meta])*
                #[serde(rename = $name)]
                $vis $field: $type,
            )+
        }

        impl ::core::default::Default for $config {
            fn default() -> Self {
                Self { $($field: $crate::params!(@default $default, $kind),)+ }
            }
        }

        impl $config {
            /// The parameters as the catalog shows and checks them.
            $vis const PARAMS: &'static [$crate::catalog::Param] = &[
                $($crate::catalog::Param {
                    name: $name,
                    kind: $crate::params!(@kind $kind $(($($bounds)*))?),
                    default: ::core::stringify!($default),
                    search: $crate::params!(@search $kind $(($($search)*))?),
                    summary: $summary,
                },)+
            ];
        }
    };
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use serde_json::{Map, json};

    use super::super::{ParamKind, check_params};
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Pace {
        Slow,
        VeryFast,
    }

    crate::params! {
        /// A parameter of every kind.
        struct Every {
            "cells" => cells: usize = 32, int(1..=64), search(16..=64, step 16), "a whole number";
            /// A second paragraph.
            "maxRate" => max_rate: f64 = 1, float(0.0..=2.0), search(0.5..=1.5), "a number";
            "alpha" => alpha: Option<f64> = null, float(1e-6..=1e9, log), search(1.0..=1e3, log), "chosen if null";
            "isOpen" => is_open: bool = true, bool, search(true, false), "true or false";
            "pace" => pace: Pace = "very-fast", choice("slow", "very-fast"), "one of the words";
            "sizes" => sizes: Vec<usize> = [50, 30], int_list(1..=64, 3), search([50, 30], [32]), "whole numbers";
            "depth" => depth: Option<usize> = null, int(1..=9), search(null, 2, 4), "null among the values";
            "turns" => turns: u32 = 0, int(0..=9), search(2..=4), "a step of 1";
        }
    }

    fn range_of(name: &str) -> Option<SearchRange> {
        search_space(Every::PARAMS).find(|(found, _)| *found == name).map(|(_, range)| range)
    }

    #[test]
    fn one_declaration_gives_the_struct_its_defaults_and_the_parameters() {
        let expected = Every {
            cells: 32,
            max_rate: 1.0,
            alpha: None,
            is_open: true,
            pace: Pace::VeryFast,
            sizes: vec![50, 30],
            depth: None,
            turns: 0,
        };
        assert_eq!(Every::default(), expected);
        let stated: Vec<&str> = Every::PARAMS.iter().map(|p| p.default).collect();
        assert_eq!(stated, ["32", "1", "null", "true", "\"very-fast\"", "[50, 30]", "null", "0"]);
        let kinds: Vec<ParamKind> = Every::PARAMS.iter().map(|p| p.kind).collect();
        let expected = [
            ParamKind::Int { min: 1, max: 64 },
            ParamKind::Float { min: 0.0, max: 2.0, log: false },
            ParamKind::Float { min: 1e-6, max: 1e9, log: true },
            ParamKind::Bool,
            ParamKind::Choice(&["slow", "very-fast"]),
            ParamKind::IntList { min: 1, max: 64, max_len: 3 },
            ParamKind::Int { min: 1, max: 9 },
            ParamKind::Int { min: 0, max: 9 },
        ];
        assert_eq!(kinds, expected);
        assert_eq!(Every::PARAMS[1].summary, "a number");
    }

    #[test]
    fn names_of_the_struct_in_json_are_those_of_the_parameters() {
        let written = serde_json::to_value(Every::default()).unwrap();
        let written: Vec<&String> = written.as_object().unwrap().keys().collect();
        let declared: Vec<&str> = Every::PARAMS.iter().map(|p| p.name).collect();
        assert_eq!(written, declared);
    }

    #[test]
    fn stated_defaults_are_accepted_and_read_back() {
        let stated: Map<String, Value> =
            Every::PARAMS.iter().map(|p| (p.name.to_owned(), serde_json::from_str(p.default).unwrap())).collect();
        let stated = Value::Object(stated);
        assert_eq!(check_params("every", Every::PARAMS, &stated), Ok(()));
        assert_eq!(read_config::<Every>("every", &stated), Ok(Every::default()));
        let given = read_config::<Every>("every", &json!({ "pace": "slow", "alpha": 2 })).unwrap();
        assert_eq!(given, Every { pace: Pace::Slow, alpha: Some(2.0), ..Every::default() });
        let error = read_config::<Every>("every", &json!({ "max_rate": 1 })).unwrap_err().to_string();
        assert!(error.contains("every: config:") && error.contains("max_rate"), "{error}");
    }

    #[test]
    fn the_search_space_is_what_stands_beside_the_parameters() {
        let names: Vec<&str> = search_space(Every::PARAMS).map(|(name, _)| name).collect();
        assert_eq!(names, ["cells", "maxRate", "alpha", "isOpen", "sizes", "depth", "turns"]);
        assert_eq!(range_of("cells"), Some(SearchRange::Int { low: 16, high: 64, step: 16 }));
        assert_eq!(range_of("maxRate"), Some(SearchRange::Float { low: 0.5, high: 1.5, log: false }));
        assert_eq!(range_of("alpha"), Some(SearchRange::Float { low: 1.0, high: 1e3, log: true }));
        assert_eq!(range_of("isOpen"), Some(SearchRange::Values(&["true", "false"])));
        assert_eq!(range_of("sizes"), Some(SearchRange::Values(&["[50, 30]", "[32]"])));
        assert_eq!(range_of("depth"), Some(SearchRange::Values(&["null", "2", "4"])));
        assert_eq!(range_of("turns"), Some(SearchRange::Int { low: 2, high: 4, step: 1 }));
        assert_eq!(range_of("pace"), None);
    }
}
