//! How ensembles combine their members, for people.

use candlecast_pipeline::doc::{EnsembleDoc, StateWeightsDoc, WeighingDoc};

use crate::text::{count, percent};

/// The members of an ensemble with their weights, and how far they agree.
pub fn members_line(e: &EnsembleDoc) -> String {
    let members: Vec<String> =
        e.members.iter().map(|member| format!("{} {}", member.model, percent(Some(member.weight), 0))).collect();
    let mut text = format!("ensemble, {}: {}", strategy(e.strategy, e.votes), members.join(", "));
    for (name, share) in
        [("consensus", e.consensus), ("raw confidence", e.raw_confidence), ("agreement", e.model_agreement)]
    {
        if let Some(share) = share {
            text.push_str(&format!("; {name} {share:.2}"));
        }
    }
    text
}

/// How an ensemble weighs its members: a line, or a line a state of the market.
pub fn weights_lines(w: &WeighingDoc) -> Vec<String> {
    let learnt = if w.origins > 0 { format!(" learnt from {}", count(w.origins, "origin")) } else { String::new() };
    let head = format!("ensemble, {}", strategy(w.strategy, w.votes));
    let weights = |of: &StateWeightsDoc| -> String {
        let each = w.members.iter().zip(&of.weights);
        each.map(|(name, weight)| format!("{name} {}", percent(Some(*weight), 0))).collect::<Vec<_>>().join(", ")
    };
    match w.states.as_slice() {
        [one] => vec![format!("{head}, weights{learnt}: {}", weights(one))],
        several => {
            let state = |of: &StateWeightsDoc| format!("  {}: {}", of.state.unwrap_or("any state"), weights(of));
            std::iter::once(format!("{head}, weights by state of the market{learnt}:"))
                .chain(several.iter().map(state))
                .collect()
        }
    }
}

/// `voting (votes weigh confidence)`.
fn strategy(strategy: &str, votes: Option<&str>) -> String {
    match votes {
        Some("confidence") => format!("{strategy} by confidence"),
        _ => strategy.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use candlecast_pipeline::doc::MemberDoc;

    use super::*;

    #[test]
    fn members_are_told_with_their_weights() {
        let member = |model: &str, weight| MemberDoc { model: model.into(), model_id: None, weight };
        let doc = EnsembleDoc {
            strategy: "voting",
            votes: Some("confidence"),
            members: vec![member("lstm", 0.6), member("hybrid", 0.4)],
            consensus: Some(0.5),
            raw_confidence: Some(0.26),
            model_agreement: None,
        };
        assert_eq!(
            members_line(&doc),
            "ensemble, voting by confidence: lstm 60 %, hybrid 40 %; consensus 0.50; raw confidence 0.26"
        );
    }

    #[test]
    fn weights_are_a_line_a_state_where_they_depend_on_it() {
        let of = |states: Vec<StateWeightsDoc>, origins| WeighingDoc {
            strategy: "stacking",
            votes: None,
            members: vec!["lstm".into(), "naive".into()],
            origins,
            states,
            fits: vec![],
        };
        let state = |state, weights: [f64; 2]| StateWeightsDoc { state, weights: weights.to_vec() };
        assert_eq!(
            weights_lines(&of(vec![state(None, [0.5, 0.5])], 0)),
            ["ensemble, stacking, weights: lstm 50 %, naive 50 %"]
        );
        let two = of(vec![state(Some("trend, calm"), [0.75, 0.25]), state(Some("trend, wild"), [0.1, 0.9])], 300);
        assert_eq!(
            weights_lines(&two),
            [
                "ensemble, stacking, weights by state of the market learnt from 300 origins:",
                "  trend, calm: lstm 75 %, naive 25 %",
                "  trend, wild: lstm 10 %, naive 90 %",
            ]
        );
    }
}
