//! The loop of epochs: shuffle, step, look at the validation part, schedule, early stopping, checkpoints.
//!
//! A fit that has a validation part and knows what a network says that has learnt nothing of its inputs
//! ([`FitPlan::without_inputs`]) begins with that network, looks at the validation part several times an epoch, and
//! keeps what the best look saw only if it gains on that network by more than luck. Otherwise it keeps the network that
//! has learnt nothing: of prices the naive forecast, exactly.

use std::ops::ControlFlow;

use candlecast_core::Seed;
use candlecast_learn::{Curve, FitError, FitObserver, Progress, Samples, Stop, TrainState};

use super::checkpoint;
use super::evaluate::{Evaluation, mean_loss};
use super::feed::SampleBatch;
use super::luck::{blocks_of, is_beyond_luck};
use super::stepper::{StepReport, Stepper};
use crate::config::RecurrentConfig;
use crate::dropout::Dropout;
use crate::early_stop::EarlyStop;
use crate::init::set_constant_head;
use crate::network::Network;
use crate::objective::{Objective, Targets};
use crate::schedule::Schedule;

/// Training samples evaluated for the curve where there is no validation part to match in number.
const CURVE_SAMPLES: usize = 1024;
/// Most looks at the validation part in an epoch.
const LOOKS: usize = 4;
/// Batches between two looks at least.
const LOOK_BATCHES: usize = 8;

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
    /// Outputs of a network that has learnt nothing of its inputs, which a fit has to beat; `None` where any network
    /// will do.
    pub(crate) without_inputs: Option<&'a [f32]>,
    /// Leaves the head's bias as it begins.
    pub(crate) fixed_bias: bool,
    /// Facts that a checkpoint must share with this fit.
    pub(crate) model: &'a serde_json::Value,
}

/// What came out of the loop.
#[derive(Debug)]
pub(crate) struct Fitting {
    /// The best weights, in canonical order.
    pub(crate) params: Vec<f32>,
    pub(crate) stopped: Stop,
    /// Epochs behind them, a part of one counted whole.
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
    /// Weights with the lowest validation loss, canonical; `None` also while that is the loss without inputs.
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
    let mut run = Run::new(net, plan, start, resume)?;
    loop {
        if let Some(stop) = run.end() {
            return Ok(run.finish(start, stop));
        }
        run.steps()?;
        let progress = run.end_epoch()?;
        if let ControlFlow::Break(stop) = observer.on_step(&progress, &|| run.checkpoint()) {
            return Ok(run.finish(start, stop));
        }
    }
}

/// A fit under way.
#[derive(Debug)]
struct Run<'p, 'a, N: Network> {
    plan: &'p FitPlan<'a>,
    stepper: Stepper<N>,
    schedule: Schedule,
    watch: Watch<'a, N>,
    looks: Looks,
    course: Course,
}

impl<'p, 'a, N: Network> Run<'p, 'a, N> {
    fn new(net: N, plan: &'p FitPlan<'a>, start: &[f32], resume: Option<&TrainState>) -> Result<Self, FitError> {
        let config = plan.config;
        let n_train = plan.train.0.len();
        let has_dropout = config.dropout > 0.0 && config.hidden.len() > 1;
        let batch_size = config.batch_size.min(n_train);
        let batches = n_train.div_ceil(batch_size);
        let mut schedule = Schedule::new(config.schedule, config.warmup_epochs, config.epochs, batches);
        let mut stepper = Stepper::new(net, start, batch_size, plan.threads, has_dropout);
        if plan.fixed_bias {
            stepper.fix_head_bias();
        }
        let course = match resume {
            None => Course::default(),
            Some(state) => checkpoint::read(state, plan.model, &mut stepper, &mut schedule)?,
        };
        let watch = Watch::new(&mut stepper, plan);
        let looks = Looks::of(batches, watch.bar.is_some());
        let mut run = Self { plan, stepper, schedule, watch, looks, course };
        if resume.is_none() {
            run.look_before_the_first_step()?;
        }
        Ok(run)
    }

    /// What is known without inputs comes first; the weights of a warm start may know more.
    fn look_before_the_first_step(&mut self) -> Result<(), FitError> {
        if let Some(bar) = &self.watch.bar {
            self.course.early.improves(0, mean_loss(&bar.losses));
            self.look(0, "before the first step")?;
        }
        Ok(())
    }

    /// The loss of the validation part, if there is one; remembers the weights if it is the lowest so far.
    fn look(&mut self, number: usize, when: &str) -> Result<Option<f64>, FitError> {
        let loss = self.watch.valid_loss(&mut self.stepper, when)?;
        if loss.is_some_and(|loss| self.course.early.improves(number, loss)) {
            self.course.best = Some(self.stepper.params());
        }
        Ok(loss)
    }

    /// Why the fit ends here by itself, if it does.
    fn end(&self) -> Option<Stop> {
        let (course, config, per_epoch) = (&self.course, self.plan.config, self.looks.per_epoch);
        let is_over = course.early.is_over(course.epoch * per_epoch, config.patience * per_epoch);
        if course.early.best.is_some() && is_over {
            return Some(Stop::Early);
        }
        (course.epoch >= config.epochs).then_some(Stop::Budget)
    }

    /// All steps of an epoch, and the looks between them.
    fn steps(&mut self) -> Result<(), FitError> {
        let (plan, epoch) = (self.plan, self.course.epoch);
        let (config, (samples, targets)) = (plan.config, plan.train);
        let mut order: Vec<u32> = (0..samples.len() as u32).collect();
        plan.seed.derive("nn-shuffle", epoch as u64).stream().shuffle(&mut order);
        let rate = if config.hidden.len() > 1 { config.dropout } else { 0.0 };
        for (k, order) in order.chunks(config.batch_size.min(samples.len())).enumerate() {
            let batch = SampleBatch { samples, targets, objective: plan.objective, order };
            let stepper = &mut self.stepper;
            let dropout = Dropout::new(rate, plan.seed, stepper.count());
            let factor = self.schedule.factor(stepper.count());
            let report = stepper.step(&batch, dropout, &config.adam, factor);
            if !report.is_finite() {
                return Err(not_finite(report, config, epoch, stepper.count() + 1));
            }
            if let Some(look) = self.looks.after(k + 1) {
                self.look(epoch * self.looks.per_epoch + look, &format!("in epoch {}", epoch + 1))?;
            }
        }
        Ok(())
    }

    /// The last look of an epoch, whose steps are done, and what the observer hears of it.
    fn end_epoch(&mut self) -> Result<Progress, FitError> {
        self.course.epoch += 1;
        let epoch = self.course.epoch;
        let when = format!("after epoch {epoch}");
        let train_loss = self.watch.train_loss(&mut self.stepper, &when)?;
        let valid_loss = self.look(epoch * self.looks.per_epoch, &when)?;
        self.schedule.end_epoch(valid_loss.unwrap_or(train_loss));
        self.course.curve.train.push(train_loss);
        self.course.curve.valid.extend(valid_loss);
        let config = self.plan.config;
        let factor = self.schedule.factor(self.stepper.count().saturating_sub(1));
        Ok(Progress {
            step: epoch,
            of: config.epochs,
            train_loss: Some(train_loss),
            valid_loss,
            learning_rate: Some(config.adam.learning_rate * factor),
        })
    }

    fn checkpoint(&self) -> TrainState {
        let state = checkpoint::write(&self.course, self.plan.model, &self.stepper, &self.schedule);
        TrainState { step: self.course.epoch, state }
    }

    /// What is kept of the fit, which began with `start`.
    fn finish(mut self, start: &[f32], stopped: Stop) -> Fitting {
        let Course { epoch, early, curve, best } = std::mem::take(&mut self.course);
        let kept = match best {
            Some(best) => {
                let epochs = early.best_look.div_ceil(self.looks.per_epoch);
                self.is_worth_keeping(&best).then_some((best, epochs))
            }
            None => self.watch.bar.is_none().then(|| (self.stepper.params(), epoch)),
        };
        let (params, epochs) = kept.unwrap_or_else(|| (self.without_inputs(start), 0));
        Fitting { params, stopped, epochs, curve }
    }

    /// True when the weights `best` gain on what is known without inputs by more than luck.
    fn is_worth_keeping(&mut self, best: &[f32]) -> bool {
        let (Some(valid), Some(bar)) = (&self.watch.valid, &self.watch.bar) else { return true };
        self.stepper.set_params(best);
        let (net, weights, team) = self.stepper.split();
        let losses = valid.losses(net, weights, team);
        let gains: Vec<f64> = bar.losses.iter().zip(losses).map(|(bar, loss)| bar - loss).collect();
        is_beyond_luck(&gains, &bar.blocks)
    }

    /// The weights `start` with the head of a network that has learnt nothing of its inputs.
    fn without_inputs(&self, start: &[f32]) -> Vec<f32> {
        let mut params = start.to_vec();
        if let Some(outputs) = self.plan.without_inputs {
            set_constant_head(self.stepper.net().shape(), &mut params, outputs);
        }
        params
    }
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

/// When the validation part is looked at: after every epoch, or every part of one.
#[derive(Debug, Clone, Copy)]
struct Looks {
    /// Batches of an epoch.
    batches: usize,
    /// At least 1.
    per_epoch: usize,
}

impl Looks {
    /// Up to [`LOOKS`] looks an epoch, [`LOOK_BATCHES`] batches apart at least; one if it need not be `often`.
    fn of(batches: usize, often: bool) -> Self {
        Self { batches, per_epoch: if often { (batches / LOOK_BATCHES).clamp(1, LOOKS) } else { 1 } }
    }

    /// The look that follows batch `batch` within an epoch, both counted from 1. The last one follows the epoch.
    fn after(self, batch: usize) -> Option<usize> {
        (1..self.per_epoch).find(|look| (look * self.batches).div_ceil(self.per_epoch) == batch)
    }
}

/// What a fit has to beat on the validation part.
#[derive(Debug)]
struct Bar {
    /// Losses without inputs, `[sample]`.
    losses: Vec<f64>,
    /// Blocks of samples whose losses hang together, `[sample]`.
    blocks: Vec<i64>,
}

/// The losses that are watched.
#[derive(Debug)]
struct Watch<'a, N: Network> {
    train: Evaluation<'a, N>,
    valid: Option<Evaluation<'a, N>>,
    /// Only with a validation part.
    bar: Option<Bar>,
}

impl<'a, N: Network> Watch<'a, N> {
    /// Watches the validation part, and as many of the training samples, evenly spread.
    fn new(stepper: &mut Stepper<N>, plan: &FitPlan<'a>) -> Self {
        let (net, _, team) = stepper.split();
        let part = plan.valid.filter(|(samples, _)| !samples.is_empty());
        let limit = part.map_or(CURVE_SAMPLES, |(samples, _)| samples.len());
        let evaluation = |part: Part<'a>, limit| Evaluation::new(net, part, plan.objective, limit, team.size());
        let train = evaluation(plan.train, limit);
        let valid = part.map(|part| evaluation(part, usize::MAX));
        let bar = match (part, &valid, plan.without_inputs) {
            (Some((samples, _)), Some(valid), Some(outputs)) => {
                Some(Bar { losses: valid.losses_of_constant(outputs), blocks: blocks_of(samples) })
            }
            _ => None,
        };
        Self { train, valid, bar }
    }

    /// Loss of the watched training samples, in evaluation mode; `when` it is, for errors.
    fn train_loss(&self, stepper: &mut Stepper<N>, when: &str) -> Result<f64, FitError> {
        loss_of(&self.train, stepper, &format!("the training loss {when}"))
    }

    /// Loss of the validation part, in evaluation mode.
    fn valid_loss(&self, stepper: &mut Stepper<N>, when: &str) -> Result<Option<f64>, FitError> {
        let loss = |valid| loss_of(valid, stepper, &format!("the validation loss {when}"));
        self.valid.as_ref().map(loss).transpose()
    }
}

/// Mean loss of `part`, called `what` in errors.
fn loss_of<N: Network>(part: &Evaluation<'_, N>, stepper: &mut Stepper<N>, what: &str) -> Result<f64, FitError> {
    let step = stepper.count() as usize;
    let (net, weights, team) = stepper.split();
    let loss = mean_loss(&part.losses(net, weights, team));
    if loss.is_finite() {
        return Ok(loss);
    }
    Err(FitError::NotFinite {
        what: what.into(),
        value: loss,
        step,
        remedy: "take a lower learningRate, and look for extreme values among the features of that part".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_spread_over_an_epoch_and_eight_batches_apart() {
        let places = |batches| {
            let looks = Looks::of(batches, true);
            (1..=batches).filter_map(|batch| looks.after(batch).map(|look| (look, batch))).collect::<Vec<_>>()
        };
        for few in [1, 7, 15] {
            assert_eq!((places(few), Looks::of(few, true).per_epoch), (vec![], 1), "{few}");
        }
        assert_eq!(places(17), [(1, 9)]);
        assert_eq!(places(24), [(1, 8), (2, 16)]);
        assert_eq!(places(33), [(1, 9), (2, 17), (3, 25)]);
        assert_eq!(places(1_000), [(1, 250), (2, 500), (3, 750)]);
        assert_eq!(Looks::of(1_000, false).per_epoch, 1);
    }
}
