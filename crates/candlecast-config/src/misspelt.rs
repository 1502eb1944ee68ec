//! Misspelt names of our environment variables. A name that is merely unknown belongs to another program.

use crate::table::environment_names;

/// Prefixes of names that nobody but this program reads. A variable near to one of these is a misspelling.
const OWN: [&str; 2] = ["ML_", "CANDLECAST_"];
/// Variables of the tests.
const TESTS: &str = "CANDLECAST_TEST_";

/// The right name, if `name` looks like a misspelt one of ours. Other programs, too, know names such as
/// `DATABASE_URL`, and theirs may be near to it: so where the right one is set (`is_set`), nothing is missing.
pub(crate) fn meant(name: &str, is_set: impl Fn(&str) -> bool) -> Option<&'static str> {
    let upper = name.to_ascii_uppercase();
    if environment_names().any(|known| known == name) || name.starts_with(TESTS) {
        return None;
    }
    environment_names()
        .map(|known| (strsim::osa_distance(&upper, known), known))
        .filter(|&(distance, known)| distance <= tolerance(known))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, known)| known)
        .filter(|known| OWN.iter().any(|prefix| known.starts_with(prefix)) || !is_set(known))
}

/// Slips of the hand within which a name is taken for `known`; two letters in the wrong order are one slip.
fn tolerance(known: &str) -> usize {
    if known.len() < 12 { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_left_alone() {
        let unset = |name: &str| meant(name, |_| false);
        assert_eq!(unset("ML_MAX_MEMORY_USGE"), Some("ML_MAX_MEMORY_USAGE"));
        assert_eq!(unset("CANDLECAST_DATA_DRI"), Some("CANDLECAST_DATA_DIR"));
        assert_eq!(unset("CLICKHOUSE_PASWORD"), Some("CLICKHOUSE_PASSWORD"));
        assert_eq!(unset("LOG_LEVLE"), Some("LOG_LEVEL"));
        assert_eq!(unset("ml_batch_size"), Some("ML_BATCH_SIZE"));
        let strangers = "PATH HOME RUST_LOG ML_LSTM_LAYERS CLICKHOUSE_DB CLICKHOUSE_URL PGDATABASE TF_CPP_MIN_LOG_LEVEL \
                         CANDLECAST_TEST_DATA CANDLECAST_EXCHANGE_URL MLFLOW_TRACKING_URI ML_BATCH_SIZE";
        for stranger in strangers.split(' ') {
            assert_eq!(unset(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn another_programs_name_is_no_misspelling_where_ours_is_set() {
        assert_eq!(meant("DATABASE_URI", |_| false), Some("DATABASE_URL"));
        assert_eq!(meant("DATABASE_URI", |name| name == "DATABASE_URL"), None);
        assert_eq!(meant("ML_BATCH_SIZ", |_| true), Some("ML_BATCH_SIZE"));
    }
}
