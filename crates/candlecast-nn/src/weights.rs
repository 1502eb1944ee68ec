//! Canonical parameters as named tensors, in PyTorch's layout and names, and back.

use std::collections::BTreeMap;

use candlecast_learn::{ModelState, RestoreError, Tensor};

use crate::shape::{BIASES, Cell, LayerSpan, Shape};

/// Adds the tensors of `params` to `tensors`, each name after `prefix`: `weight_ih_l0 [gates * hidden, inputs]`,
/// `weight_hh_l0 [gates * hidden, hidden]`, `bias_ih_l0`, `bias_hh_l0 [gates * hidden]`, ..., `head.weight
/// [outputs, hidden]`, `head.bias [outputs]`, so that `torch.nn.LSTM` and `GRU` can load them.
///
/// We keep one bias where PyTorch adds two: it is saved as `bias_ih` with a `bias_hh` of zeros, but for the n gate
/// of the GRU, which needs both.
pub(crate) fn write_tensors(shape: &Shape, params: &[f32], prefix: &str, tensors: &mut BTreeMap<String, Tensor>) {
    let mut put = |name: String, dims: &[usize], values: Vec<f32>| {
        tensors.insert(format!("{prefix}{name}"), Tensor::f32(dims, values));
    };
    for (k, layer) in shape.layers().iter().enumerate() {
        let rows = shape.cell.gates() * layer.hidden;
        put(format!("weight_ih_l{k}"), &[rows, layer.inputs], params[layer.weight_ih.clone()].to_vec());
        put(format!("weight_hh_l{k}"), &[rows, layer.hidden], params[layer.weight_hh.clone()].to_vec());
        let (ih, hh) = split_bias(shape.cell, &params[layer.bias.clone()]);
        put(format!("bias_ih_l{k}"), &[rows], ih);
        put(format!("bias_hh_l{k}"), &[rows], hh);
    }
    put("head.weight".into(), &[shape.outputs, shape.last_hidden()], params[shape.head_weight()].to_vec());
    put("head.bias".into(), &[shape.outputs], params[shape.head_bias()].to_vec());
}

/// Reads what [`write_tensors`] wrote, or PyTorch's own weights.
pub(crate) fn read_tensors(shape: &Shape, state: &ModelState, prefix: &str) -> Result<Vec<f32>, RestoreError> {
    let mut params = vec![0.0; shape.n_params()];
    let get = |name: String, dims: &[usize]| state.f32(&format!("{prefix}{name}"), dims);
    for (k, layer) in shape.layers().iter().enumerate() {
        let LayerSpan { inputs, hidden, weight_ih, weight_hh, bias } = layer.clone();
        let rows = shape.cell.gates() * hidden;
        params[weight_ih].copy_from_slice(get(format!("weight_ih_l{k}"), &[rows, inputs])?);
        params[weight_hh].copy_from_slice(get(format!("weight_hh_l{k}"), &[rows, hidden])?);
        let (ih, hh) = (get(format!("bias_ih_l{k}"), &[rows])?, get(format!("bias_hh_l{k}"), &[rows])?);
        join_bias(shape.cell, ih, hh, &mut params[bias]);
    }
    params[shape.head_weight()].copy_from_slice(get("head.weight".into(), &[shape.outputs, shape.last_hidden()])?);
    params[shape.head_bias()].copy_from_slice(get("head.bias".into(), &[shape.outputs])?);
    Ok(params)
}

/// Our bias blocks as PyTorch's `(bias_ih, bias_hh)`.
fn split_bias(cell: Cell, bias: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let hidden = bias.len() / BIASES;
    let rows = cell.gates() * hidden;
    let mut hh = vec![0.0; rows];
    if cell == Cell::Gru {
        hh[2 * hidden..].copy_from_slice(&bias[3 * hidden..]);
    }
    (bias[..rows].to_vec(), hh)
}

/// PyTorch's two biases as our blocks.
pub(crate) fn join_bias(cell: Cell, ih: &[f32], hh: &[f32], bias: &mut [f32]) {
    let hidden = bias.len() / BIASES;
    let shared = match cell {
        Cell::Lstm => 4 * hidden,
        Cell::Gru => 2 * hidden,
    };
    for j in 0..shared {
        bias[j] = ih[j] + hh[j];
    }
    if cell == Cell::Gru {
        bias[2 * hidden..3 * hidden].copy_from_slice(&ih[2 * hidden..]);
        bias[3 * hidden..].copy_from_slice(&hh[2 * hidden..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::starting_params;
    use candlecast_core::Seed;

    #[test]
    fn tensors_are_read_back_bit_for_bit() {
        for cell in [Cell::Lstm, Cell::Gru] {
            let shape = Shape { cell, inputs: 5, hidden: vec![7, 3], outputs: 2, steps: 4 };
            let mut params = starting_params(&shape, Seed(3));
            for (j, p) in params.iter_mut().enumerate() {
                *p += j as f32 * 1e-3;
            }
            let mut state = ModelState::default();
            write_tensors(&shape, &params, "best.", &mut state.tensors);
            assert_eq!(read_tensors(&shape, &state, "best.").unwrap(), params);
            let wider = Shape { inputs: 6, ..shape };
            assert!(matches!(read_tensors(&wider, &state, "best."), Err(RestoreError::Shape { .. })));
            assert!(matches!(read_tensors(&wider, &state, ""), Err(RestoreError::Missing { .. })));
        }
    }
}
