//! [`FeatureError`]: why a feature set could not be built.

/// Why a feature set was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// No feature, group or alias has this name.
    #[error("feature `{id}` is not known{}: `candlecast features list` names all of them", did_you_mean(.near))]
    Unknown {
        /// As given.
        id: String,
        /// The nearest known names, best first; may be empty.
        near: Vec<String>,
    },
    /// The parameters in the id do not fit the feature.
    #[error("feature `{id}`: {message}")]
    Parameters {
        /// As given.
        id: String,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// The feature set names nothing.
    #[error("the feature set is empty: name at least one feature, or use `default`")]
    Empty,
}

fn did_you_mean(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!(", did you mean {}?", near.join(", ")) }
}

impl From<crate::FeatureError> for candlecast_core::Problem {
    fn from(e: crate::FeatureError) -> Self {
        Self::usage("bad-feature", "features", e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_remedy() {
        let unknown = FeatureError::Unknown { id: "rsl_14".into(), near: vec!["rsi_14".into()] };
        assert!(unknown.to_string().contains("did you mean rsi_14?"));
        let bare = FeatureError::Unknown { id: "zzzz".into(), near: Vec::new() };
        assert!(!bare.to_string().contains("did you mean"));
        assert!(bare.to_string().contains("`candlecast features list`"));
    }
}
