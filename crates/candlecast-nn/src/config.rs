//! [`RecurrentConfig`]: the parameters of the recurrent learners, their profiles and bounds.

use candlecast_core::catalog::{Param, RecipeError, read_config};
use candlecast_learn::{PriceTarget, TargetKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::isa::Isa;
use crate::loss::Loss;
use crate::optimizer::{AdamConfig, OptimizerKind};
use crate::schedule::ScheduleKind;

candlecast_core::params! {
    /// What the user gives. Parameters without a default of their own take that of the profile.
    struct Given {
        "profile" => profile: Profile = "fast", choice("fast", "deep"),
            "defaults: a small network on OHLCV, or a deep one on the default features";
        "sequenceLength" => sequence_length: Option<usize> = null, int(2..=512), search(10, 20, 30),
            "candles in an input window; fast 20, deep 60";
        "hiddenSize" => hidden_size: Option<usize> = null, int(1..=1024), search(16, 32, 64),
            "units of every layer; fast 32, deep 128";
        "layers" => layers: Option<usize> = null, int(1..=6), "recurrent layers; fast 1, deep 2";
        "hiddenSizes" => hidden_sizes: Option<Vec<usize>> = null, int_list(1..=1024, 6),
            "units of each layer, such as [50,30]; overrides hiddenSize and layers";
        "dropout" => dropout: Option<f64> = null, float(0.0..=0.9), search(0.1, 0.2, 0.3),
            "share of units dropped between layers (no effect with one layer); fast 0, deep 0.2";
        "learningRate" => learning_rate: Option<f64> = null, float(1e-6..=1.0, log), search(0.0001, 0.001, 0.01),
            "step size of the optimiser; fast 0.001, deep 0.0005";
        "batchSize" => batch_size: Option<usize> = null, int(1..=4096),
            "windows in a training step; fast 32, deep 64";
        "weightDecay" => weight_decay: Option<f64> = null, float(0.0..=1.0),
            "decoupled decay with adamw, coupled with adam; fast 0, deep 0.0001";
        "optimizer" => optimizer: OptimizerKind = "adamw", choice("adamw", "adam"),
            "Adam with decoupled or coupled weight decay";
        "l2" => l2: f64 = 0, float(0.0..=1.0), "coupled decay: added to the gradient, times the weight";
        "gradientClip" => gradient_clip: f64 = 1, float(0.0..=1000.0),
            "bound on the norm of the whole gradient; 0 for none";
        "schedule" => schedule: ScheduleKind = "constant", choice("constant", "cosine", "reduce-on-plateau"),
            "course of the learning rate";
        "warmupEpochs" => warmup_epochs: usize = 0, int(0..=1000),
            "epochs over which the learning rate rises linearly to its value";
        "epochs" => epochs: usize = 100, int(1..=10_000), search(50, 100, 200),
            "passes over the training part at most";
        "patience" => patience: usize = 10, int(1..=10_000),
            "epochs without a better validation loss before training stops";
        "target" => target: TargetKind = "clipped", choice("clipped", "wide", "raw"),
            "what is learnt of a price: the move in units of sigma sqrt(h), clipped; wide: clipped at 3; raw: the log return";
        "targetBound" => target_bound: Option<f64> = null, float(0.05..=10.0),
            "bound k of the clipped target in units of sigma sqrt(h); null: 1 up to 4 steps, 0.5 from 24 on";
        "loss" => loss: PriceLoss = "mse", choice("mse", "huber", "pinball"), "loss of the price task";
        "huberDelta" => huber_delta: f64 = 1, float(1e-3..=100.0),
            "where Huber's loss turns linear, in units of the volatility-scaled target";
        "quantile" => quantile: f64 = 0.5, float(0.01..=0.99), "quantile of the pinball loss; a price takes 0.5 only";
        "classLoss" => class_loss: DirectionLoss = "cross-entropy", choice("cross-entropy", "focal"),
            "loss of the direction task";
        "labelSmoothing" => label_smoothing: f64 = 0, float(0.0..=0.9),
            "share of a label spread over all classes";
        "focalGamma" => focal_gamma: f64 = 2, float(0.0..=10.0), "focus of the focal loss on badly predicted samples";
        "classWeights" => class_weights: ClassWeights = "none", choice("none", "balanced", "sqrt"),
            "weights of the classes in the loss";
        "instructionSet" => instruction_set: String = "auto", choice("auto", "avx512", "avx2", "portable"),
            "kernels to compute with; auto takes the fastest here, another is for repeating results bit for bit";
    }
}

/// Parameters of `lstm` and `gru`.
pub(crate) const PARAMS: &[Param] = Given::PARAMS;

/// Default sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Profile {
    /// Small network on OHLCV.
    Fast,
    /// Two layers of 128 on the default features.
    Deep,
}

/// Weights of the classes in the loss of the direction task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ClassWeights {
    /// All alike.
    None,
    /// Inverse to the class's count.
    Balanced,
    /// Inverse to the root of the class's count.
    Sqrt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PriceLoss {
    Mse,
    Huber,
    Pinball,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum DirectionLoss {
    CrossEntropy,
    Focal,
}

/// Checked parameters of a recurrent learner, with the profile's defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RecurrentConfig {
    pub(crate) profile: Profile,
    /// Rows in an input window.
    pub(crate) sequence_length: usize,
    /// Units of each layer; not empty.
    pub(crate) hidden: Vec<usize>,
    /// Share of units dropped between layers.
    pub(crate) dropout: f64,
    /// Rows in a training step.
    pub(crate) batch_size: usize,
    pub(crate) adam: AdamConfig,
    pub(crate) schedule: ScheduleKind,
    pub(crate) warmup_epochs: usize,
    pub(crate) epochs: usize,
    pub(crate) patience: usize,
    /// What is learnt of prices.
    pub(crate) target: PriceTarget,
    /// Loss of the price task.
    pub(crate) loss: Loss,
    /// Loss of the direction task.
    pub(crate) class_loss: Loss,
    pub(crate) class_weights: ClassWeights,
    /// Kernels to compute with; available here.
    pub(crate) isa: Isa,
}

impl RecurrentConfig {
    /// Reads parameters that [`PARAMS`] has accepted.
    pub(crate) fn read(model: &str, config: &Value) -> Result<Self, RecipeError> {
        let given: Given = read_config(model, config)?;
        let isa = read_isa(model, &given.instruction_set)?;
        let loss = read_loss(model, &given)?;
        let deep = given.profile == Profile::Deep;
        let hidden_size = given.hidden_size.unwrap_or(if deep { 128 } else { 32 });
        let layers = given.layers.unwrap_or(if deep { 2 } else { 1 });
        Ok(Self {
            profile: given.profile,
            sequence_length: given.sequence_length.unwrap_or(if deep { 60 } else { 20 }),
            hidden: given.hidden_sizes.unwrap_or_else(|| vec![hidden_size; layers]),
            dropout: given.dropout.unwrap_or(if deep { 0.2 } else { 0.0 }),
            batch_size: given.batch_size.unwrap_or(if deep { 64 } else { 32 }),
            adam: AdamConfig {
                kind: given.optimizer,
                learning_rate: given.learning_rate.unwrap_or(if deep { 5e-4 } else { 1e-3 }),
                weight_decay: given.weight_decay.unwrap_or(if deep { 1e-4 } else { 0.0 }),
                l2: given.l2,
                clip: (given.gradient_clip > 0.0).then_some(given.gradient_clip),
            },
            schedule: given.schedule,
            warmup_epochs: given.warmup_epochs,
            epochs: given.epochs,
            patience: given.patience,
            target: PriceTarget::new(given.target, given.target_bound),
            loss,
            class_loss: match given.class_loss {
                DirectionLoss::CrossEntropy => Loss::CrossEntropy { smoothing: given.label_smoothing },
                DirectionLoss::Focal => Loss::Focal { gamma: given.focal_gamma, smoothing: given.label_smoothing },
            },
            class_weights: given.class_weights,
            isa,
        })
    }
}

/// The loss of prices. A forecast of a price is one number and stands for the middle of what may come, so no other
/// quantile than the median can be asked for.
fn read_loss(model: &str, given: &Given) -> Result<Loss, RecipeError> {
    let quantile = given.quantile;
    match given.loss {
        PriceLoss::Mse => Ok(Loss::Mse),
        PriceLoss::Huber => Ok(Loss::Huber { delta: given.huber_delta }),
        PriceLoss::Pinball if quantile == 0.5 => Ok(Loss::Pinball { quantile }),
        PriceLoss::Pinball => Err(RecipeError::one(
            model,
            "quantile",
            format!(
                "{quantile} would be served as the price, and the price is the median: quantile 0.5; other quantiles \
                 come from `--quantiles`"
            ),
        )),
    }
}

fn read_isa(model: &str, id: &str) -> Result<Isa, RecipeError> {
    if id == "auto" {
        return Ok(Isa::best());
    }
    let here = Isa::ALL.into_iter().filter(|isa| isa.is_available()).map(Isa::id).collect::<Vec<_>>().join(", ");
    match Isa::from_id(id) {
        Some(isa) if isa.is_available() => Ok(isa),
        _ => Err(RecipeError::one(
            model,
            "instructionSet",
            format!("`{id}` is not available on this processor: use auto or one of {here}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::catalog::{ParamKind, check_params};
    use serde_json::json;

    fn read(config: &Value) -> RecurrentConfig {
        check_params("lstm", PARAMS, config).unwrap();
        RecurrentConfig::read("lstm", config).unwrap()
    }

    #[test]
    fn profiles_set_the_defaults_and_fields_override_them() {
        let fast = read(&json!({}));
        assert_eq!((fast.sequence_length, fast.hidden.as_slice(), fast.batch_size), (20, &[32][..], 32));
        assert_eq!((fast.adam.learning_rate, fast.adam.weight_decay, fast.dropout), (1e-3, 0.0, 0.0));
        let deep = read(&json!({"profile": "deep"}));
        assert_eq!((deep.sequence_length, deep.hidden.as_slice(), deep.batch_size), (60, &[128, 128][..], 64));
        assert_eq!((deep.adam.learning_rate, deep.adam.weight_decay, deep.dropout), (5e-4, 1e-4, 0.2));
        assert_eq!((deep.epochs, deep.patience), (100, 10));
        let own = read(&json!({"profile": "deep", "hiddenSizes": [50, 30], "sequenceLength": 24, "gradientClip": 0}));
        assert_eq!((own.sequence_length, own.hidden.as_slice(), own.adam.clip), (24, &[50, 30][..], None));
    }

    #[test]
    fn the_stated_defaults_are_the_real_ones() {
        let mut stated = serde_json::Map::new();
        for p in PARAMS {
            stated.insert(p.name.into(), serde_json::from_str(p.default).unwrap());
        }
        assert_eq!(read(&Value::Object(stated)), read(&json!({})));
    }

    #[test]
    fn every_word_of_a_choice_is_read_as_a_value_of_its_own() {
        for p in PARAMS {
            let ParamKind::Choice(words) = p.kind else { continue };
            for word in words {
                let given: Given = read_config("lstm", &json!({ (p.name): word })).unwrap();
                assert_eq!(serde_json::to_value(&given).unwrap()[p.name], *word, "{}", p.name);
                let is_known = p.name != "instructionSet" || *word == "auto" || Isa::from_id(word).is_some();
                assert!(is_known, "{word}");
            }
        }
    }

    #[test]
    fn a_price_is_learnt_as_a_clipped_move_unless_another_target_is_named() {
        let target = |config: Value| read(&config).target;
        assert_eq!(target(json!({})), PriceTarget::new(TargetKind::Clipped, None));
        assert_eq!(target(json!({"targetBound": 0.7})), PriceTarget::new(TargetKind::Clipped, Some(0.7)));
        assert_eq!(target(json!({"target": "raw"})), PriceTarget::new(TargetKind::Raw, None));
        assert!(check_params("gru", PARAMS, &json!({"targetBound": 0})).is_err());
    }

    #[test]
    fn a_quantile_that_is_not_the_median_is_no_price() {
        assert_eq!(read(&json!({"loss": "pinball"})).loss, Loss::Pinball { quantile: 0.5 });
        assert_eq!(read(&json!({"quantile": 0.9})).loss, Loss::Mse, "without its loss a quantile means nothing");
        for id in ["lstm", "gru"] {
            let error = RecurrentConfig::read(id, &json!({"loss": "pinball", "quantile": 0.9})).unwrap_err();
            assert_eq!((error.part.as_str(), error.violations[0].param.as_str()), (id, "quantile"));
            let text = error.to_string();
            let said = ["0.9", "the price is the median: quantile 0.5", "`--quantiles`"];
            assert!(said.iter().all(|part| text.contains(part)), "{text}");
        }
    }

    #[test]
    fn an_instruction_set_that_is_not_here_is_refused() {
        let error = RecurrentConfig::read("gru", &json!({"instructionSet": "sse9"})).unwrap_err().to_string();
        assert!(error.contains("sse9") && error.contains("portable"), "{error}");
    }
}
