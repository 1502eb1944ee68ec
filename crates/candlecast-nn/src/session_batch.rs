//! [`SessionBatch`]: inputs and targets as plain arrays, checked against a network's shape.

use std::ops::Range;

use candlecast_learn::CLASSES;

use crate::network::{Outputs, put_window};
use crate::objective::{Objective, Targets};
use crate::session::SessionError;
use crate::shape::Shape;
use crate::train::Batch;

/// Inputs and targets of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionBatch {
    pub(crate) rows: usize,
    /// Values of a window, `steps * inputs`.
    window: usize,
    pub(crate) features: usize,
    pub(crate) inputs: Vec<f32>,
    pub(crate) targets: Targets,
}

impl SessionBatch {
    /// Inputs `[rows, steps, inputs]` with values `[rows, outputs]`.
    pub fn of_values(shape: &Shape, inputs: Vec<f32>, values: Vec<f32>) -> Result<Self, SessionError> {
        let rows = values.len() / shape.outputs.max(1);
        if values.len() != rows * shape.outputs {
            let expected = rows * shape.outputs;
            return Err(SessionError::Length { what: "targets", found: values.len(), expected });
        }
        Self::new(shape, rows, inputs, Targets::Values { width: shape.outputs, values })
    }

    /// Inputs `[rows, steps, inputs]` with a class a row: 0, 1 or 2.
    pub fn of_classes(shape: &Shape, inputs: Vec<f32>, classes: Vec<u8>) -> Result<Self, SessionError> {
        if let Some(&class) = classes.iter().find(|&&c| usize::from(c) >= CLASSES) {
            return Err(SessionError::Class(class));
        }
        if shape.outputs != CLASSES {
            let found = shape.outputs;
            return Err(SessionError::Length { what: "a row of outputs", found, expected: CLASSES });
        }
        Self::new(shape, classes.len(), inputs, Targets::Classes(classes))
    }

    fn new(shape: &Shape, rows: usize, inputs: Vec<f32>, targets: Targets) -> Result<Self, SessionError> {
        let window = shape.steps * shape.inputs;
        if inputs.len() != rows * window {
            let (found, expected) = (inputs.len(), rows * window);
            return Err(SessionError::Length { what: "inputs", found, expected });
        }
        Ok(Self { rows, window, features: shape.inputs, inputs, targets })
    }
}

/// A batch and what to minimise.
#[derive(Debug)]
pub(crate) struct ArrayBatch<'a> {
    pub(crate) data: &'a SessionBatch,
    pub(crate) objective: Objective,
}

impl Batch for ArrayBatch<'_> {
    fn rows(&self) -> usize {
        self.data.rows
    }

    fn put_inputs(&self, rows: Range<usize>, input: &mut [f32]) {
        let window = self.data.window;
        let windows = &self.data.inputs[rows.start * window..rows.end * window];
        put_windows(windows, window, self.data.features, input);
    }

    fn loss(&self, rows: Range<usize>, mut out: Outputs<'_>) -> f64 {
        let row = |(i, sample)| self.objective.train_row(&self.data.targets, sample, out.row(i), self.data.rows);
        rows.enumerate().map(row).sum()
    }
}

/// Writes `windows`, `[rows, window]`, to `input`, `[steps, rows, features]`.
pub(crate) fn put_windows(windows: &[f32], window: usize, features: usize, input: &mut [f32]) {
    let rows = windows.len() / window;
    for (row, values) in windows.chunks_exact(window).enumerate() {
        put_window(values, features, row, rows, input);
    }
}
