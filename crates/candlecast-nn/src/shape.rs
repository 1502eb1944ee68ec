//! [`Shape`]: the extents of a network, and where each weight lies in the canonical parameter vector.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Kind of recurrent cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cell {
    /// Long short-term memory (Hochreiter and Schmidhuber 1997, with forget gate), gates i, f, g, o.
    Lstm,
    /// Gated recurrent unit (Cho et al. 2014) in PyTorch's form, gates r, z, n.
    Gru,
}

impl Cell {
    /// `lstm` or `gru`.
    pub fn id(self) -> &'static str {
        match self {
            Self::Lstm => "lstm",
            Self::Gru => "gru",
        }
    }

    /// Gates, each with its rows in the weight matrices: 4 or 3.
    pub fn gates(self) -> usize {
        match self {
            Self::Lstm => 4,
            Self::Gru => 3,
        }
    }
}

/// Bias blocks a unit: i, f, g, o of the LSTM; r, z, n of the input and n of the hidden state of the GRU.
pub(crate) const BIASES: usize = 4;

/// Extents of a recurrent network with a linear head on the last hidden state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Kind of cell.
    pub cell: Cell,
    /// Features a step.
    pub inputs: usize,
    /// Units of each layer, first layer first; not empty.
    pub hidden: Vec<usize>,
    /// Outputs of the head.
    pub outputs: usize,
    /// Steps of an input window.
    pub steps: usize,
}

/// Where one layer's weights lie in the canonical parameter vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LayerSpan {
    /// Inputs of the layer.
    pub(crate) inputs: usize,
    /// Units of the layer.
    pub(crate) hidden: usize,
    /// `[gates * hidden, inputs]`.
    pub(crate) weight_ih: Range<usize>,
    /// `[gates * hidden, hidden]`.
    pub(crate) weight_hh: Range<usize>,
    /// `[4 * hidden]`, see [`BIASES`].
    pub(crate) bias: Range<usize>,
}

impl Shape {
    /// The layers' places, first layer first.
    pub(crate) fn layers(&self) -> Vec<LayerSpan> {
        let (gates, mut at, mut inputs) = (self.cell.gates(), 0, self.inputs);
        let mut take = |n: usize| {
            at += n;
            at - n..at
        };
        self.hidden
            .iter()
            .map(|&hidden| {
                let span = LayerSpan {
                    inputs,
                    hidden,
                    weight_ih: take(gates * hidden * inputs),
                    weight_hh: take(gates * hidden * hidden),
                    bias: take(BIASES * hidden),
                };
                inputs = hidden;
                span
            })
            .collect()
    }

    /// Units of the last layer.
    pub fn last_hidden(&self) -> usize {
        self.hidden.last().copied().unwrap_or(self.inputs)
    }

    fn head_start(&self) -> usize {
        self.layers().last().map_or(0, |l| l.bias.end)
    }

    /// Place of the head's weight, `[outputs, last hidden]`.
    pub(crate) fn head_weight(&self) -> Range<usize> {
        let start = self.head_start();
        start..start + self.outputs * self.last_hidden()
    }

    /// Place of the head's bias, `[outputs]`.
    pub(crate) fn head_bias(&self) -> Range<usize> {
        let start = self.head_weight().end;
        start..start + self.outputs
    }

    /// Length of the canonical parameter vector: layer by layer `weight_ih`, `weight_hh`, `bias`, then the head.
    pub fn n_params(&self) -> usize {
        self.head_bias().end
    }

    /// Multiplications and additions of one training step on `batch` windows: forward, gradients of the weights,
    /// gradients of the hidden states, and of the inputs above the first layer. The head is not counted.
    pub fn training_flops(&self, batch: usize) -> f64 {
        let mut flops = 0.0;
        for (k, layer) in self.layers().iter().enumerate() {
            let (x, h) = (layer.inputs as f64, layer.hidden as f64);
            let products = 2.0 * (x + h) + h + if k > 0 { x } else { 0.0 };
            flops += 2.0 * (batch * self.steps * self.cell.gates()) as f64 * h * products;
        }
        flops
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_lie_end_to_end() {
        let shape = Shape { cell: Cell::Gru, inputs: 5, hidden: vec![7, 3], outputs: 2, steps: 4 };
        let layers = shape.layers();
        assert_eq!(layers[0].weight_ih, 0..105);
        assert_eq!(layers[0].weight_hh, 105..252);
        assert_eq!(layers[0].bias, 252..280);
        assert_eq!(layers[1].inputs, 7);
        assert_eq!(layers[1].weight_ih, 280..343);
        assert_eq!(layers[1].bias.end, shape.head_weight().start);
        assert_eq!(shape.n_params(), 280 + 63 + 27 + 12 + 6 + 2);
    }
}
