//! [`Lag`] and [`Returns`]: values some candles ago.

/// Remembers values to give each back `len` pushes later.
#[derive(Debug, Clone)]
pub(crate) struct Lag {
    len: usize,
    values: Vec<f64>,
    next: usize,
}

impl Lag {
    /// Delays by `len` pushes; 0 is taken as 1.
    pub(crate) fn new(len: usize) -> Self {
        let len = len.max(1);
        Self { len, values: Vec::with_capacity(len), next: 0 }
    }

    /// Values remembered, as many as it delays by at most.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// Takes a value; the one that came `len` pushes before it, once there is one.
    #[inline]
    pub(crate) fn push(&mut self, value: f64) -> Option<f64> {
        if self.values.len() < self.len {
            self.values.push(value);
            return None;
        }
        let old = std::mem::replace(&mut self.values[self.next], value);
        self.next = if self.next + 1 == self.len { 0 } else { self.next + 1 };
        Some(old)
    }
}

/// Log returns from one close to the next.
#[derive(Debug, Clone, Default)]
pub(crate) struct Returns {
    previous: Option<f64>,
}

impl Returns {
    /// Takes a close; its log return, from the second close on.
    #[inline]
    pub(crate) fn push(&mut self, close: f64) -> Option<f64> {
        self.previous.replace(close).map(|previous| (close / previous).ln())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_after_the_lag() {
        for len in [1, 2, 5] {
            let mut lag = Lag::new(len);
            for i in 0..20_usize {
                assert_eq!(lag.push(i as f64), i.checked_sub(len).map(|j| j as f64));
            }
        }
    }

    #[test]
    fn returns_begin_at_the_second_close() {
        let mut returns = Returns::default();
        assert_eq!(returns.push(2.0), None);
        assert_eq!(returns.push(4.0), Some(2.0_f64.ln()));
    }
}
