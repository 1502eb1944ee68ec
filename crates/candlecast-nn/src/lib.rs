//! Recurrent networks (LSTM, GRU) that train and predict on our own CPU kernels.
//!
//! [`catalog`] lists the learners. A learner checks its samples, turns targets into scale-free numbers, and runs
//! the training loop over a network. There are two networks with one interface: `reference`, readable layers on
//! the `gemm` crate that run everywhere, and the fused AVX-512 and AVX2 kernels in `kernel`, the only place with
//! `unsafe`. Both are checked against finite differences, against PyTorch and against each other.
//!
//! Results are the same bits for a seed at any thread count on one [`Isa`]; between instruction sets they differ
//! by rounding. Errors of a fit are [`candlecast_learn::FitError`], of a configuration
//! [`candlecast_core::catalog::RecipeError`], of the bare [`Session`] [`SessionError`].

#![deny(unsafe_code)]

mod buffer;
mod config;
mod dropout;
mod early_stop;
mod fitted;
mod init;
mod isa;
#[allow(unsafe_code, reason = "vector intrinsics and the worker team; every block says why it is sound")]
mod kernel;
mod learner;
mod loss;
mod models;
mod network;
mod objective;
mod optimizer;
mod price_scale;
mod readout;
mod reference;
mod schedule;
mod session;
mod session_batch;
mod shape;
mod train;
mod weights;

pub use isa::{Isa, instruction_set};
pub use kernel::sgemm;
pub use loss::Loss;
pub use models::catalog;
pub use optimizer::{AdamConfig, OptimizerKind};
pub use session::{Session, SessionConfig, SessionError};
pub use session_batch::SessionBatch;
pub use shape::{Cell, Shape};
