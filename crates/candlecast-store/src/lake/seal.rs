//! The seal of a partition file: eight bytes before the footer, the XXH3 of the footer, little-endian.
//!
//! Parquet finds the footer by its length and everything else by positions that the footer names, so readers step
//! over the seal. With it a damaged footer is found before anything in it is believed, and through the checksums in
//! the footer so is any other damaged byte.

use std::fs::File;
use std::path::Path;

use super::format::checksum;
use super::span::read_at;
use crate::StoreError;

const MAGIC: &[u8; 4] = b"PAR1";
/// Length of the footer (4 bytes) and magic.
const TAIL_BYTES: usize = 8;
const SEAL_BYTES: usize = 8;

/// Puts the seal into a finished Parquet file.
pub(super) fn sealed(mut file: Vec<u8>) -> Vec<u8> {
    let tail = file.len() - TAIL_BYTES;
    let start = tail - footer_bytes(&file[tail..]);
    let seal = checksum(&file[start..tail]).to_le_bytes();
    drop(file.splice(start..start, seal));
    file
}

/// Reads the footer of a sealed file of `file_bytes` bytes.
pub(super) fn sealed_footer(file: &File, path: &Path, file_bytes: u64) -> Result<Vec<u8>, StoreError> {
    let read = |buffer: &mut [u8], offset| read_at(file, buffer, offset).map_err(|e| StoreError::io(path, e));
    let cut = || StoreError::corrupt(path, "it is no whole Parquet file");
    let tail_start = file_bytes.checked_sub(TAIL_BYTES as u64).ok_or_else(cut)?;
    let mut tail = [0; TAIL_BYTES];
    read(&mut tail, tail_start)?;
    if tail[4..] != MAGIC[..] {
        return Err(cut());
    }
    let n = SEAL_BYTES + footer_bytes(&tail);
    let start = tail_start.checked_sub(n as u64).ok_or_else(cut)?;
    let mut sealed = vec![0; n];
    read(&mut sealed, start)?;
    let footer = sealed.split_off(SEAL_BYTES);
    if sealed != checksum(&footer).to_le_bytes() {
        return Err(StoreError::corrupt(path, "its footer is damaged, or it was not written by candlecast"));
    }
    Ok(footer)
}

fn footer_bytes(tail: &[u8]) -> usize {
    u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn footer_of(content: &[u8]) -> Result<Vec<u8>, StoreError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, content).unwrap();
        sealed_footer(&File::open(&path).unwrap(), &path, content.len() as u64)
    }

    #[test]
    fn every_damage_to_a_sealed_footer_is_found() {
        let file = sealed(b"PAR1some data and a footer\x08\0\0\0PAR1".to_vec());
        assert_eq!(footer_of(&file).unwrap(), b"a footer");
        let footer_start = file.len() - 8 - 8 - 8;
        assert!(file.starts_with(b"PAR1some data and "));
        for at in footer_start..file.len() {
            let mut bad = file.clone();
            bad[at] ^= 0x40;
            assert!(matches!(footer_of(&bad), Err(StoreError::Corrupt { .. })), "byte {at}");
        }
        for length in 0..file.len() {
            assert!(footer_of(&file[..length]).is_err(), "{length} bytes");
        }
        assert!(footer_of(b"PAR1some data and a footer\x08\0\0\0PAR1").is_err(), "an unsealed file");
    }
}
