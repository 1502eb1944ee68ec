//! Trained models on disk: versions, the active one, promotion and rollback, damage detected on reading.
//!
//! # Layout
//! ```text
//! models/
//!   BTCUSDT_LSTM_1.0.0.json              payload: {"format":1,"program":"…", …the model's own fields}
//!   BTCUSDT_LSTM_1.0.0.meta.json         Meta, sealed; a payload without it is no model
//!   BTCUSDT_LSTM.active.json             what serves, what served before, the highest version ever given
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
//! ```
//!
//! # Guarantees
//! - Every file is written to a temporary name, synced and renamed; the payload first, the meta after it, the
//!   active pointer last. A kill at any point leaves what was there or the new state, never a mixture.
//! - Writers of all processes take turns by a lock of the operating system; readers need no lock.
//! - The meta holds the SHA-256 of the payload; meta and pointer carry a seal, the SHA-256 of their own content.
//!   Whatever does not agree is refused, and the last good version serves.
//! - Names on disk are built from checked parts ([`Slot`], [`Version`]) only.
//!
//! # Long lists
//! [`Registry::names`] reads folders only, [`Registry::listed`] the metas of the rows that are shown. So a page of ten
//! thousand models costs a look at the file names and as many small files as the page has rows.
//!
//! All failures are [`RegistryError`].

mod durable;
mod epoch_ms;
mod error;
mod export;
mod finite;
mod folder;
mod keep;
mod meta;
mod payload;
mod pointer;
mod registry;
mod save;
mod seal;
mod shelf;
mod slot;
mod switch;
mod version;

pub use error::RegistryError;
pub use export::Exported;
pub use meta::{DataRange, FORMAT, FeatureVersion, Meta, NewModel, Status};
pub use registry::{Listed, Loaded, Registry};
pub use save::Activate;
pub use slot::{ModelName, Slot};
pub use version::{Bump, Version};
