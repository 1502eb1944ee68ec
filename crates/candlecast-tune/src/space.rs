//! [`Space`]: the parameters that a search varies, and which of them exist when; [`Point`], one configuration of it.

mod defaults;
mod grid;
mod read;

use candlecast_core::Stream;
use candlecast_core::catalog::{RecipeError, Violation, nearest};
use serde_json::{Map, Value, json};

use crate::domain::Domain;

pub use read::Vocabulary;

/// What errors in a space are said to be of.
pub(crate) const PART: &str = "parameterSpace";

/// A parameter of a space.
#[derive(Debug, Clone, PartialEq)]
pub struct Dimension {
    name: String,
    domain: Domain,
    when: Vec<(String, Vec<Value>)>,
}

/// The parameters that a search varies, those that others depend on first; valid by construction.
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    dimensions: Vec<Dimension>,
    conditions: Vec<Vec<Condition>>,
}

/// A dimension exists only where an earlier one has one of these codes.
#[derive(Debug, Clone, PartialEq)]
struct Condition {
    parent: usize,
    among: Vec<f64>,
}

/// One configuration of a space: a code for each dimension, `None` for those that do not exist in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Point(pub(crate) Vec<Option<f64>>);

impl Dimension {
    /// The parameter `name`, which always exists.
    pub fn new(name: impl Into<String>, domain: Domain) -> Self {
        Self { name: name.into(), domain, when: Vec::new() }
    }

    /// The same, existing only where the parameter `other` exists and has one of `values`. Of several conditions all
    /// have to hold.
    #[must_use]
    pub fn when(mut self, other: impl Into<String>, values: Vec<Value>) -> Self {
        self.when.push((other.into(), values));
        self
    }

    /// Its name in camelCase, as in a configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The values that it may take.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }
}

impl Space {
    /// A space of these parameters. Refuses names that stand there twice, and conditions on what is not there, cannot
    /// have such a value, has no countable values, or depends on itself.
    pub fn new(dimensions: Vec<Dimension>) -> Result<Self, RecipeError> {
        if dimensions.is_empty() {
            return Err(RecipeError::one(PART, PART, "names no parameter: there is nothing to search"));
        }
        let violations: Vec<Violation> = dimensions
            .iter()
            .enumerate()
            .filter_map(|(i, dimension)| {
                let message = if dimensions[..i].iter().any(|d| d.name == dimension.name) {
                    Some("stands there twice".into())
                } else {
                    dimension.when.iter().find_map(|(other, values)| wrong_condition(&dimensions, other, values))
                };
                message.map(|message| Violation { param: dimension.name.clone(), message })
            })
            .collect();
        if !violations.is_empty() {
            return Err(RecipeError { part: PART.into(), violations });
        }
        let dimensions = in_order(dimensions)?;
        let conditions = dimensions.iter().map(|dimension| resolve(&dimensions, dimension)).collect();
        Ok(Self { dimensions, conditions })
    }

    /// Its parameters, those that others depend on first.
    pub fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    /// The configuration of `point`, in the order of the dimensions.
    pub fn params(&self, point: &Point) -> Map<String, Value> {
        let named = self.dimensions.iter().zip(&point.0);
        named.filter_map(|(d, code)| code.map(|code| (d.name.clone(), d.domain.value(code)))).collect()
    }

    /// The point of a configuration, which has a value for each parameter that exists in it and for no other.
    pub fn point(&self, params: &Map<String, Value>) -> Result<Point, RecipeError> {
        let mut point = Point(Vec::with_capacity(self.dimensions.len()));
        let mut violations: Vec<Violation> = Vec::new();
        for (at, dimension) in self.dimensions.iter().enumerate() {
            let given = params.get(&dimension.name);
            let code = given.and_then(|value| dimension.domain.code(value));
            let is_active = self.is_active(at, &point);
            let message = match (is_active, given, code) {
                (true, None, _) => Some("has no value".into()),
                (true, Some(value), None) => Some(format!("{value} is not in the space")),
                (false, Some(_), _) => Some("does not exist beside the other values".into()),
                _ => None,
            };
            if let Some(message) = message {
                violations.push(Violation { param: dimension.name.clone(), message });
            }
            point.0.push(code.filter(|_| is_active));
        }
        let unknown = params.keys().filter(|name| self.dimensions.iter().all(|d| d.name != **name));
        violations.extend(unknown.map(|name| Violation { param: name.clone(), message: "is not in the space".into() }));
        if violations.is_empty() { Ok(point) } else { Err(RecipeError { part: PART.into(), violations }) }
    }

    /// As a request gives it; [`Space::read`] with the same vocabulary makes an equal space of it.
    pub fn to_json(&self) -> Value {
        let of = |dimension: &Dimension| {
            let domain = dimension.domain.to_json();
            if dimension.when.is_empty() {
                return domain;
            }
            let mut fields = match domain {
                Value::Object(range) => range,
                list => Map::from_iter([("values".to_owned(), list)]),
            };
            let when: Map<String, Value> = dimension.when.iter().map(|(n, v)| (n.clone(), json!(v))).collect();
            fields.insert("when".into(), Value::Object(when));
            Value::Object(fields)
        };
        Value::Object(self.dimensions.iter().map(|d| (d.name.clone(), of(d))).collect())
    }

    /// A point drawn at random, each value of a parameter that exists as likely as any other.
    pub(crate) fn draw(&self, rng: &mut Stream) -> Point {
        let mut point = Point(Vec::with_capacity(self.dimensions.len()));
        for (at, dimension) in self.dimensions.iter().enumerate() {
            let code = self.is_active(at, &point).then(|| dimension.domain.draw(rng));
            point.0.push(code);
        }
        point
    }

    /// True where dimension `at` exists, by the codes of the dimensions before it.
    pub(crate) fn is_active(&self, at: usize, point: &Point) -> bool {
        let holds = |c: &Condition| point.0[c.parent].is_some_and(|code| c.among.contains(&code));
        self.conditions[at].iter().all(holds)
    }

    /// Dimensions that exist together in every point, in an order in which those of a group depend on groups before it
    /// alone. Without `joint` each dimension is a group.
    pub(crate) fn groups(&self, joint: bool) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for at in 0..self.dimensions.len() {
            let together = groups.iter_mut().find(|group| joint && self.conditions[group[0]] == self.conditions[at]);
            match together {
                Some(group) => group.push(at),
                None => groups.push(vec![at]),
            }
        }
        groups
    }

    /// True for a dimension that others depend on.
    fn is_parent(&self, at: usize) -> bool {
        self.conditions.iter().flatten().any(|c| c.parent == at)
    }
}

fn wrong_condition(dimensions: &[Dimension], other: &str, values: &[Value]) -> Option<String> {
    let Some(parent) = dimensions.iter().find(|d| d.name == other) else {
        let names: Vec<&str> = dimensions.iter().map(Dimension::name).collect();
        let hint = nearest(other, &names).map_or_else(String::new, |near| format!(", did you mean `{near}`?"));
        return Some(format!("depends on `{other}`, which is not in the space{hint}"));
    };
    if parent.domain.n_values().is_none() {
        return Some(format!("depends on `{other}`, which has no countable values: give that a list or a step"));
    }
    let strange = values.iter().find(|value| parent.domain.code(value).is_none());
    match strange {
        Some(value) => Some(format!("exists when `{other}` is {value}, which it never is")),
        None if values.is_empty() => Some(format!("names no value of `{other}` with which it exists")),
        None => None,
    }
}

/// The same dimensions, each behind those that it depends on, else in the order given.
fn in_order(dimensions: Vec<Dimension>) -> Result<Vec<Dimension>, RecipeError> {
    let mut left = dimensions;
    let mut ordered: Vec<Dimension> = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let is_ready = |d: &Dimension| d.when.iter().all(|(other, _)| ordered.iter().any(|o| o.name == *other));
        match left.iter().position(is_ready) {
            Some(at) => ordered.push(left.remove(at)),
            None => return Err(RecipeError::one(PART, &left[0].name, "depends on itself, by way of the others")),
        }
    }
    Ok(ordered)
}

/// The conditions of `dimension` by place and code; `ordered` has all that it depends on.
fn resolve(ordered: &[Dimension], dimension: &Dimension) -> Vec<Condition> {
    let of = |(other, values): &(String, Vec<Value>)| {
        let parent = ordered.iter().position(|d| d.name == *other)?;
        let among = values.iter().filter_map(|value| ordered[parent].domain.code(value)).collect();
        Some(Condition { parent, among })
    };
    dimension.when.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use candlecast_core::Seed;

    use super::*;

    fn words(name: &str, values: &[&str]) -> Dimension {
        Dimension::new(name, Domain::list(values.iter().map(|v| json!(v)).collect()).unwrap())
    }

    /// Kernel `rbf` has a width, `poly` a degree and, from degree 2 on, a term.
    fn conditional() -> Space {
        let int = |low, high| Domain::int(low, high, 1, false).unwrap();
        Space::new(vec![
            Dimension::new("term", int(1, 5)).when("degree", vec![json!(2), json!(3)]),
            Dimension::new("degree", int(1, 3)).when("kernel", vec![json!("poly")]),
            Dimension::new("width", Domain::float(0.1, 10.0, None, true).unwrap()).when("kernel", vec![json!("rbf")]),
            Dimension::new("cost", int(1, 9)),
            words("kernel", &["linear", "rbf", "poly"]),
        ])
        .unwrap()
    }

    #[test]
    fn dimensions_stand_behind_those_they_depend_on() {
        let space = conditional();
        let names: Vec<&str> = space.dimensions().iter().map(Dimension::name).collect();
        assert_eq!(names, ["cost", "kernel", "degree", "term", "width"]);
        assert_eq!(space.groups(true), [vec![0, 1], vec![2], vec![3], vec![4]]);
        assert_eq!(space.groups(false).len(), 5);
    }

    #[test]
    fn a_point_is_its_parameters() {
        let space = conditional();
        let mut rng = Seed(3).stream();
        for _ in 0..200 {
            let point = space.draw(&mut rng);
            let params = space.params(&point);
            assert_eq!(space.point(&params).unwrap(), point);
            assert_eq!(params.contains_key("term"), params.get("degree").is_some_and(|d| d != &json!(1)));
        }
        let params = json!({ "cost": 10, "kernel": "linear", "degree": 1, "depth": 2 });
        let error = space.point(params.as_object().unwrap()).unwrap_err();
        let named: Vec<&str> = error.violations.iter().map(|v| v.param.as_str()).collect();
        assert_eq!(named, ["cost", "degree", "depth"]);
        let missing = space.point(json!({ "cost": 1, "kernel": "rbf" }).as_object().unwrap()).unwrap_err();
        assert_eq!(missing.to_string(), "parameterSpace: width: has no value");
    }

    #[test]
    fn conditions_that_cannot_hold_are_refused() {
        let refused = |dimensions: Vec<Dimension>| Space::new(dimensions).unwrap_err().to_string();
        let a = || words("alpha", &["x", "y"]);
        assert!(refused(vec![a(), words("b", &["x"]).when("alpa", vec![json!("x")])]).contains("mean `alpha`"));
        assert!(refused(vec![a(), words("b", &["x"]).when("alpha", vec![json!("z")])]).contains("which it never is"));
        assert!(refused(vec![a(), words("b", &["x"]).when("alpha", vec![])]).contains("names no value"));
        assert!(refused(vec![a(), a()]).contains("alpha: stands there twice"));
        let line = Dimension::new("line", Domain::float(0.0, 1.0, None, false).unwrap());
        assert!(refused(vec![line, words("b", &["x"]).when("line", vec![json!(0.5)])]).contains("countable"));
        let ring = vec![words("a", &["x"]).when("b", vec![json!("x")]), words("b", &["x"]).when("a", vec![json!("x")])];
        assert!(refused(ring).contains("depends on itself"));
        assert!(refused(vec![]).contains("nothing to search"));
    }
}
