//! Trained models on disk: versions, what serves each horizon, promotion and rollback, damage detected on reading.
//!
//! # Layout
//! ```text
//! models/
//!   BTCUSDT_LSTM_1.0.0.json              payload: {"format":2,"program":"…", …the model's own fields}
//!   BTCUSDT_LSTM_1.0.0.meta.json         ModelManifest, sealed; a payload without it is no model
//!   BTCUSDT_LSTM.active.json             what serves and served in each slot, the serving history
//!   BTCUSDT_LSTM_1h_direction_1.0.0.json
//!   binance/4h/BTCUSDT_LSTM_4h_price_1.0.0.json
//!   binanceus/1h/BTCUSDT_LSTM_1.0.0.json
//!   .lock                                 held while something is written
//! ```
//! `TYPE` is the model's kebab-case id in upper case, `-` kept (`RANDOM-FOREST`), so `_` only ever separates the
//! parts of a name and every name has one reading.
//!
//! In Python:
//! ```python
//! meta = json.load(open("BTCUSDT_LSTM_1.0.0.meta.json"))
//! payload = open("BTCUSDT_LSTM_1.0.0.json", "rb").read()
//! assert hashlib.sha256(payload).hexdigest() == meta["sha256"]
//! model = json.loads(payload)
//! serving = json.load(open("BTCUSDT_LSTM.active.json"))["horizons"]["24"]["active"]
//! ```
//!
//! # Families and slots
//! A [`Family`] is series, model type and task: what a file name says. Its versions count through all horizons. A
//! [`Slot`] is a family and a horizon: at most one version is active in it, and saving, promoting and rolling back
//! change one slot only. Which slot a version belongs to stands in its manifest. [`Registry::reaching`] finds the slot
//! that serves a request.
//!
//! # Formats
//! Files are written in format [`FORMAT`]. Those of format 1 are read: their payload as it is
//! ([`Registry::load_with`] hands it over for migration), their manifest without the fields that came later, their
//! pointer, which knew one active version for all horizons, as that of the slot of that version. The first change
//! writes the pointer in today's format.
//!
//! # Guarantees
//! - Every file is written to a temporary name, synced and renamed; the payload first, the meta after it, the
//!   pointer last. A kill at any point leaves what was there or the new state, never a mixture.
//! - Writers of all processes take turns by a lock of the operating system, each waiting at most a minute unless told
//!   otherwise ([`Registry::waiting`], [`Registry::stopped_by`]); readers need no lock.
//! - The meta holds the SHA-256 of the payload; meta and pointer carry a seal, the SHA-256 of their own content.
//!   Whatever does not agree is refused, and the last good version of the slot serves.
//! - Every change of what serves is recorded in the pointer ([`ServingChange`]), in the same write as the change.
//! - Names on disk are built from checked parts ([`Family`], [`Version`]) only.
//!
//! # Long lists
//! [`Registry::names`] reads folders only, [`Registry::listed`] the manifests of the rows that are shown. So a page of
//! ten thousand models costs a look at the file names and as many small files as the page has rows.
//!
//! All failures are [`RegistryError`].

mod durable;
mod epoch_ms;
mod error;
mod export;
mod family;
mod finite;
mod folder;
mod history;
mod load;
mod manifest;
mod payload;
mod pointer;
mod promotion;
mod registry;
mod retention;
mod save;
mod seal;
mod state;
mod version;

pub use error::RegistryError;
pub use export::Exported;
pub use family::{Family, ModelName, Slot};
pub use history::{Change, ServingChange, Why};
pub use load::Loaded;
pub use manifest::{DataRange, FORMAT, FeatureVersion, ModelManifest, NewModel, Status, Tries};
pub use registry::{Listed, NameClaims, Registry};
pub use save::Activate;
pub use version::{Bump, Version};
