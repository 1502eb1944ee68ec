//! [`content_hash`]: one name for equal JSON.

use candlecast_files::sha256_hex;
use serde_json::Value;

/// SHA-256 of a document, whatever the order of its keys, in hexadecimal.
pub fn content_hash(config: &Value) -> String {
    sha256_hex(sorted(config).to_string().as_bytes())
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut entries: Vec<(&String, &Value)> = fields.iter().collect();
            entries.sort_by_key(|&(name, _)| name);
            Value::Object(entries.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn equal_configurations_hash_equally_in_any_order_of_keys() {
        let one = json!({ "a": 1, "b": [{ "x": 0.1, "y": null }] });
        let other = json!({ "b": [{ "y": null, "x": 0.1 }], "a": 1 });
        assert_eq!(content_hash(&one), content_hash(&other));
        assert_eq!(content_hash(&one).len(), 64);
        for different in [json!({ "a": 2 }), json!({ "a": 1, "b": [{ "x": 0.1 }] }), json!([1, 2]), json!([2, 1])] {
            assert_ne!(content_hash(&different), content_hash(&one));
        }
        assert_ne!(content_hash(&json!([1, 2])), content_hash(&json!([2, 1])), "lists keep their order");
    }
}
