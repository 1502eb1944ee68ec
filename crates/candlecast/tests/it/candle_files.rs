//! Candle files made for the tests, and where the real ones lie.

use std::io::Write as _;

use candlecast_core::Timestamp;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};

/// 2024-01-01T00:00:00Z, a Monday.
pub(crate) const START_MS: i64 = 1_704_067_200_000;
pub(crate) const HOUR_MS: i64 = 3_600_000;
pub(crate) const HEADER: &str = "open_time,open,high,low,close,volume";

/// Knuth's linear congruential generator: the same candles on every machine.
struct Lcg(u64);

impl Lcg {
    /// Within 0 and 1.
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Lines of `n` candles from [`START_MS`] on: a random walk of about 0.6 % a candle, prices in whole cents.
pub(crate) fn rows(n: usize, interval_ms: i64, seed: u64) -> Vec<String> {
    let mut random = Lcg(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1));
    let cents = |x: f64| (x * 100.0).round() / 100.0;
    let mut open = 30_000.0_f64;
    (0..n as i64)
        .map(|i| {
            let noise: f64 = (0..4).map(|_| random.uniform()).sum::<f64>() - 2.0;
            let close = cents(open * (1.0 + 0.0104 * noise));
            let high = cents(open.max(close) * (1.0 + 0.004 * random.uniform())).max(open).max(close);
            let low = cents(open.min(close) * (1.0 - 0.004 * random.uniform())).min(open).min(close);
            let volume = cents(50.0 + 100.0 * random.uniform());
            let row = format!("{},{open},{high},{low},{close},{volume}", START_MS + i * interval_ms);
            open = close;
            row
        })
        .collect()
}

/// A file of `rows` under the usual header.
pub(crate) fn csv<S: AsRef<str>>(rows: &[S]) -> String {
    let mut text = format!("{HEADER}\n");
    for row in rows {
        text.push_str(row.as_ref());
        text.push('\n');
    }
    text
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A zip archive with one deflated member (APPNOTE 6.3: local header, data, central directory, end record).
pub(crate) fn zip(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    let packed = encoder.finish().unwrap();
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    let size = |n: usize| u32::try_from(n).unwrap();
    // From "version needed" to "extra field length" both headers are alike; 0x21 is 1980-01-01.
    let mut alike = halves(&[20, 0, 8, 0, 0x21]);
    alike.extend(words(&[crc.sum(), size(packed.len()), size(bytes.len())]));
    alike.extend(halves(&[u16::try_from(name.len()).unwrap(), 0]));

    let mut file = [&b"PK\x03\x04"[..], alike.as_slice(), name.as_bytes(), packed.as_slice()].concat();
    let directory =
        [&b"PK\x01\x02"[..], halves(&[20]).as_slice(), alike.as_slice(), &[0_u8; 14][..], name.as_bytes()].concat();
    let directory_at = size(file.len());
    file.extend(&directory);
    file.extend(b"PK\x05\x06");
    file.extend(halves(&[0, 0, 1, 1]));
    file.extend(words(&[size(directory.len()), directory_at]));
    file.extend(halves(&[0]));
    file
}

fn halves(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// An instant as the documents write it.
pub(crate) fn instant(ms: i64) -> String {
    Timestamp(ms).to_string()
}
