//! Against PyTorch in double precision, see `golden/make_golden.py`. The greatest difference within an array may be
//! 1e-4 of its greatest value.

use candlecast_learn::{ModelState, Tensor, Values};
use candlecast_nn::{AdamConfig, Cell, Isa, Loss, OptimizerKind, Session, SessionBatch, SessionConfig, Shape};
use serde_json::Value;

use crate::world::{isas, session_config};

const TOLERANCE: f32 = 1e-4;

fn cases(file: &str) -> Vec<Value> {
    let path = format!("{}/golden/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let file: Value = serde_json::from_str(&text).unwrap();
    file["cases"].as_array().unwrap().clone()
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

fn tensors(value: &Value) -> ModelState {
    let mut state = ModelState::default();
    for (name, tensor) in value.as_object().unwrap() {
        let dims: Vec<usize> =
            tensor["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
        state.tensors.insert(name.clone(), Tensor::f32(&dims, numbers(&tensor["values"])));
    }
    state
}

fn values(tensor: &Tensor) -> &[f32] {
    match &tensor.values {
        Values::F32(v) => v,
        Values::F64(_) => panic!("networks save single precision"),
    }
}

fn assert_near(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0_f32, |a, v| a.max(v.abs()));
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= TOLERANCE * largest, "{what}[{i}]: {f}, PyTorch {e}, largest {largest}");
    }
}

fn shape_of(case: &Value) -> Shape {
    let count = |name: &str| case[name].as_u64().unwrap() as usize;
    Shape {
        cell: if case["cell"] == "lstm" { Cell::Lstm } else { Cell::Gru },
        inputs: count("inputs"),
        hidden: case["hidden"].as_array().unwrap().iter().map(|h| h.as_u64().unwrap() as usize).collect(),
        outputs: count("outputs"),
        steps: count("steps"),
    }
}

fn batch_of(case: &Value, shape: &Shape, loss: Loss) -> SessionBatch {
    if loss.is_of_classes() {
        let classes = case["y"].as_array().unwrap().iter().map(|c| c.as_u64().unwrap() as u8).collect();
        return SessionBatch::of_classes(shape, numbers(&case["x"]), classes).unwrap();
    }
    SessionBatch::of_values(shape, numbers(&case["x"]), numbers(&case["y"])).unwrap()
}

fn check_pass(case: &Value, isa: Isa) {
    let (shape, loss) = (shape_of(case), serde_json::from_value::<Loss>(case["loss"].clone()).unwrap());
    let what = format!("{} on {isa}", case["name"]);
    let mut session = Session::new(SessionConfig { loss, ..session_config(&shape, isa) }).unwrap();
    session.set_weights(&tensors(&case["weights"])).unwrap();

    let rows = case["rows"].as_u64().unwrap() as usize;
    let mut out = vec![0.0; rows * shape.outputs];
    session.predict_into(&numbers(&case["x"]), &mut out).unwrap();
    assert_near(&out, &numbers(&case["out"]), &format!("outputs of {what}"));

    let (value, gradients) = session.gradient(&batch_of(case, &shape, loss)).unwrap();
    let expected = case["lossValue"].as_f64().unwrap();
    assert!((value - expected).abs() <= f64::from(TOLERANCE) * expected.abs(), "loss of {what}: {value}, {expected}");
    for (name, expected) in &tensors(&case["gradients"]).tensors {
        let (found, expected) = (values(&gradients.tensors[name]), values(expected));
        // One bias of ours stands for two of theirs, which have the same gradient; only the GRU's n has both.
        let from = match (name.starts_with("bias_hh"), shape.cell) {
            (false, _) => 0,
            (true, Cell::Lstm) => found.len(),
            (true, Cell::Gru) => 2 * found.len() / 3,
        };
        assert_near(&found[from..], &expected[from..], &format!("gradient of {name}, {what}"));
    }
}

#[test]
fn outputs_and_gradients_of_networks_agree() {
    for case in cases("networks") {
        isas().for_each(|isa| check_pass(&case, isa));
    }
}

#[test]
fn losses_and_their_gradients_agree() {
    for case in cases("losses") {
        isas().for_each(|isa| check_pass(&case, isa));
    }
}

#[test]
fn optimiser_steps_agree() {
    for case in cases("optimizers") {
        let shape = shape_of(&case);
        let adam = AdamConfig {
            kind: if case["optimizer"] == "adam" { OptimizerKind::Adam } else { OptimizerKind::AdamW },
            learning_rate: case["learningRate"].as_f64().unwrap(),
            weight_decay: case["weightDecay"].as_f64().unwrap(),
            l2: 0.0,
            clip: case["clip"].as_f64(),
        };
        for isa in isas() {
            let what = format!("{} on {isa}", case["name"]);
            let mut session = Session::new(SessionConfig { adam, ..session_config(&shape, isa) }).unwrap();
            session.set_weights(&tensors(&case["weights"])).unwrap();
            let batch = batch_of(&case, &shape, Loss::Mse);
            for expected in case["losses"].as_array().unwrap() {
                let (loss, expected) = (session.step(&batch).unwrap(), expected.as_f64().unwrap());
                assert!((loss - expected).abs() <= f64::from(TOLERANCE) * expected, "{what}: {loss}, {expected}");
            }
            let after = session.weights();
            for (name, expected) in &tensors(&case["weightsAfter"]).tensors {
                assert_near(values(&after.tensors[name]), values(expected), &format!("{name} after steps, {what}"));
            }
        }
    }
}
