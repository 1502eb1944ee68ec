//! The loop of epochs: shuffle, step, evaluate, schedule, early stopping, checkpoints.

use std::ops::ControlFlow;

use candlecast_core::Seed;
use candlecast_learn::{Curve, FitError, FitObserver, Progress, Samples, Stop, TrainState};

use super::checkpoint;
use super::evaluate::Evaluation;
use super::feed::SampleBatch;
use super::stepper::{StepReport, Stepper};
use crate::config::RecurrentConfig;
use crate::dropout::Dropout;
use crate::early_stop::EarlyStop;
use crate::network::Network;
use crate::objective::{Objective, Targets};
use crate::schedule::Schedule;

/// Training samples evaluated for the curve where there is no validation part to match in number.
const CURVE_SAMPLES: usize = 1024;

/// A part and its targets.
pub(crate) type Part<'a> = (&'a Samples<'a>, &'a Targets);

/// What is fitted to what.
#[derive(Debug)]
pub(crate) struct FitPlan<'a> {
    pub(crate) config: &'a RecurrentConfig,
    pub(crate) seed: Seed,
    pub(crate) threads: usize,
    pub(crate) objective: &'a Objective,
    pub(crate) train: Part<'a>,
    pub(crate) valid: Option<Part<'a>>,
    /// Facts that a checkpoint must share with this fit.
    pub(crate) model: &'a serde_json::Value,
}

/// What came out of the loop.
#[derive(Debug)]
pub(crate) struct Fitting {
    /// The best weights, in canonical order.
    pub(crate) params: Vec<f32>,
    pub(crate) stopped: Stop,
    /// Epochs behind them.
    pub(crate) epochs: usize,
    pub(crate) curve: Curve,
}

/// Where a fit stands, besides weights and moments.
#[derive(Debug, Clone, Default)]
pub(crate) struct Course {
    /// Epochs done.
    pub(crate) epoch: usize,
    pub(crate) early: EarlyStop,
    pub(crate) curve: Curve,
    /// Weights with the lowest validation loss, canonical.
    pub(crate) best: Option<Vec<f32>>,
}

/// Runs the fit from canonical parameters `start`, or from `resume`.
pub(crate) fn run<N: Network>(
    net: N,
    plan: &FitPlan<'_>,
    start: &[f32],
    resume: Option<&TrainState>,
    observer: &mut dyn FitObserver,
) -> Result<Fitting, FitError> {
    let config = plan.config;
    let n_train = plan.train.0.len();
    let has_dropout = config.dropout > 0.0 && config.hidden.len() > 1;
    let batch_size = config.batch_size.min(n_train);
    let mut schedule =
        Schedule::new(config.schedule, config.warmup_epochs, config.epochs, n_train.div_ceil(batch_size));
    let mut stepper = Stepper::new(net, start, batch_size, plan.threads, has_dropout);
    let mut course = Course::default();
    if let Some(state) = resume {
        course = checkpoint::read(state, plan.model, &mut stepper, &mut schedule)?;
    }
    let watch = Watch::new(&mut stepper, plan);
    loop {
        if let Some(stop) = end_of(&course, plan) {
            return Ok(finish(course, &stepper, stop));
        }
        run_epoch(&mut stepper, plan, &schedule, course.epoch)?;
        course.epoch += 1;
        let (train_loss, valid_loss) = watch.losses(&mut stepper, course.epoch)?;
        schedule.end_epoch(valid_loss.unwrap_or(train_loss));
        course.curve.train.push(train_loss);
        if let Some(loss) = valid_loss {
            course.curve.valid.push(loss);
            if course.early.improves(course.epoch, loss) {
                course.best = Some(stepper.params());
            }
        }
        let progress = Progress {
            step: course.epoch,
            of: config.epochs,
            train_loss: Some(train_loss),
            valid_loss,
            learning_rate: Some(config.adam.learning_rate * schedule.factor(stepper.count().saturating_sub(1))),
        };
        let snapshot =
            || TrainState { step: course.epoch, state: checkpoint::write(&course, plan.model, &stepper, &schedule) };
        if let ControlFlow::Break(stop) = observer.on_step(&progress, &snapshot) {
            return Ok(finish(course, &stepper, stop));
        }
    }
}

/// Why the fit ends here by itself, if it does.
fn end_of(course: &Course, plan: &FitPlan<'_>) -> Option<Stop> {
    if course.best.is_some() && course.early.is_over(course.epoch, plan.config.patience) {
        return Some(Stop::Early);
    }
    (course.epoch >= plan.config.epochs).then_some(Stop::Budget)
}

fn finish<N: Network>(course: Course, stepper: &Stepper<N>, stopped: Stop) -> Fitting {
    let epochs = if course.best.is_some() { course.early.best_epoch } else { course.epoch };
    Fitting { params: course.best.unwrap_or_else(|| stepper.params()), stopped, epochs, curve: course.curve }
}

/// All steps of one epoch; `epoch` counts from 0.
fn run_epoch<N: Network>(
    stepper: &mut Stepper<N>,
    plan: &FitPlan<'_>,
    schedule: &Schedule,
    epoch: usize,
) -> Result<(), FitError> {
    let (config, (samples, targets)) = (plan.config, plan.train);
    let mut order: Vec<u32> = (0..samples.len() as u32).collect();
    plan.seed.derive("nn-shuffle", epoch as u64).stream().shuffle(&mut order);
    let rate = if config.hidden.len() > 1 { config.dropout } else { 0.0 };
    for order in order.chunks(config.batch_size.min(samples.len())) {
        let batch = SampleBatch { samples, targets, objective: plan.objective, order };
        let dropout = Dropout::new(rate, plan.seed, stepper.count());
        let report = stepper.step(&batch, dropout, &config.adam, schedule.factor(stepper.count()));
        if !report.is_finite() {
            return Err(not_finite(report, config, epoch, stepper.count() + 1));
        }
    }
    Ok(())
}

fn not_finite(report: StepReport, config: &RecurrentConfig, epoch: usize, step: u64) -> FitError {
    let (what, value) = if report.loss.is_finite() {
        ("the norm of the gradient", report.grad_norm)
    } else {
        ("the training loss", report.loss)
    };
    FitError::NotFinite {
        what: format!("{what} in epoch {}", epoch + 1),
        value,
        step: step as usize,
        remedy: format!(
            "take a learningRate below {} and a gradientClip of about 1, and look for extreme values among the features",
            config.adam.learning_rate
        ),
    }
}

/// The losses that are watched.
#[derive(Debug)]
struct Watch<'a, N: Network> {
    train: Evaluation<'a, N>,
    valid: Option<Evaluation<'a, N>>,
}

impl<'a, N: Network> Watch<'a, N> {
    /// Watches the validation part, and as many of the training samples, evenly spread.
    fn new(stepper: &mut Stepper<N>, plan: &FitPlan<'a>) -> Self {
        let (net, _, team) = stepper.split();
        let valid = plan.valid.filter(|(samples, _)| !samples.is_empty());
        let limit = valid.map_or(CURVE_SAMPLES, |(samples, _)| samples.len());
        let evaluation = |part: Part<'a>, limit| Evaluation::new(net, part, plan.objective, limit, team.size());
        Self { train: evaluation(plan.train, limit), valid: valid.map(|part| evaluation(part, usize::MAX)) }
    }

    /// Losses of the training and the validation part after epoch `epoch`, in evaluation mode.
    fn losses(&self, stepper: &mut Stepper<N>, epoch: usize) -> Result<(f64, Option<f64>), FitError> {
        let step = stepper.count() as usize;
        let (net, weights, team) = stepper.split();
        let check = |what: &str, loss: f64| {
            if loss.is_finite() {
                return Ok(loss);
            }
            Err(FitError::NotFinite {
                what: format!("the {what} loss after epoch {epoch}"),
                value: loss,
                step,
                remedy: "take a lower learningRate, and look for extreme values among the features of that part".into(),
            })
        };
        let train = check("training", self.train.loss(net, weights, team))?;
        let valid = match &self.valid {
            None => None,
            Some(valid) => Some(check("validation", valid.loss(net, weights, team))?),
        };
        Ok((train, valid))
    }
}
