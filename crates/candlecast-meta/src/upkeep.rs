//! Space that deleted records took.

use async_trait::async_trait;

use crate::MetaError;

/// Space that deleted records took.
#[async_trait]
pub trait UpkeepStore: Send + Sync {
    /// Gives some of the space that deleted records took back to the system; true while there is more to give. Only
    /// SQLite files that can (see the module of SQLite) do so; PostgreSQL uses it again by itself.
    async fn give_back_space(&self) -> Result<bool, MetaError>;
}
