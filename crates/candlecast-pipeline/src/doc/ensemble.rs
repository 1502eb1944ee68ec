//! How ensembles combine their members: parts of the documents of `predict`, `compare`, `train` and `models`.

use candlecast_core::Timestamp;
use candlecast_learn::{EnsembleFits, FitWeights, Opinion, Weighing};
use serde::Serialize;

/// A member of an ensemble in one forecast.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberDoc {
    /// Its type; `naive` (prices) or `neutral` for what stacking sets beside the members.
    pub model: String,
    /// Its id in the registry; null in an ensemble that was trained as a model of its own.
    pub model_id: Option<String>,
    /// Its weight in the forecast, in a vote its share in the votes, 0 to 1.
    pub weight: f64,
}

/// What the members of an ensemble say beside each other at the last step of a forecast.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnsembleDoc {
    /// `average`, `weighted`, `voting` or `stacking`.
    pub strategy: &'static str,
    /// What votes weigh, `equal` or `confidence`; left out where there are no votes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub votes: Option<&'static str>,
    /// The members with their weights.
    pub members: Vec<MemberDoc>,
    /// Members on the side that most are on, over those that have a direction; 0 where none has, null for a volatility.
    pub consensus: Option<f64>,
    /// Mean confidence of the members that have a direction, times the consensus; what `confidence` is calibrated on. Null
    /// for a volatility, and of models saved before there was one.
    pub raw_confidence: Option<f64>,
    /// 1 - standard deviation of the members' log prices over the mean half-width of their intervals; null for classes, and
    /// of models saved before there was one.
    pub model_agreement: Option<f64>,
}

impl EnsembleDoc {
    /// Of claim `claim`; `ids` are those of the members in the registry, as far as they have any. `None` where there is no
    /// such claim.
    pub fn new(opinion: &Opinion, ids: &[String], claim: usize) -> Option<Self> {
        let of_claim = opinion.claims.get(claim)?;
        let member = |(k, (model, &weight)): (usize, (&String, &f64))| MemberDoc {
            model: model.clone(),
            model_id: ids.get(k).cloned(),
            weight,
        };
        Some(Self {
            strategy: opinion.strategy,
            votes: opinion.votes,
            members: opinion.members.iter().zip(&of_claim.weights).enumerate().map(member).collect(),
            consensus: of_claim.consensus,
            raw_confidence: of_claim.raw_confidence,
            model_agreement: of_claim.agreement,
        })
    }
}

/// Weights of the members in one state of the market.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StateWeightsDoc {
    /// The state, such as `trend, calm`; null where weights do not depend on it.
    pub state: Option<&'static str>,
    /// One a member, in order; they sum to 1.
    pub weights: Vec<f64>,
}

/// Weights of one fit.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FitWeightsDoc {
    /// When it was fitted.
    pub fit_at: Timestamp,
    /// Origins that weights were learnt from; 0 of those that were given, and of equal ones for want of origins.
    pub origins: usize,
    /// By state of the market.
    pub states: Vec<StateWeightsDoc>,
}

/// How an ensemble weighs its members.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WeighingDoc {
    /// `average`, `weighted`, `voting` or `stacking`.
    pub strategy: &'static str,
    /// What votes weigh; left out where there are no votes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub votes: Option<&'static str>,
    /// What is weighed, in order.
    pub members: Vec<String>,
    /// Origins that weights were learnt from; 0 of those that were given, and of equal ones for want of origins.
    pub origins: usize,
    /// By state of the market; of a walk-forward those learnt by its end.
    pub states: Vec<StateWeightsDoc>,
    /// Fit by fit, of a walk-forward; empty and left out of a model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fits: Vec<FitWeightsDoc>,
}

fn by_state(names: &[&'static str], weights: &[Vec<f64>]) -> Vec<StateWeightsDoc> {
    let one = |(k, weights): (usize, &Vec<f64>)| StateWeightsDoc {
        state: names.get(k).copied().filter(|_| names.len() > 1),
        weights: weights.clone(),
    };
    weights.iter().enumerate().map(one).collect()
}

impl From<&Weighing> for WeighingDoc {
    fn from(w: &Weighing) -> Self {
        Self {
            strategy: w.strategy,
            votes: w.votes,
            members: w.members.clone(),
            origins: w.origins,
            states: by_state(w.states, &w.by_state),
            fits: vec![],
        }
    }
}

impl From<&EnsembleFits> for WeighingDoc {
    fn from(e: &EnsembleFits) -> Self {
        let names = e.learnt.states();
        let fit = |fit: &FitWeights| FitWeightsDoc {
            fit_at: fit.fit_at,
            origins: fit.origins,
            // Before there was anything to learn from, weights are the same in all states.
            states: by_state(if fit.by_state.len() > 1 { names } else { &[] }, &fit.by_state),
        };
        Self {
            strategy: e.strategy,
            votes: e.votes,
            members: e.members.clone(),
            origins: e.learnt.origins(),
            states: by_state(names, e.learnt.weights()),
            fits: e.fits.iter().map(fit).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use candlecast_learn::ClaimOpinion;
    use serde_json::json;

    use super::*;

    #[test]
    fn members_have_their_ids_and_weights_at_the_claim_that_is_told() {
        let claim = |weights: [f64; 3], consensus| ClaimOpinion {
            weights: weights.to_vec(),
            consensus,
            raw_confidence: Some(0.4),
            agreement: None,
        };
        let opinion = Opinion {
            strategy: "stacking",
            votes: None,
            members: vec!["lstm".into(), "hybrid".into(), "naive".into()],
            claims: vec![claim([0.5, 0.25, 0.25], None), claim([0.2, 0.3, 0.5], Some(0.5))],
        };
        let ids = ["A_LSTM_1.0.0".to_owned(), "A_HYBRID_2.0.0".to_owned()];
        let doc = serde_json::to_value(EnsembleDoc::new(&opinion, &ids, 1)).unwrap();
        assert_eq!(
            doc,
            json!({
                "strategy": "stacking",
                "members": [
                    { "model": "lstm", "modelId": "A_LSTM_1.0.0", "weight": 0.2 },
                    { "model": "hybrid", "modelId": "A_HYBRID_2.0.0", "weight": 0.3 },
                    { "model": "naive", "modelId": null, "weight": 0.5 },
                ],
                "consensus": 0.5,
                "rawConfidence": 0.4,
                "modelAgreement": null,
            })
        );
        assert_eq!(EnsembleDoc::new(&opinion, &[], 2), None);
        assert_eq!(EnsembleDoc::new(&opinion, &[], 0).unwrap().members[0].model_id, None);
    }

    #[test]
    fn weights_have_the_name_of_their_state_where_they_depend_on_it() {
        let weighing = |states: &'static [&'static str], by_state: Vec<Vec<f64>>| Weighing {
            strategy: "stacking",
            votes: None,
            members: vec!["a".into(), "b".into()],
            states,
            by_state,
            origins: 300,
        };
        let two = WeighingDoc::from(&weighing(&["calm", "wild"], vec![vec![0.5, 0.5], vec![0.25, 0.75]]));
        assert_eq!((two.states[1].state, &two.states[1].weights), (Some("wild"), &vec![0.25, 0.75]));
        let one = serde_json::to_value(WeighingDoc::from(&weighing(&[], vec![vec![0.5, 0.5]]))).unwrap();
        assert_eq!(one["states"], json!([{ "state": null, "weights": [0.5, 0.5] }]));
        assert!(one.get("votes").is_none() && one.get("fits").is_none(), "{one}");
    }
}
