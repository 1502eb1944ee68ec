//! [`RecurrentConfig`]: the parameters of the recurrent learners, their profiles and bounds.

use candlecast_core::catalog::{Param, ParamKind, RecipeError};
use serde::Deserialize;
use serde_json::Value;

use crate::isa::Isa;
use crate::loss::Loss;
use crate::optimizer::{AdamConfig, OptimizerKind};
use crate::schedule::ScheduleKind;

const fn int(name: &'static str, (min, max): (i64, i64), default: &'static str, summary: &'static str) -> Param {
    Param { name, kind: ParamKind::Int { min, max }, default, summary }
}

const fn float(name: &'static str, (min, max): (f64, f64), default: &'static str, summary: &'static str) -> Param {
    Param { name, kind: ParamKind::Float { min, max, log: false }, default, summary }
}

const fn choice(
    name: &'static str,
    words: &'static [&'static str],
    default: &'static str,
    summary: &'static str,
) -> Param {
    Param { name, kind: ParamKind::Choice(words), default, summary }
}

/// Parameters of `lstm` and `gru`.
pub(crate) const PARAMS: &[Param] = &[
    choice(
        "profile",
        &["fast", "deep"],
        "\"fast\"",
        "defaults: a small network on OHLCV, or a deep one on the default features",
    ),
    int("sequenceLength", (2, 512), "null", "candles in an input window; fast 20, deep 60"),
    int("hiddenSize", (1, 1024), "null", "units of every layer; fast 32, deep 128"),
    int("layers", (1, 6), "null", "recurrent layers; fast 1, deep 2"),
    Param {
        name: "hiddenSizes",
        kind: ParamKind::IntList { min: 1, max: 1024, max_len: 6 },
        default: "null",
        summary: "units of each layer, such as [50,30]; overrides hiddenSize and layers",
    },
    float(
        "dropout",
        (0.0, 0.9),
        "null",
        "share of units dropped between layers (no effect with one layer); fast 0, deep 0.2",
    ),
    Param {
        name: "learningRate",
        kind: ParamKind::Float { min: 1e-6, max: 1.0, log: true },
        default: "null",
        summary: "step size of the optimiser; fast 0.001, deep 0.0005",
    },
    int("batchSize", (1, 4096), "null", "windows in a training step; fast 32, deep 64"),
    float("weightDecay", (0.0, 1.0), "null", "decoupled decay with adamw, coupled with adam; fast 0, deep 0.0001"),
    choice("optimizer", &["adamw", "adam"], "\"adamw\"", "Adam with decoupled or coupled weight decay"),
    float("l2", (0.0, 1.0), "0", "coupled decay: added to the gradient, times the weight"),
    float("gradientClip", (0.0, 1000.0), "1", "bound on the norm of the whole gradient; 0 for none"),
    choice("schedule", &["constant", "cosine", "reduce-on-plateau"], "\"constant\"", "course of the learning rate"),
    int("warmupEpochs", (0, 1000), "0", "epochs over which the learning rate rises linearly to its value"),
    int("epochs", (1, 10_000), "100", "passes over the training part at most"),
    int("patience", (1, 10_000), "10", "epochs without a better validation loss before training stops"),
    choice("loss", &["mse", "huber", "pinball"], "\"mse\"", "loss of the price task"),
    float(
        "huberDelta",
        (1e-3, 100.0),
        "1",
        "where Huber's loss turns linear, in units of the volatility-scaled target",
    ),
    float("quantile", (0.01, 0.99), "0.5", "quantile of the pinball loss"),
    choice("classLoss", &["cross-entropy", "focal"], "\"cross-entropy\"", "loss of the direction task"),
    float("labelSmoothing", (0.0, 0.9), "0", "share of a label spread over all classes"),
    float("focalGamma", (0.0, 10.0), "2", "focus of the focal loss on badly predicted samples"),
    choice("classWeights", &["none", "balanced", "sqrt"], "\"none\"", "weights of the classes in the loss"),
    choice(
        "instructionSet",
        &["auto", "avx512", "avx2", "portable"],
        "\"auto\"",
        "kernels to compute with; auto takes the fastest here, another is for repeating results bit for bit",
    ),
];

/// Default sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Profile {
    /// Small network on OHLCV.
    #[default]
    Fast,
    /// Two layers of 128 on the default features.
    Deep,
}

/// Weights of the classes in the loss of the direction task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ClassWeights {
    /// All alike.
    #[default]
    None,
    /// Inverse to the class's count.
    Balanced,
    /// Inverse to the root of the class's count.
    Sqrt,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
enum PriceLoss {
    #[default]
    Mse,
    Huber,
    Pinball,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
enum DirectionLoss {
    #[default]
    CrossEntropy,
    Focal,
}

/// What the user gives.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Given {
    profile: Profile,
    sequence_length: Option<usize>,
    hidden_size: Option<usize>,
    layers: Option<usize>,
    hidden_sizes: Option<Vec<usize>>,
    dropout: Option<f64>,
    learning_rate: Option<f64>,
    batch_size: Option<usize>,
    weight_decay: Option<f64>,
    optimizer: OptimizerKind,
    l2: f64,
    gradient_clip: f64,
    schedule: ScheduleKind,
    warmup_epochs: usize,
    epochs: usize,
    patience: usize,
    loss: PriceLoss,
    huber_delta: f64,
    quantile: f64,
    class_loss: DirectionLoss,
    label_smoothing: f64,
    focal_gamma: f64,
    class_weights: ClassWeights,
    instruction_set: String,
}

impl Default for Given {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            sequence_length: None,
            hidden_size: None,
            layers: None,
            hidden_sizes: None,
            dropout: None,
            learning_rate: None,
            batch_size: None,
            weight_decay: None,
            optimizer: OptimizerKind::default(),
            l2: 0.0,
            gradient_clip: 1.0,
            schedule: ScheduleKind::default(),
            warmup_epochs: 0,
            epochs: 100,
            patience: 10,
            loss: PriceLoss::default(),
            huber_delta: 1.0,
            quantile: 0.5,
            class_loss: DirectionLoss::default(),
            label_smoothing: 0.0,
            focal_gamma: 2.0,
            class_weights: ClassWeights::default(),
            instruction_set: "auto".into(),
        }
    }
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
        let given: Given =
            serde_json::from_value(config.clone()).map_err(|e| RecipeError::one(model, "config", e.to_string()))?;
        let isa = read_isa(model, &given.instruction_set)?;
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
            loss: match given.loss {
                PriceLoss::Mse => Loss::Mse,
                PriceLoss::Huber => Loss::Huber { delta: given.huber_delta },
                PriceLoss::Pinball => Loss::Pinball { quantile: given.quantile },
            },
            class_loss: match given.class_loss {
                DirectionLoss::CrossEntropy => Loss::CrossEntropy { smoothing: given.label_smoothing },
                DirectionLoss::Focal => Loss::Focal { gamma: given.focal_gamma, smoothing: given.label_smoothing },
            },
            class_weights: given.class_weights,
            isa,
        })
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
    use candlecast_core::catalog::check_params;
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
    fn an_instruction_set_that_is_not_here_is_refused() {
        let error = RecurrentConfig::read("gru", &json!({"instructionSet": "sse9"})).unwrap_err().to_string();
        assert!(error.contains("sse9") && error.contains("portable"), "{error}");
    }
}
