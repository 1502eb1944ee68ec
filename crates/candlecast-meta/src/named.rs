//! Sets of names as they stand in the database, on the wire and on the command line.

/// Declares an enum whose variants are stored by name: `as_str`, `ALL`, `Display`, `FromStr` and serde.
macro_rules! named {
    ($(#[$meta:meta])* $type:ident, $what:literal, $expected:literal { $($(#[$doc:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum $type {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)+
        }

        impl $type {
            /// Every member, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name as stored.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $type {
            type Err = crate::MetaError;

            fn from_str(text: &str) -> Result<Self, crate::MetaError> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|member| member.as_str().eq_ignore_ascii_case(text))
                    .ok_or_else(|| crate::MetaError::invalid($what, text, concat!("use one of ", $expected)))
            }
        }

        impl From<$type> for crate::db::Arg {
            fn from(value: $type) -> Self {
                value.as_str().into()
            }
        }
    };
}

pub(crate) use named;
