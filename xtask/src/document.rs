//! Result documents of candlecast, set beside each other.

use serde_json::Value;

/// Takes away what may differ between two runs of the same work: times, places, and of a saved model its number,
/// whether it serves and how much was tried by then, since a run that was killed after saving may have saved one
/// before, and jobs end in any order.
pub(crate) fn strip(value: &mut Value) {
    const VARYING: [&str; 11] = [
        "overfitting",
        "fitSeconds",
        "path",
        "id",
        "version",
        "status",
        "active",
        "candidateBecause",
        "activeBecause",
        "tries",
        "looks",
    ];
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !VARYING.contains(&name.as_str()));
            fields.values_mut().for_each(strip);
        }
        Value::Array(values) => values.iter_mut().for_each(strip),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_may_differ_is_left_out_at_every_depth() {
        let mut document =
            json!({"model": {"id": "A_1", "sha256": "ab", "path": "x"}, "models": [{"fitSeconds": 1.5, "mae": 2.0}]});
        strip(&mut document);
        assert_eq!(document, json!({"model": {"sha256": "ab"}, "models": [{"mae": 2.0}]}));
    }
}
