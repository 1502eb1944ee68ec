//! [`Session`]: a bare network with optimiser and threads, fed with plain arrays.
//!
//! This is what the learners run inside, without samples, epochs and early stopping: for benches, for comparisons
//! with other programs, and for whoever wants only the network.

use candlecast_core::Seed;
use candlecast_learn::{CLASSES, ModelState, RestoreError};

use crate::dropout::Dropout;
use crate::init::starting_params;
use crate::isa::Isa;
#[cfg(target_arch = "x86_64")]
use crate::kernel::FusedNetwork;
use crate::loss::Loss;
use crate::network::{MICRO_BATCH, Network};
use crate::objective::{Objective, Targets};
use crate::optimizer::AdamConfig;
use crate::reference::ReferenceNetwork;
use crate::session_batch::{ArrayBatch, SessionBatch, put_windows};
use crate::shape::Shape;
use crate::train::{StepReport, Stepper};
use crate::weights::{read_tensors, write_tensors};

/// What a session consists of.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionConfig {
    /// Extents of the network.
    pub shape: Shape,
    /// What is minimised.
    pub loss: Loss,
    /// Optimiser.
    pub adam: AdamConfig,
    /// Share of units dropped between layers in training.
    pub dropout: f64,
    /// Most rows of a training batch.
    pub batch_size: usize,
    /// Threads of a training step.
    pub threads: usize,
    /// Kernels to compute with.
    pub isa: Isa,
    /// Root of starting weights and masks.
    pub seed: Seed,
}

/// Why a session cannot do what it is asked for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SessionError {
    /// The processor lacks the instruction set.
    #[error("instruction set {0} is not available on this processor: take Isa::best()")]
    Isa(Isa),
    /// A number of the configuration is out of bounds.
    #[error("{field} is {value}, it must be {allowed}")]
    Config {
        /// Field.
        field: &'static str,
        /// As given.
        value: f64,
        /// Bounds.
        allowed: &'static str,
    },
    /// An array has the wrong length.
    #[error("{what} has {found} values, expected {expected}")]
    Length {
        /// Array.
        what: &'static str,
        /// Its length.
        found: usize,
        /// Length that fits.
        expected: usize,
    },
    /// A class is none of the three.
    #[error("class {0} is none of 0, 1 and 2")]
    Class(u8),
    /// Targets and loss do not go together.
    #[error("a loss of {loss} cannot be taken of targets that are {targets}")]
    Targets {
        /// `classes` or `values`.
        loss: &'static str,
        /// `classes` or `values`.
        targets: &'static str,
    },
    /// Loss or gradient became NaN or infinite; the weights did not move.
    #[error("loss {loss}, gradient norm {grad_norm}: not finite, take a lower learning rate or clip the gradient")]
    NotFinite {
        /// Loss of the batch.
        loss: f64,
        /// Norm of its gradient.
        grad_norm: f64,
    },
    /// Weights do not fit.
    #[error(transparent)]
    Weights(#[from] RestoreError),
}

/// A network, its optimiser and its threads.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    inner: Box<dyn Inner>,
}

impl Session {
    /// A session with starting weights of the seed.
    pub fn new(config: SessionConfig) -> Result<Self, SessionError> {
        check(&config)?;
        let start = starting_params(&config.shape, config.seed);
        #[cfg(target_arch = "x86_64")]
        if let Some(net) = FusedNetwork::new(config.shape.clone(), config.isa) {
            return Ok(Self { inner: Box::new(On::new(net, &config, &start)), config });
        }
        let net = ReferenceNetwork::new(config.shape.clone());
        Ok(Self { inner: Box::new(On::new(net, &config, &start)), config })
    }

    /// Its configuration.
    pub fn config(&self) -> &SessionConfig {
        &self.config
    }

    fn state_of(&self, params: &[f32]) -> ModelState {
        let mut state = ModelState::default();
        write_tensors(&self.config.shape, params, "", &mut state.tensors);
        state
    }

    /// The weights, named and laid out as PyTorch's (`weight_ih_l0`, ..., `head.weight`, `head.bias`).
    pub fn weights(&self) -> ModelState {
        self.state_of(&self.inner.params())
    }

    /// Replaces the weights, named as in [`Session::weights`]; the optimiser's moments stay.
    pub fn set_weights(&mut self, state: &ModelState) -> Result<(), SessionError> {
        let params = read_tensors(&self.config.shape, state, "")?;
        self.inner.set_params(&params);
        Ok(())
    }

    fn check_batch(&self, batch: &SessionBatch) -> Result<(), SessionError> {
        let shape = &self.config.shape;
        let expected = batch.rows * shape.steps * shape.inputs;
        if batch.inputs.len() != expected || batch.features != shape.inputs {
            return Err(SessionError::Length { what: "inputs", found: batch.inputs.len(), expected });
        }
        if batch.rows == 0 || batch.rows > self.config.batch_size {
            let (found, expected) = (batch.rows, self.config.batch_size);
            return Err(SessionError::Length { what: "a batch (in rows, at most)", found, expected });
        }
        let name = |classes: bool| if classes { "classes" } else { "values" };
        let (loss, targets) = (self.config.loss.is_of_classes(), matches!(batch.targets, Targets::Classes(_)));
        if loss != targets {
            return Err(SessionError::Targets { loss: name(loss), targets: name(targets) });
        }
        Ok(())
    }

    /// Mean loss of `batch` and its gradient, named as the weights are. Where PyTorch has two biases, `bias_ih`
    /// holds the gradient of both; `bias_hh` that of the GRU's n gate, and else 0.
    pub fn gradient(&mut self, batch: &SessionBatch) -> Result<(f64, ModelState), SessionError> {
        self.check_batch(batch)?;
        let report = finite(self.inner.gradient(batch))?;
        Ok((report.loss, self.state_of(&self.inner.grad())))
    }

    /// One training step; returns the mean loss before it.
    pub fn step(&mut self, batch: &SessionBatch) -> Result<f64, SessionError> {
        self.check_batch(batch)?;
        Ok(finite(self.inner.step(batch))?.loss)
    }

    /// Writes the outputs, `[rows, outputs]`, of `inputs`, `[rows, steps, inputs]`, in evaluation mode.
    pub fn predict_into(&mut self, inputs: &[f32], out: &mut [f32]) -> Result<(), SessionError> {
        let shape = &self.config.shape;
        let window = shape.steps * shape.inputs;
        let rows = out.len() / shape.outputs;
        if inputs.len() != rows * window || out.len() != rows * shape.outputs {
            let (found, expected) = (inputs.len(), rows * window);
            return Err(SessionError::Length { what: "inputs", found, expected });
        }
        self.inner.predict_into(inputs, out);
        Ok(())
    }
}

fn check(config: &SessionConfig) -> Result<(), SessionError> {
    let Shape { inputs, ref hidden, outputs, steps, .. } = config.shape;
    let counts = [
        ("inputs", inputs),
        ("outputs", outputs),
        ("steps", steps),
        ("layers", hidden.len()),
        ("hidden", hidden.iter().copied().min().unwrap_or(0)),
        ("batch_size", config.batch_size),
    ];
    if let Some(&(field, _)) = counts.iter().find(|(_, n)| *n == 0) {
        return Err(SessionError::Config { field, value: 0.0, allowed: "at least 1" });
    }
    if !(0.0..1.0).contains(&config.dropout) {
        return Err(SessionError::Config { field: "dropout", value: config.dropout, allowed: "from 0 to below 1" });
    }
    if config.isa.is_available() { Ok(()) } else { Err(SessionError::Isa(config.isa)) }
}

fn finite(report: StepReport) -> Result<StepReport, SessionError> {
    if report.is_finite() {
        return Ok(report);
    }
    Err(SessionError::NotFinite { loss: report.loss, grad_norm: report.grad_norm })
}

/// A session on one kind of network.
trait Inner: Send + std::fmt::Debug {
    fn params(&self) -> Vec<f32>;
    fn set_params(&mut self, params: &[f32]);
    fn gradient(&mut self, batch: &SessionBatch) -> StepReport;
    fn grad(&self) -> Vec<f32>;
    fn step(&mut self, batch: &SessionBatch) -> StepReport;
    fn predict_into(&mut self, inputs: &[f32], out: &mut [f32]);
}

#[derive(Debug)]
struct On<N: Network> {
    stepper: Stepper<N>,
    single: N::State,
    many: N::State,
    objective: Objective,
    adam: AdamConfig,
    dropout: f64,
    seed: Seed,
}

impl<N: Network> On<N> {
    fn new(net: N, config: &SessionConfig, start: &[f32]) -> Self {
        let dropout = if config.shape.hidden.len() > 1 { config.dropout } else { 0.0 };
        Self {
            single: net.state(1),
            many: net.state(MICRO_BATCH),
            stepper: Stepper::new(net, start, config.batch_size, config.threads, dropout > 0.0),
            objective: Objective { loss: config.loss, class_weights: [1.0; CLASSES] },
            adam: config.adam,
            dropout,
            seed: config.seed,
        }
    }

    fn masks(&self) -> Option<Dropout> {
        Dropout::new(self.dropout, self.seed, self.stepper.count())
    }
}

impl<N: Network> Inner for On<N> {
    fn params(&self) -> Vec<f32> {
        self.stepper.params()
    }

    fn set_params(&mut self, params: &[f32]) {
        self.stepper.set_params(params);
    }

    fn gradient(&mut self, batch: &SessionBatch) -> StepReport {
        let masks = self.masks();
        self.stepper.compute_gradient(&ArrayBatch { data: batch, objective: self.objective }, masks)
    }

    fn grad(&self) -> Vec<f32> {
        self.stepper.grad()
    }

    fn step(&mut self, batch: &SessionBatch) -> StepReport {
        let masks = self.masks();
        let batch = ArrayBatch { data: batch, objective: self.objective };
        self.stepper.step(&batch, masks, &self.adam, 1.0)
    }

    fn predict_into(&mut self, inputs: &[f32], out: &mut [f32]) {
        let (net, weights, _) = self.stepper.split();
        let shape = net.shape();
        let window = shape.steps * shape.inputs;
        let n_rows = out.len() / shape.outputs;
        let (state, room) = if n_rows == 1 { (&mut self.single, 1) } else { (&mut self.many, MICRO_BATCH) };
        for (inputs, out) in inputs.chunks(room * window).zip(out.chunks_mut(room * shape.outputs)) {
            put_windows(inputs, window, shape.inputs, net.state_input(state));
            net.infer(weights, state, inputs.len() / window);
            let mut rows = net.state_output(state);
            for (i, out) in out.chunks_exact_mut(shape.outputs).enumerate() {
                out.copy_from_slice(rows.row(i));
            }
        }
    }
}
