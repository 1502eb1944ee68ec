//! Functions that searches are measured on: their spaces and their losses, of which lower is better.

use std::f64::consts::PI;

use candlecast_tune::{Dimension, Domain, Space};
use serde_json::{Map, Value, json};

/// A function over a space.
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: &'static str,
    /// Where it is defined.
    pub(crate) space: fn() -> Space,
    /// Its value.
    pub(crate) loss: fn(&Map<String, Value>) -> f64,
}

/// All functions.
pub(crate) const FUNCTIONS: [Function; 4] = [
    Function { name: "branin", space: branin_space, loss: branin },
    Function { name: "hartmann6", space: || cube("x", 6, (0.0, 1.0)), loss: hartmann6 },
    Function { name: "rastrigin5", space: || cube("x", 5, (-5.12, 5.12)), loss: rastrigin5 },
    Function { name: "conditional", space: conditional_space, loss: conditional },
];

fn float(name: impl Into<String>, low: f64, high: f64, log: bool) -> Dimension {
    Dimension::new(name, Domain::float(low, high, None, log).expect("a range"))
}

fn list(name: &str, values: &Value) -> Dimension {
    let values = values.as_array().cloned().unwrap_or_default();
    Dimension::new(name, Domain::list(values).expect("a list of values that differ"))
}

fn space(dimensions: Vec<Dimension>) -> Space {
    Space::new(dimensions).expect("a valid space")
}

fn cube(name: &str, n: usize, (low, high): (f64, f64)) -> Space {
    space((0..n).map(|i| float(format!("{name}{i}"), low, high, false)).collect())
}

fn number(params: &Map<String, Value>, name: &str) -> f64 {
    params.get(name).and_then(Value::as_f64).expect("a parameter that exists")
}

fn branin_space() -> Space {
    space(vec![float("x", -5.0, 10.0, false), float("y", 0.0, 15.0, false)])
}

/// Branin's function (Dixon and Szego 1978); least 0.397887.
fn branin(params: &Map<String, Value>) -> f64 {
    let (x, y) = (number(params, "x"), number(params, "y"));
    let bend = y - 5.1 / (4.0 * PI * PI) * x * x + 5.0 / PI * x - 6.0;
    bend * bend + 10.0 * (1.0 - 1.0 / (8.0 * PI)) * x.cos() + 10.0
}

/// Hartmann's function of six variables (Dixon and Szego 1978); least -3.32237.
fn hartmann6(params: &Map<String, Value>) -> f64 {
    const A: [[f64; 6]; 4] = [
        [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
        [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
        [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
        [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
    ];
    const C: [f64; 4] = [1.0, 1.2, 3.0, 3.2];
    const P: [[f64; 6]; 4] = [
        [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
        [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
        [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
        [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
    ];
    let x: Vec<f64> = (0..6).map(|i| number(params, &format!("x{i}"))).collect();
    let distance = |row: usize| -> f64 { (0..6).map(|i| A[row][i] * (x[i] - P[row][i]).powi(2)).sum() };
    -(0..4).map(|row| C[row] * (-distance(row)).exp()).sum::<f64>()
}

/// Rastrigin's function of five variables; least 0, among many local minima.
fn rastrigin5(params: &Map<String, Value>) -> f64 {
    let of = |v: f64| v * v - 10.0 * (2.0 * PI * v).cos();
    50.0 + (0..5).map(|i| of(number(params, &format!("x{i}")))).sum::<f64>()
}

fn conditional_space() -> Space {
    let two_layers = json!([[32, 16], [50, 30]]);
    let of = |kind: &str| vec![json!(kind)];
    space(vec![
        list("kind", &json!(["ridge", "tree", "net"])),
        float("alpha", 1e-4, 1e2, true).when("kind", of("ridge")),
        Dimension::new("depth", Domain::int(1, 12, 1, false).expect("a range")).when("kind", of("tree")),
        float("eta", 1e-3, 0.3, true).when("kind", of("tree")),
        list("layers", &json!([[16], [32], [32, 16], [50, 30]])).when("kind", of("net")),
        float("rate", 1e-5, 1e-1, true).when("kind", of("net")),
        float("dropout", 0.0, 0.5, false).when("layers", two_layers.as_array().cloned().unwrap_or_default()),
    ])
}

/// Three kinds of models with parameters of their own; least 0.18.
fn conditional(params: &Map<String, Value>) -> f64 {
    let of = |name: &str| number(params, name);
    match params.get("kind").and_then(Value::as_str) {
        Some("ridge") => 0.30 + 0.05 * (of("alpha").log10() - 0.5).powi(2),
        Some("tree") => 0.22 + 0.01 * (of("depth") - 6.0).powi(2) + 0.05 * (of("eta").log10() + 1.3).powi(2),
        _ => {
            let sizes: Vec<i64> =
                params["layers"].as_array().map_or(vec![], |sizes| sizes.iter().filter_map(Value::as_i64).collect());
            let more = match sizes[..] {
                [16] => 0.10,
                [32] => 0.05,
                [32, 16] => 0.02,
                _ => 0.0,
            };
            let dropout = params.get("dropout").and_then(Value::as_f64);
            let loss = 0.18 + more + 0.06 * (of("rate").log10() + 3.0).powi(2);
            loss + dropout.map_or(0.0, |dropout| 0.4 * (dropout - 0.2).powi(2))
        }
    }
}
