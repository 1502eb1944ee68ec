//! [`Host`]: the stores, the registry, the clock, the cancellation, the memory and the computation threads that all use
//! cases share.
//!
//! No use case lives here: those are free functions over a `&Host`, in the crates above.

mod blocking;
mod candles;
mod checkpoints;
mod computing;
mod content_hash;
mod deadline;
mod folders;
mod host;
mod id;
mod memory_budget;
mod models_folder;
mod owner;
mod program;
mod reopen;
mod waiting;

pub use blocking::blocking;
pub use candles::{Upserted, compact_candles, stored_candles, upsert_candles};
pub use checkpoints::Checkpoints;
pub use content_hash::content_hash;
pub use deadline::briefly;
pub use folders::{recover_restore, restore_journal};
pub use host::{Clock, Host, HostOptions, RunHooks, SeriesQuery, all_cores, system_time};
pub use id::{job_id, set_id, tag};
pub use memory_budget::{MemoryBudget, ReservedMemory};
pub use models_folder::{models_folder, shares_records};
pub use owner::{Owner, TaskOwner};
pub use program::{LOCAL, PROGRAM};
pub use reopen::{may_have_predictions, replay_reopenings, target_times};
