//! [`Digesting`]: a reader that counts and hashes what passes.

use std::io;
use std::io::{ErrorKind, Read};

use candlecast_core::hex;
use sha2::{Digest, Sha256};

/// Reads `inner` and keeps count, digest and the error that ended it.
pub(super) struct Digesting<R> {
    inner: R,
    hash: Sha256,
    n_bytes: u64,
    failed: Option<io::Error>,
}

impl<R: Read> Digesting<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, hash: Sha256::new(), n_bytes: 0, failed: None }
    }

    /// Bytes so far.
    pub(super) fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    /// The error that reading ended with, if one did: whoever copied cannot tell it from an error of writing.
    pub(super) fn failure(&mut self) -> Option<io::Error> {
        self.failed.take()
    }

    /// SHA-256 of what passed, hexadecimal.
    pub(super) fn sha256(self) -> String {
        hex(&self.hash.finalize())
    }
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(n) => {
                self.hash.update(&buffer[..n]);
                self.n_bytes += n as u64;
                Ok(n)
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => Err(e),
            Err(e) => {
                let kind = e.kind();
                self.failed = Some(e);
                Err(kind.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the cable"))
        }
    }

    #[test]
    fn what_passes_is_counted_and_hashed() {
        let mut reader = Digesting::new(&b"abc"[..]);
        assert_eq!(io::read_to_string(&mut reader).unwrap(), "abc");
        assert_eq!(reader.n_bytes(), 3);
        // NIST's example for SHA-256.
        assert_eq!(reader.sha256(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_failure_to_read_is_kept() {
        let mut reader = Digesting::new(Broken);
        assert!(io::copy(&mut reader, &mut io::sink()).is_err());
        assert_eq!(reader.failure().unwrap().to_string(), "the cable");
        assert!(reader.failure().is_none());
    }
}
