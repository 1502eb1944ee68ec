//! [`Bits`]: a digest of values to their last bit.

use std::fmt::Write as _;

use candlecast_learn::significance::Test;
use sha2::{Digest, Sha256};

/// SHA-256 of values in the order in which they are given. Numbers enter as little-endian bytes, floats by their bits;
/// lists and texts are preceded by their length and optional values by whether they are there, so that no two courses
/// of calls run together.
#[derive(Default)]
pub(crate) struct Bits(Sha256);

impl Bits {
    pub(crate) fn count(&mut self, n: usize) -> &mut Self {
        self.0.update((n as u64).to_le_bytes());
        self
    }

    pub(crate) fn counts(&mut self, values: &[usize]) -> &mut Self {
        self.count(values.len());
        for &value in values {
            self.count(value);
        }
        self
    }

    pub(crate) fn flag(&mut self, value: bool) -> &mut Self {
        self.0.update([u8::from(value)]);
        self
    }

    pub(crate) fn float(&mut self, value: f64) -> &mut Self {
        self.0.update(value.to_le_bytes());
        self
    }

    pub(crate) fn floats(&mut self, values: &[f64]) -> &mut Self {
        self.count(values.len());
        for &value in values {
            self.float(value);
        }
        self
    }

    pub(crate) fn singles(&mut self, values: &[f32]) -> &mut Self {
        self.count(values.len());
        for value in values {
            self.0.update(value.to_le_bytes());
        }
        self
    }

    pub(crate) fn option(&mut self, value: Option<f64>) -> &mut Self {
        self.flag(value.is_some());
        if let Some(value) = value {
            self.float(value);
        }
        self
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.count(text.len());
        self.0.update(text.as_bytes());
        self
    }

    pub(crate) fn texts(&mut self, texts: &[String]) -> &mut Self {
        self.count(texts.len());
        for text in texts {
            self.text(text);
        }
        self
    }

    pub(crate) fn test(&mut self, test: Option<Test>) -> &mut Self {
        self.option(test.map(|t| t.statistic)).option(test.map(|t| t.p_value));
        self.option(test.map(|t| t.mean)).option(test.map(|t| t.degrees_of_freedom))
    }

    /// The digest in hexadecimal.
    pub(crate) fn hex(self) -> String {
        let digest = self.0.finalize();
        digest.iter().fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}
