//! [`CandleFile`]: generated candles as a CSV file, of any length and always the same.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};

/// What to write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CandleFile {
    /// Open time of the first candle, milliseconds UTC, on the interval's grid.
    pub(crate) start_ms: i64,
    /// Length of a candle, milliseconds.
    pub(crate) interval_ms: i64,
    /// Candles, without gaps.
    pub(crate) n_rows: usize,
    /// Root of the random walk.
    pub(crate) seed: u64,
    /// Added to every volume: the same candles, corrected.
    pub(crate) extra_volume: f64,
}

/// 2020-01-01 00:00 UTC.
pub(crate) const YEAR_2020_MS: i64 = 1_577_836_800_000;

impl CandleFile {
    /// Writes header and rows to `path`.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        self.write_to(BufWriter::new(file)).with_context(|| format!("cannot write {}", path.display()))
    }

    /// A random walk of closes with wicks; prices to the cent, so that rounding keeps low <= open <= high.
    fn write_to(&self, mut out: impl Write) -> std::io::Result<()> {
        writeln!(out, "open_time,open,high,low,close,volume,quote_volume,trades,taker_buy_base")?;
        let mut random = SplitMix64(self.seed);
        let mut open = 30_000.0_f64;
        for row in 0..self.n_rows {
            let open_ms = self.start_ms + row as i64 * self.interval_ms;
            let close = open * (0.002 * (random.uniform() - 0.5)).exp();
            let high = open.max(close) * (1.0 + 0.0005 * random.uniform());
            let low = open.min(close) * (1.0 - 0.0005 * random.uniform());
            let volume = 1.0 + 50.0 * random.uniform() + self.extra_volume;
            let (quote, trades, taker) = (volume * close, (volume * 20.0).ceil(), volume * 0.5);
            writeln!(
                out,
                "{open_ms},{open:.2},{high:.2},{low:.2},{close:.2},{volume:.5},{quote:.5},{trades:.0},{taker:.5}"
            )?;
            open = close;
        }
        out.flush()
    }
}

/// Steele, Lea and Flood's SplitMix64: a stream of its own for every seed, without a dependency.
#[derive(Debug)]
pub(crate) struct SplitMix64(pub(crate) u64);

impl SplitMix64 {
    /// 64 random bits.
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let a = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        b ^ (b >> 31)
    }

    /// Uniform in `[0, 1)`.
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: CandleFile =
        CandleFile { start_ms: YEAR_2020_MS, interval_ms: 60_000, n_rows: 2_000, seed: 3, extra_volume: 0.0 };

    fn text(file: CandleFile) -> String {
        let mut bytes = Vec::new();
        file.write_to(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn rows_are_valid_candles_on_the_grid() {
        let text = text(FILE);
        let rows: Vec<Vec<f64>> =
            text.lines().skip(1).map(|line| line.split(',').map(|f| f.parse().unwrap()).collect()).collect();
        assert_eq!(rows.len(), FILE.n_rows);
        for (i, row) in rows.iter().enumerate() {
            assert_eq!(row[0] as i64, FILE.start_ms + i as i64 * FILE.interval_ms);
            assert!(row[3] > 0.0 && row[3] <= row[1].min(row[4]) && row[2] >= row[1].max(row[4]), "{row:?}");
            assert!(row[5] > 0.0 && row[8] < row[5], "{row:?}");
        }
    }

    #[test]
    fn a_seed_repeats_and_a_correction_changes_volumes_only() {
        assert_eq!(text(FILE), text(FILE));
        assert_ne!(text(FILE), text(CandleFile { seed: 4, ..FILE }));
        let corrected = text(CandleFile { extra_volume: 1.0, ..FILE });
        let prices = |text: &str| text.lines().map(|l| l.split(',').take(5).map(str::to_owned).collect()).collect();
        let (a, b): (Vec<Vec<String>>, Vec<Vec<String>>) = (prices(&text(FILE)), prices(&corrected));
        assert_eq!(a, b);
        assert_ne!(text(FILE), corrected);
    }

    #[test]
    fn the_generator_is_the_published_one() {
        assert_eq!(SplitMix64(0).next_u64(), 0xe220_a839_7b1d_cdaf);
    }
}
