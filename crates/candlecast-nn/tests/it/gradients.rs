//! Gradients against central differences, and instruction sets against each other.

use candlecast_learn::{ModelState, Values};
use candlecast_nn::{Cell, Isa, Session, SessionBatch, SessionConfig, Shape};

use crate::world::{isas, normals, random_batch, session_config, shape};

fn get(state: &ModelState, name: &str, i: usize) -> f32 {
    match &state.tensors[name].values {
        Values::F32(v) => v[i],
        Values::F64(_) => panic!("networks save single precision"),
    }
}

fn put(state: &mut ModelState, name: &str, i: usize, value: f32) {
    match &mut state.tensors.get_mut(name).unwrap().values {
        Values::F32(v) => v[i] = value,
        Values::F64(_) => panic!("networks save single precision"),
    }
}

fn lengths(state: &ModelState) -> Vec<(String, usize)> {
    state.tensors.iter().map(|(name, t)| (name.clone(), t.shape.iter().product())).collect()
}

/// Weights of size one, so that gates leave their linear range.
fn spread_weights(session: &mut Session) {
    let mut weights = session.weights();
    for (k, (name, len)) in lengths(&weights).into_iter().enumerate() {
        if name.starts_with("bias_hh") {
            continue;
        }
        for (i, v) in normals(len, 100 + k as u64).into_iter().enumerate() {
            put(&mut weights, &name, i, 0.4 * v);
        }
    }
    session.set_weights(&weights).unwrap();
}

/// The gradient of each tensor against the central difference of the loss, along a direction half gradient, half
/// random. The loss is rounded to about 1e-7 of its size and the step is 1e-2, so a difference is good to about
/// 1e-5 and a few 1e-4 of the gradient: they must agree to 5e-3 of its norm and 1e-5.
fn check_differences(config: SessionConfig, batch: &SessionBatch) {
    let what = format!("{:?} on {}", config.shape, config.isa);
    let cell = config.shape.cell;
    let mut session = Session::new(config).unwrap();
    spread_weights(&mut session);
    let weights = session.weights();
    let (_, gradient) = session.gradient(batch).unwrap();
    for (k, (name, len)) in lengths(&weights).into_iter().enumerate() {
        // Only the n gate of the GRU has a second bias of its own.
        let from = match (name.starts_with("bias_hh"), cell) {
            (false, _) => 0,
            (true, Cell::Lstm) => continue,
            (true, Cell::Gru) => 2 * len / 3,
        };
        let gradient: Vec<f32> = (from..len).map(|i| get(&gradient, &name, i)).collect();
        let norm = length(&gradient);
        assert!(norm > 5e-4, "the gradient of {name} should not vanish, {what}: {norm}");
        let random = normals(len - from, 200 + k as u64);
        let mixed: Vec<f32> = gradient.iter().zip(&random).map(|(g, r)| g / norm + r / length(&random)).collect();
        let direction: Vec<f32> = mixed.iter().map(|d| d / length(&mixed)).collect();
        let mut loss_at = |step: f32| {
            let mut moved = weights.clone();
            for (i, d) in direction.iter().enumerate() {
                put(&mut moved, &name, from + i, get(&weights, &name, from + i) + step * d);
            }
            session.set_weights(&moved).unwrap();
            session.gradient(batch).unwrap().0
        };
        let difference = (loss_at(1e-2) - loss_at(-1e-2)) / 2e-2;
        let along: f64 = gradient.iter().zip(&direction).map(|(g, d)| f64::from(g * d)).sum();
        let tolerance = 5e-3 * f64::from(norm) + 1e-5;
        assert!((difference - along).abs() <= tolerance, "{name}, {what}: {difference} {along}, norm {norm}");
    }
}

fn length(v: &[f32]) -> f32 {
    v.iter().map(|d| d * d).sum::<f32>().sqrt()
}

fn shapes() -> Vec<Shape> {
    [Cell::Lstm, Cell::Gru]
        .into_iter()
        .flat_map(|cell| [shape(cell, 3, &[5], 2, 4), shape(cell, 5, &[20, 9, 17], 19, 5)])
        .collect()
}

#[test]
fn gradients_agree_with_differences() {
    for shape in shapes() {
        for isa in isas() {
            check_differences(session_config(&shape, isa), &random_batch(&shape, 7, 1));
        }
    }
}

#[test]
fn gradients_with_dropout_agree_with_differences() {
    for cell in [Cell::Lstm, Cell::Gru] {
        let shape = shape(cell, 4, &[10, 18, 6], 3, 5);
        for isa in isas() {
            let config = SessionConfig { dropout: 0.4, ..session_config(&shape, isa) };
            check_differences(config, &random_batch(&shape, 70, 1));
        }
    }
}

/// Greatest difference of two states' tensors, in shares of the greatest value of each tensor.
fn distance(a: &ModelState, b: &ModelState) -> f32 {
    lengths(a)
        .into_iter()
        .map(|(name, len)| {
            let largest = (0..len).fold(0.0_f32, |m, i| m.max(get(a, &name, i).abs()));
            let apart = (0..len).fold(0.0_f32, |m, i| m.max((get(a, &name, i) - get(b, &name, i)).abs()));
            if largest > 0.0 { apart / largest } else { apart }
        })
        .fold(0.0, f32::max)
}

/// Outputs within 1e-5 and gradients within 1e-4 of the portable path, sizes on and off the vectors' grid, batches
/// of one row up to several lanes.
#[test]
fn instruction_sets_agree() {
    let sizes: [(usize, &[usize], usize, usize, usize); 6] = [
        (1, &[1], 1, 2, 1),
        (5, &[32], 24, 20, 32),
        (12, &[50, 30], 24, 24, 33),
        (45, &[128, 128], 12, 30, 64),
        (7, &[16, 8, 33], 17, 9, 70),
        (3, &[100], 3, 12, 256),
    ];
    for cell in [Cell::Lstm, Cell::Gru] {
        for (inputs, hidden, outputs, steps, rows) in sizes {
            let shape = shape(cell, inputs, hidden, outputs, steps);
            let batch = random_batch(&shape, rows, 9);
            let run = |isa: Isa| {
                let config = SessionConfig { dropout: 0.2, ..session_config(&shape, isa) };
                let mut session = Session::new(config).unwrap();
                let mut out = vec![0.0; rows * outputs];
                session.predict_into(&normals(rows * steps * inputs, 9), &mut out).unwrap();
                (out, session.gradient(&batch).unwrap())
            };
            let (out, (loss, gradient)) = run(Isa::Portable);
            for isa in isas().filter(|&isa| isa != Isa::Portable) {
                let (other_out, (other_loss, other_gradient)) = run(isa);
                let apart = out.iter().zip(&other_out).fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()));
                assert!(apart < 1e-5, "outputs of {shape:?} on {isa}: {apart}");
                assert!((loss - other_loss).abs() < 1e-5 * loss, "loss of {shape:?} on {isa}: {loss} {other_loss}");
                let apart = distance(&gradient, &other_gradient);
                assert!(apart < 1e-4, "gradient of {shape:?} on {isa}: {apart}");
            }
        }
    }
}

/// One row at a time, in blocks, or all at once: the same outputs to rounding.
#[test]
fn predictions_do_not_depend_on_their_company() {
    for cell in [Cell::Lstm, Cell::Gru] {
        let shape = shape(cell, 5, &[20, 9], 6, 7);
        for isa in isas() {
            let mut session = Session::new(session_config(&shape, isa)).unwrap();
            spread_weights(&mut session);
            let (rows, window) = (75, 35);
            let inputs = normals(rows * window, 4);
            let mut all = vec![0.0; rows * 6];
            session.predict_into(&inputs, &mut all).unwrap();
            for row in 0..rows {
                let mut one = [0.0; 6];
                session.predict_into(&inputs[row * window..(row + 1) * window], &mut one).unwrap();
                for (a, b) in one.iter().zip(&all[row * 6..]) {
                    assert!((a - b).abs() < 1e-5, "row {row} on {isa}: {a} {b}");
                }
            }
        }
    }
}
