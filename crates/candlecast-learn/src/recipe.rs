//! [`Recipe`]: everything that determines a forecaster besides data and seed.

use candlecast_core::FeatureSet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ensemble::EnsembleConfig;
use crate::learner::Learner;
use crate::pipeline::PipelineConfig;
use crate::task::Task;

/// How a forecaster is made: a pipeline, or an ensemble of recipes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recipe {
    /// Features, scaling and a learner.
    Pipeline(PipelineConfig),
    /// Members whose forecasts are combined.
    Ensemble(EnsembleConfig),
}

/// Builds the learners that recipes name.
pub trait Builder {
    /// The learner `model` with `params`; why there is none, for people.
    fn learner(&self, model: &str, params: &Value) -> Result<Box<dyn Learner>, String>;
}

impl Recipe {
    /// The first pipeline in it.
    pub fn first(&self) -> Option<&PipelineConfig> {
        match self {
            Self::Pipeline(config) => Some(config),
            Self::Ensemble(config) => config.members.first().and_then(Self::first),
        }
    }

    /// What it forecasts.
    pub fn task(&self) -> Option<Task> {
        self.first().map(|config| config.task)
    }

    /// Every feature that it reads, in order, each once.
    pub fn features(&self) -> FeatureSet {
        let mut ids: Vec<String> = Vec::new();
        self.visit(&mut |config| {
            for id in config.features.ids() {
                if !ids.contains(id) {
                    ids.push(id.clone());
                }
            }
        });
        FeatureSet(ids)
    }

    /// Calls `f` with every pipeline in it, in order.
    pub fn visit(&self, f: &mut dyn FnMut(&PipelineConfig)) {
        match self {
            Self::Pipeline(config) => f(config),
            Self::Ensemble(config) => config.members.iter().for_each(|member| member.visit(f)),
        }
    }
}
