//! [`Setting`]: what is known of a setting, and how an entry of the table is written.

use crate::kind::Kind;

/// A setting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Setting {
    /// Key in `candlecast.toml`, sections before a dot. It is the setting's name, too.
    pub(crate) key: &'static str,
    /// Environment variables; within a layer the first that is set counts.
    pub(crate) environment: &'static [&'static str],
    /// Option of the command line.
    pub(crate) flag: Option<&'static str>,
    /// Values it takes.
    pub(crate) kind: Kind,
    /// Without any word on it.
    pub(crate) fallback: Fallback,
    /// One line on what it does.
    pub(crate) summary: &'static str,
    /// True where the value must not be shown.
    pub(crate) secret: bool,
    /// The part of the platform that will use it, where there is none yet.
    pub(crate) waits_for: Option<&'static str>,
    /// Parameters of models that it gives a default.
    pub(crate) feeds: &'static [Feed],
}

/// What holds when nobody sets a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fallback {
    /// A value as it would be written.
    Value(&'static str),
    /// No value; in words, what is done then.
    Words(&'static str),
}

/// A parameter of a model that a setting gives a default.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Feed {
    /// Id of the model.
    pub(crate) model: &'static str,
    /// Name of the parameter.
    pub(crate) param: &'static str,
    /// Parameters that decide it, too: a request that sets one of them is left alone.
    pub(crate) yields_to: &'static [&'static str],
}

impl Setting {
    pub(crate) const fn new(
        key: &'static str,
        environment: &'static [&'static str],
        kind: Kind,
        fallback: Fallback,
        summary: &'static str,
    ) -> Self {
        Self { key, environment, flag: None, kind, fallback, summary, secret: false, waits_for: None, feeds: &[] }
    }

    pub(crate) const fn waits_for(self, part: &'static str) -> Self {
        Self { waits_for: Some(part), ..self }
    }

    pub(crate) const fn feeds(self, feeds: &'static [Feed]) -> Self {
        Self { feeds, ..self }
    }

    pub(crate) const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    pub(crate) const fn flag(self, name: &'static str) -> Self {
        Self { flag: Some(name), ..self }
    }
}
