//! [`Memo`]: sums over blocks of rows that the fits of a walk-forward have in common.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

type Cell = Arc<OnceLock<Arc<dyn Any + Send + Sync>>>;

/// Values by panel and block of its rows, each computed once. The windows of successive fits overlap nearly wholly; what
/// is a sum over rows need not be formed anew in each. A value is a function of its key and the data alone, so that it
/// does not matter which fit asks first.
#[derive(Debug, Default)]
pub struct Memo {
    cells: Mutex<BTreeMap<(u32, u32), Cell>>,
}

impl Memo {
    /// The value of block `block` of panel `panel`, made by `make` where nobody has asked for it before. All values of
    /// one memo have one type.
    pub fn get<T: Any + Send + Sync>(&self, panel: u32, block: u32, make: impl Fn() -> T) -> Arc<T> {
        let cell = {
            // Nothing can panic while the lock is held: a poisoned map is whole.
            let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(cells.entry((panel, block)).or_default())
        };
        let value = Arc::clone(cell.get_or_init(|| Arc::new(make())));
        value.downcast::<T>().unwrap_or_else(|_| Arc::new(make()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_value_is_made_once() {
        let (memo, made) = (Memo::default(), AtomicUsize::new(0));
        let value = |panel, block| {
            *memo.get(panel, block, || {
                made.fetch_add(1, Ordering::Relaxed);
                u64::from(panel) * 10 + u64::from(block)
            })
        };
        assert_eq!([value(0, 1), value(0, 1), value(1, 0), value(0, 1)], [1, 1, 10, 1]);
        assert_eq!(made.load(Ordering::Relaxed), 2);
    }
}
