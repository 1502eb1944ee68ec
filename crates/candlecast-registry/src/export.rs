//! Copying a model out of the registry.

use std::path::{Path, PathBuf};

use crate::durable;
use crate::family::Family;
use crate::manifest::ModelManifest;
use crate::{Registry, RegistryError, Version, seal};

/// A model that was copied out.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// Its manifest.
    pub manifest: ModelManifest,
    /// Where the copy of the payload lies.
    pub payload_path: PathBuf,
    /// Where the copy of the meta lies.
    pub meta_path: PathBuf,
}

impl Registry {
    /// Copies payload and meta of one version into `folder`, which is made if it is missing. Both are compared with
    /// their digests before, and the copies are read back and compared again. The files have the names that they have
    /// here, made of the checked parts of the model's name; what lies there under such a name is not replaced.
    pub fn export(&self, family: &Family, version: Version, folder: &Path) -> Result<Exported, RegistryError> {
        let (manifest, payload) = self.payload(family, version)?;
        let sealed = seal::seal(&manifest)?;
        let name = family.at(version);
        let (payload_path, meta_path) = (folder.join(name.payload_file()), folder.join(name.meta_file()));
        if let Some(path) = [&payload_path, &meta_path].into_iter().find(|path| path.symlink_metadata().is_ok()) {
            return Err(RegistryError::Taken { path: path.clone() });
        }
        durable::create_folder(folder)?;
        copy(folder, &name.payload_file(), &payload)?;
        // A payload without its meta would be a model that nothing vouches for.
        copy(folder, &name.meta_file(), &sealed).inspect_err(|_| drop(durable::remove(&payload_path)))?;
        Ok(Exported { manifest, payload_path, meta_path })
    }
}

/// Writes `bytes` to `folder/file` and reads them back.
fn copy(folder: &Path, file: &str, bytes: &[u8]) -> Result<(), RegistryError> {
    durable::write(folder, file, bytes)?;
    let path = folder.join(file);
    let read = durable::read(&path, bytes.len() as u64).ok();
    if read.is_some_and(|read| seal::sha256_hex(&read) == seal::sha256_hex(bytes)) {
        Ok(())
    } else {
        drop(durable::remove(&path));
        Err(RegistryError::corrupt(&path, "the copy does not read back as it was written"))
    }
}
