//! [`OrderBook`]: bids and asks by price.

use std::collections::BTreeMap;

use candlecast_core::Timestamp;

/// Most levels kept of a side; no exchange has nearly as many. Beyond it the farthest from the other side go.
const MAX_LEVELS: usize = 100_000;

/// A price and what is offered at it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// In quote units, above 0.
    pub price: f64,
    /// In base units; 0 in an update removes the level.
    pub quantity: f64,
}

impl Level {
    /// A level, `None` unless the price is positive and finite and the quantity finite and not negative.
    pub fn new(price: f64, quantity: f64) -> Option<Self> {
        let fits = price.is_finite() && price > 0.0 && quantity.is_finite() && quantity >= 0.0;
        fits.then_some(Self { price, quantity })
    }
}

/// An order book. Prices are keyed by their bits, whose order is that of positive numbers: the exchange writes a
/// price always as the same decimal, so that the same level has the same bits.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OrderBook {
    bids: BTreeMap<u64, f64>,
    asks: BTreeMap<u64, f64>,
    update_id: u64,
    time: Option<Timestamp>,
}

impl OrderBook {
    /// A book of these levels as of `update_id`.
    pub fn new(update_id: u64, bids: &[Level], asks: &[Level]) -> Self {
        let mut book = Self { update_id, ..Self::default() };
        book.set(bids, asks, MAX_LEVELS);
        book
    }

    /// Lays changed levels over the book.
    pub fn apply(&mut self, update_id: u64, time: Timestamp, bids: &[Level], asks: &[Level]) {
        self.set(bids, asks, MAX_LEVELS);
        self.update_id = update_id;
        self.time = Some(time);
    }

    /// Changes levels, of which each side keeps the best `most`.
    fn set(&mut self, bids: &[Level], asks: &[Level], most: usize) {
        for level in bids {
            set(&mut self.bids, level);
            if self.bids.len() > most {
                self.bids.pop_first();
            }
        }
        for level in asks {
            set(&mut self.asks, level);
            if self.asks.len() > most {
                self.asks.pop_last();
            }
        }
    }

    /// The exchange's number of the last change.
    pub fn update_id(&self) -> u64 {
        self.update_id
    }

    /// When it last changed; `None` for a snapshot without changes.
    pub fn time(&self) -> Option<Timestamp> {
        self.time
    }

    /// Bids, highest first.
    pub fn bids(&self) -> impl Iterator<Item = Level> + '_ {
        self.bids.iter().rev().map(level)
    }

    /// Asks, lowest first.
    pub fn asks(&self) -> impl Iterator<Item = Level> + '_ {
        self.asks.iter().map(level)
    }

    /// Highest bid.
    pub fn best_bid(&self) -> Option<Level> {
        self.bids.last_key_value().map(level)
    }

    /// Lowest ask.
    pub fn best_ask(&self) -> Option<Level> {
        self.asks.first_key_value().map(level)
    }

    /// Half way between the best prices; `None` while a side is empty.
    pub fn mid(&self) -> Option<f64> {
        Some(f64::midpoint(self.best_bid()?.price, self.best_ask()?.price))
    }

    /// Base quantity of bids and of asks within `share` of the middle price (0.01 is one percent).
    pub fn depth(&self, share: f64) -> Option<(f64, f64)> {
        let mid = self.mid()?;
        let sum = |levels: &mut dyn Iterator<Item = Level>| -> f64 {
            levels.take_while(|l| (l.price - mid).abs() <= share * mid).map(|l| l.quantity).sum()
        };
        Some((sum(&mut self.bids()), sum(&mut self.asks())))
    }

    /// True while no bid reaches an ask.
    pub fn is_uncrossed(&self) -> bool {
        match (self.best_bid(), self.best_ask()) {
            (Some(bid), Some(ask)) => bid.price < ask.price,
            _ => true,
        }
    }
}

fn level((bits, quantity): (&u64, &f64)) -> Level {
    Level { price: f64::from_bits(*bits), quantity: *quantity }
}

fn set(side: &mut BTreeMap<u64, f64>, level: &Level) {
    if level.quantity == 0.0 {
        side.remove(&level.price.to_bits());
    } else {
        side.insert(level.price.to_bits(), level.quantity);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(pairs: &[(f64, f64)]) -> Vec<Level> {
        pairs.iter().map(|&(p, q)| Level::new(p, q).unwrap()).collect()
    }

    #[test]
    fn levels_come_in_order_of_price_and_leave_at_zero() {
        let mut book = OrderBook::new(5, &levels(&[(99.0, 1.0), (100.0, 2.0)]), &levels(&[(101.0, 3.0), (150.0, 9.0)]));
        assert_eq!(book.best_bid(), Level::new(100.0, 2.0));
        assert_eq!(book.mid(), Some(100.5));
        assert_eq!(book.depth(0.01), Some((2.0, 3.0)));
        assert_eq!(book.depth(0.02), Some((3.0, 3.0)));
        book.apply(6, Timestamp(1), &levels(&[(100.0, 0.0), (100.5, 4.0)]), &levels(&[(101.0, 0.0)]));
        assert_eq!(book.bids().map(|l| l.price).collect::<Vec<_>>(), [100.5, 99.0]);
        assert_eq!(book.best_ask(), Level::new(150.0, 9.0));
        assert_eq!((book.update_id(), book.time(), book.is_uncrossed()), (6, Some(Timestamp(1)), true));
        book.apply(7, Timestamp(2), &levels(&[(150.0, 1.0)]), &[]);
        assert!(!book.is_uncrossed());
    }

    #[test]
    fn a_side_keeps_its_best_levels() {
        let mut book = OrderBook::default();
        let bids: Vec<(f64, f64)> = (1..=9).map(|k| (f64::from(k), 1.0)).collect();
        let asks: Vec<(f64, f64)> = (11..=19).rev().map(|k| (f64::from(k), 1.0)).collect();
        book.set(&levels(&bids), &levels(&asks), 3);
        assert_eq!(book.bids().map(|l| l.price).collect::<Vec<_>>(), [9.0, 8.0, 7.0]);
        assert_eq!(book.asks().map(|l| l.price).collect::<Vec<_>>(), [11.0, 12.0, 13.0]);
    }

    #[test]
    fn levels_are_numbers() {
        for (p, q) in [(0.0, 1.0), (-1.0, 1.0), (f64::NAN, 1.0), (1.0, -1.0), (1.0, f64::INFINITY)] {
            assert_eq!(Level::new(p, q), None, "{p} {q}");
        }
    }
}
