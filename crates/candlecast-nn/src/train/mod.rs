//! Training: one step over a team of threads, the loss of a part, the loop of epochs, checkpoints.

mod checkpoint;
mod evaluate;
mod feed;
mod fit;
mod parts;
mod stepper;

pub(crate) use feed::{Batch, SampleBatch};
pub(crate) use fit::{FitPlan, Fitting, run};
pub(crate) use stepper::Stepper;
