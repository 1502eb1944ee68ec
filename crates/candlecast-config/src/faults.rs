//! [`Faults`]: what is wrong with a configuration, collected so that all of it is told at once.

use candlecast_core::Problem;

/// Messages, each with the field at fault.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<(String, String)>);

impl Faults {
    /// Adds a message on `field`; it names the place, the value and the remedy.
    pub(crate) fn add(&mut self, field: &str, message: impl Into<String>) {
        self.0.push((field.into(), message.into()));
    }

    /// One problem for all of them: the field of the first, a line for each.
    pub(crate) fn into_result(self) -> Result<(), Problem> {
        let Some((field, first)) = self.0.first() else { return Ok(()) };
        let detail = match self.0.len() {
            1 => first.clone(),
            n => {
                let lines: Vec<&str> = self.0.iter().map(|(_, message)| message.as_str()).collect();
                format!("{n} things in the configuration are wrong:\n  {}", lines.join("\n  "))
            }
        };
        Err(Problem::usage("bad-config", field, detail))
    }
}
