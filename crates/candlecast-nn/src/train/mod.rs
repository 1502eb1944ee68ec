//! Training: one step over a team of threads, the loss of a part, the loop of epochs, checkpoints.

mod checkpoint;
mod evaluate;
mod feed;
mod fit;
mod luck;
mod parts;
mod stepper;

pub(crate) use feed::{Batch, put_samples};
pub(crate) use fit::{FitPlan, run};
pub(crate) use parts::lock;
pub(crate) use stepper::{StepReport, Stepper};
