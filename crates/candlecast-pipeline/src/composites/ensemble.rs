//! `ensemble`: several models as one, by their mean, by votes, or by weights that are learnt.

use candlecast_core::catalog::nearest;
use candlecast_core::{ModelRequest, Problem};
use candlecast_learn::{Combine, Votes};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Composite, in_short, is_empty, named};
use crate::catalog;

const ID: &str = "ensemble";
const PARAMS: &[(&str, &str)] = &[
    (
        "members",
        "names of two models or more, such as lstm,hybrid, or a list of {id, params}; lstm and hybrid by default",
    ),
    ("strategy", "average, weighted (the default), voting or stacking"),
    ("votes", "what a vote weighs: equal (the default) or confidence"),
    ("weights", "one number a member, not negative, made to sum to 1; or auto, by the inverse of the error"),
    ("mean", "arithmetic or logarithmic; of volatilities only, arithmetic by default"),
];
/// Other names of parameters, those that configurations made elsewhere have.
const ALIASES: &[(&str, &str)] = &[("models", "members"), ("method", "strategy")];
/// One name for strategy and votes.
const VOTING_STRATEGY: &str = "votingStrategy";
const STRATEGIES: [&str; 4] = ["average", "weighted", "voting", "stacking"];
/// Members where nobody names any.
pub const MEMBERS: [&str; 2] = ["lstm", "hybrid"];
/// Weights of three members or more that are all among these, where nobody gives any.
const WEIGHTS: [(&str, f64); 4] = [("lstm", 40.0), ("random-forest", 25.0), ("gbdt", 25.0), ("svm", 10.0)];

pub(super) const ENTRY: Composite = Composite {
    id: ID,
    aliases: &[],
    summary: "several models as one: the mean of their forecasts, a vote, or weights by error or by state of the market",
    params: PARAMS,
    members,
    combine,
    with_members,
    is_bagged: false,
};

/// A member as parameters name it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Member {
    Name(String),
    Request(ModelRequest),
}

fn bad(param: &str, message: impl std::fmt::Display) -> Problem {
    super::bad(ID, param, message)
}

/// The parameters under their own names; those that are null are left out.
fn given(params: &Value) -> Result<Map<String, Value>, Problem> {
    let own = PARAMS.iter().map(|(name, _)| *name);
    let known: Vec<&str> = own.chain(ALIASES.iter().map(|(alias, _)| *alias)).chain([VOTING_STRATEGY]).collect();
    let mut given = named(ID, params, &known)?;
    given.retain(|_, value| !value.is_null());
    for (alias, name) in ALIASES {
        if let Some(value) = given.remove(*alias) {
            put(&mut given, name, value)?;
        }
    }
    if let Some(value) = given.remove(VOTING_STRATEGY) {
        let (strategy, votes) = match word(&value).as_deref() {
            Some("weighted") => ("voting", Some("confidence")),
            Some("majority") => ("voting", Some("equal")),
            Some("stacking") => ("stacking", None),
            _ => return Err(bad(VOTING_STRATEGY, format!("{value}: there are weighted, majority, stacking"))),
        };
        put(&mut given, "strategy", strategy.into())?;
        if let Some(votes) = votes {
            put(&mut given, "votes", votes.into())?;
        }
    }
    Ok(given)
}

/// Sets `name`, which another name may have set already, to the same.
fn put(given: &mut Map<String, Value>, name: &str, value: Value) -> Result<(), Problem> {
    match given.get(name) {
        Some(other) if *other != value => Err(bad(name, format!("it is given twice, as {other} and as {value}"))),
        _ => {
            given.insert(name.to_owned(), value);
            Ok(())
        }
    }
}

/// A word in lower case.
fn word(value: &Value) -> Option<String> {
    value.as_str().map(|text| text.trim().to_ascii_lowercase())
}

fn members(params: &Value) -> Result<Vec<ModelRequest>, Problem> {
    let given = given(params)?;
    let request = |name: &str| ModelRequest { id: name.trim().to_owned(), params: Value::Null };
    let members: Vec<ModelRequest> = match given.get("members") {
        None => MEMBERS.map(request).into(),
        Some(Value::String(names)) => names.split(',').filter(|name| !name.trim().is_empty()).map(request).collect(),
        Some(list @ Value::Array(_)) => {
            let list: Vec<Member> = serde_json::from_value(list.clone())
                .map_err(|_| bad("members", "must be names of models, or {id, params} each"))?;
            let member = |member| match member {
                Member::Name(name) => request(&name),
                Member::Request(request) => request,
            };
            list.into_iter().map(member).collect()
        }
        Some(other) => return Err(bad("members", format!("{other}: must be names of models, or {{id, params}} each"))),
    };
    if members.len() < 2 {
        return Err(bad("members", "name two models or more, such as members=lstm,hybrid"));
    }
    if let Some(nested) = members.iter().find(|member| ENTRY.answers_to(&member.id)) {
        return Err(bad("members", format!("{} cannot be a member of one: name its members", nested.id)));
    }
    let same = |a: &ModelRequest, b: &ModelRequest| {
        type_of(a) == type_of(b) && (a.params == b.params || is_empty(&a.params) && is_empty(&b.params))
    };
    let twice = |(k, member): (usize, &ModelRequest)| members[..k].iter().any(|other| same(member, other));
    if let Some((_, member)) = members.iter().enumerate().find(|&(k, member)| twice((k, member))) {
        return Err(bad(
            "members",
            format!("{} is named twice with the same parameters: name it once, and weigh it", member.id),
        ));
    }
    Ok(members)
}

fn with_members(mut params: Value, members: Vec<ModelRequest>) -> Value {
    if params.is_null() {
        params = Value::Object(Map::new());
    }
    if let Some(object) = params.as_object_mut() {
        object.remove("models");
        object.insert("members".into(), members.into_iter().map(in_short).collect());
    }
    params
}

/// Id of a member's type; of one that is not known its own name.
fn type_of(member: &ModelRequest) -> String {
    catalog::canonical(&member.id).map_or_else(|_| member.id.trim().to_ascii_lowercase(), str::to_owned)
}

/// Weights as parameters give them.
enum Weights {
    Given(Vec<f64>),
    Auto,
}

fn combine(params: &Value, members: &[ModelRequest]) -> Result<Combine, Problem> {
    let given = given(params)?;
    let strategy = match given.get("strategy") {
        None => "weighted".to_owned(),
        Some(value) => word(value).filter(|word| STRATEGIES.contains(&word.as_str())).ok_or_else(|| {
            let near = value.as_str().and_then(|text| nearest(text, &STRATEGIES));
            let hint = near.map_or_else(String::new, |near| format!(", did you mean `{near}`?"));
            bad("strategy", format!("{value} is not known{hint}; there are {}", STRATEGIES.join(", ")))
        })?,
    };
    let weights = given.get("weights").map(|value| weights(value, members)).transpose()?;
    let votes = given.get("votes").map(votes).transpose()?;
    if strategy != "voting" && votes.is_some() {
        return Err(bad("votes", "only in a vote does a vote weigh anything: leave them out, or take strategy=voting"));
    }
    if strategy != "weighted" && weights.is_some() {
        return Err(bad("weights", format!("{strategy} has none of yours: leave them out, or take strategy=weighted")));
    }
    let is_of_logarithms = match given.get("mean").map(|value| (word(value), value)) {
        None => false,
        Some((Some(word), _)) if word == "arithmetic" => false,
        Some((Some(word), _)) if word == "logarithmic" => true,
        Some((_, other)) => {
            return Err(bad("mean", format!("{other} is not known: there are arithmetic, logarithmic")));
        }
    };
    let mixed = |weights: Option<Vec<f64>>| match (is_of_logarithms, weights) {
        (true, weights) => Combine::Logarithmic { weights },
        (false, Some(weights)) => Combine::Weighted { weights },
        (false, None) => Combine::Average,
    };
    let combine = match (strategy.as_str(), weights) {
        ("voting", _) => Combine::Voting { votes: votes.unwrap_or_default() },
        ("stacking", _) => Combine::Stacking,
        ("weighted", Some(Weights::Auto)) => Combine::Auto,
        ("weighted", Some(Weights::Given(weights))) => mixed(Some(weights)),
        ("weighted", None) => mixed(usual_weights(members)),
        _ => mixed(None),
    };
    if is_of_logarithms && !matches!(combine, Combine::Logarithmic { .. }) {
        return Err(bad(
            "mean",
            "a mean of logarithms has the weights that you give it: take average, or give weights",
        ));
    }
    Ok(combine)
}

/// Types of models that have a usual weight.
pub fn weighed_types() -> impl Iterator<Item = &'static str> {
    WEIGHTS.iter().map(|&(id, _)| id)
}

fn votes(value: &Value) -> Result<Votes, Problem> {
    let known = [Votes::Equal, Votes::Confidence];
    let found = known.into_iter().find(|votes| word(value).as_deref() == Some(votes.as_str()));
    found.ok_or_else(|| bad("votes", format!("{value} is not known: there are equal, confidence")))
}

/// Weights by member: `auto`, numbers by comma, a list of numbers, or numbers by the names of the members.
fn weights(value: &Value, members: &[ModelRequest]) -> Result<Weights, Problem> {
    let wrong = || bad("weights", format!("{value} is no list of numbers, such as 3,1 or [3, 1], and not auto"));
    match value {
        Value::String(text) if text.trim().eq_ignore_ascii_case("auto") => Ok(Weights::Auto),
        Value::String(text) => {
            let numbers: Result<Vec<f64>, _> = text.split(',').map(|w| w.trim().parse()).collect();
            numbers.map(Weights::Given).map_err(|_| wrong())
        }
        Value::Object(by_name) => weights_by_name(by_name, members).map(Weights::Given),
        list => serde_json::from_value(list.clone()).map(Weights::Given).map_err(|_| wrong()),
    }
}

fn weights_by_name(by_name: &Map<String, Value>, members: &[ModelRequest]) -> Result<Vec<f64>, Problem> {
    let types: Vec<String> = members.iter().map(type_of).collect();
    let of = |name: &str| type_of(&ModelRequest { id: name.into(), params: Value::Null });
    if let Some(stranger) = by_name.keys().find(|name| !types.contains(&of(name))) {
        return Err(bad("weights", format!("`{stranger}` is not among the members {}", types.join(", "))));
    }
    let weight = |own: &String| {
        if types.iter().filter(|other| *other == own).count() > 1 {
            return Err(bad("weights", format!("{own} is there more than once: give a list of weights, in order")));
        }
        let value = by_name.iter().find(|(name, _)| of(name) == *own).and_then(|(_, value)| value.as_f64());
        value.ok_or_else(|| bad("weights", format!("there is no number for {own}: give one each")))
    };
    types.iter().map(weight).collect()
}

/// Weights where nobody gives any: of three members or more, all of types that have one, these; otherwise none, and all
/// weigh alike.
fn usual_weights(members: &[ModelRequest]) -> Option<Vec<f64>> {
    let of = |member: &ModelRequest| {
        let own = type_of(member);
        WEIGHTS.iter().find(|(id, _)| *id == own).map(|&(_, weight)| weight)
    };
    (members.len() > 2).then(|| members.iter().map(of).collect::<Option<Vec<f64>>>()).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_named_in_a_line_or_as_requests() {
        let ids =
            |params: Value| -> Vec<String> { members(&params).unwrap().into_iter().map(|member| member.id).collect() };
        assert_eq!(ids(json!({ "members": "lstm, hybrid" })), ["lstm", "hybrid"]);
        assert_eq!(ids(json!({ "members": ["lstm", "hybrid"] })), ["lstm", "hybrid"]);
        assert_eq!(ids(json!({ "models": "gbdt,linear" })), ["gbdt", "linear"]);
        for nobody in [Value::Null, json!({}), json!({ "members": null })] {
            assert_eq!(ids(nobody), ["lstm", "hybrid"]);
        }
        let with_params = json!({ "members": [{ "id": "gbdt", "params": { "rounds": 5 } }, "linear"] });
        assert_eq!(members(&with_params).unwrap()[0].params, json!({ "rounds": 5 }));
        let filled = with_members(json!({ "models": "gbdt,linear", "votes": 1 }), members(&with_params).unwrap());
        assert_eq!(filled, json!({ "votes": 1, "members": [{ "id": "gbdt", "params": { "rounds": 5 } }, "linear"] }));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_remedy() {
        for (params, field, part) in [
            (json!({ "members": "lstm" }), "members", "two models or more"),
            (json!({ "members": 5 }), "members", "names of models"),
            (json!({ "members": "lstm,ensemble" }), "members", "cannot be a member"),
            (json!({ "members": "lstm,gru,lstm" }), "members", "named twice"),
            (json!({ "members": "lstm,gru", "models": "lstm,hybrid" }), "members", "given twice"),
            (json!({ "member": "lstm,gru" }), "member", "did you mean `members`"),
        ] {
            let error = members(&params).unwrap_err();
            assert_eq!((error.code, error.field.as_deref()), ("bad-parameter", Some(field)), "{params}");
            assert!(error.detail.contains(part), "{}", error.detail);
        }
    }

    /// How `lstm` and `gru` are combined with `extra`.
    fn two(extra: Value) -> Result<Combine, Problem> {
        of("lstm,gru", extra)
    }

    fn of(names: &str, extra: Value) -> Result<Combine, Problem> {
        let mut params = json!({ "members": names });
        params.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        combine(&params, &members(&params)?)
    }

    #[test]
    fn strategies_are_named_with_what_they_take() {
        let weighted = |weights: &[f64]| Ok(Combine::Weighted { weights: weights.to_vec() });
        assert_eq!(two(json!({})), Ok(Combine::Average));
        assert_eq!(two(json!({ "strategy": "weighted" })), Ok(Combine::Average));
        assert_eq!(two(json!({ "strategy": "Average" })), Ok(Combine::Average));
        assert_eq!(two(json!({ "weights": "3,1" })), weighted(&[3.0, 1.0]));
        assert_eq!(two(json!({ "weights": { "GRU": 1, "lstm": 3 } })), weighted(&[3.0, 1.0]));
        assert_eq!(two(json!({ "weights": "auto" })), Ok(Combine::Auto));
        assert_eq!(two(json!({ "method": "stacking" })), Ok(Combine::Stacking));
        for (votes, of) in [(json!("confidence"), Votes::Confidence), (json!(null), Votes::Equal)] {
            assert_eq!(two(json!({ "strategy": "voting", "votes": votes })), Ok(Combine::Voting { votes: of }));
        }
        assert_eq!(two(json!({ "mean": "arithmetic" })), Ok(Combine::Average));
        assert_eq!(two(json!({ "mean": "logarithmic" })), Ok(Combine::Logarithmic { weights: None }));
        let logarithmic = Combine::Logarithmic { weights: Some(vec![3.0, 1.0]) };
        assert_eq!(two(json!({ "mean": "logarithmic", "weights": "3,1" })), Ok(logarithmic));
    }

    #[test]
    fn one_name_stands_for_strategy_and_votes() {
        for (name, expected) in [
            ("weighted", Combine::Voting { votes: Votes::Confidence }),
            ("majority", Combine::Voting { votes: Votes::Equal }),
            ("stacking", Combine::Stacking),
        ] {
            assert_eq!(two(json!({ "votingStrategy": name })), Ok(expected.clone()), "{name}");
            let same = json!({ "votingStrategy": name, "strategy": expected.strategy() });
            assert_eq!(two(same), Ok(expected), "{name}");
        }
        let other = two(json!({ "votingStrategy": "majority", "strategy": "stacking" })).unwrap_err();
        assert!(other.field.as_deref() == Some("strategy") && other.detail.contains("twice"), "{}", other.detail);
    }

    #[test]
    fn four_types_have_weights_of_their_own_where_nobody_gives_any() {
        let weights = |names: &str| match of(names, json!({})).unwrap() {
            Combine::Weighted { weights } => weights,
            other => panic!("{names}: {other:?}"),
        };
        assert_eq!(weights("lstm,random-forest,gbdt"), [40.0, 25.0, 25.0]);
        assert_eq!(weights("xgboost,lstm,random-forest"), [25.0, 40.0, 25.0]);
        assert_eq!(weights("lstm,random-forest,gbdt,svm"), [40.0, 25.0, 25.0, 10.0]);
        for alike in ["lstm,gbdt", "lstm,gbdt,linear"] {
            assert_eq!(of(alike, json!({})), Ok(Combine::Average), "{alike}");
        }
    }

    #[test]
    fn what_a_strategy_has_not_is_refused() {
        let field = |extra: Value| two(extra).unwrap_err().field.unwrap();
        assert_eq!(field(json!({ "weights": [1, 1], "strategy": "average" })), "weights");
        assert_eq!(field(json!({ "weights": "auto", "strategy": "stacking" })), "weights");
        assert_eq!(field(json!({ "votes": "equal" })), "votes");
        assert_eq!(field(json!({ "votes": "loud", "strategy": "voting" })), "votes");
        assert_eq!(field(json!({ "strategy": "boosting" })), "strategy");
        assert_eq!(field(json!({ "weights": "a" })), "weights");
        assert_eq!(field(json!({ "weights": { "lstm": 1 } })), "weights");
        assert_eq!(field(json!({ "weights": { "lstm": 1, "hybrid": 1 } })), "weights");
        for bad in [json!("geometric"), json!(1)] {
            assert_eq!(field(json!({ "mean": bad })), "mean");
        }
        assert_eq!(field(json!({ "mean": "logarithmic", "strategy": "stacking" })), "mean");
        assert_eq!(field(json!({ "mean": "logarithmic", "weights": "auto" })), "mean");
        let near = two(json!({ "strategy": "stackin" })).unwrap_err();
        assert!(near.detail.contains("did you mean `stacking`"), "{}", near.detail);
    }
}
