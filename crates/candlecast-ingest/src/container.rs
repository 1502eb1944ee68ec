//! Decompression in a thread of its own: gzip, zip or plain bytes to a bounded channel of buffers.

use std::io::{self, BufReader, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use flate2::bufread::MultiGzDecoder;
use zip::result::ZipError;

use crate::IngestError;
use crate::input::{Cursor, Input};

/// Bytes a buffer, and buffers under way: what the thread may be ahead of the parser.
const BUFFER_BYTES: usize = 1 << 20;
const BUFFERS: usize = 4;
/// Decompressed bytes below which no ratio is suspicious.
const FREE_BYTES: u64 = 64 << 20;
/// Highest ratio of decompressed to compressed bytes beyond [`FREE_BYTES`].
const MAX_RATIO: u64 = 200;
/// Most decompressed bytes of one file.
const MAX_BYTES: u64 = 16 << 30;

/// How bytes are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    Plain,
    Gzip,
    Zip,
}

impl Container {
    /// Told by magic bytes.
    pub(crate) fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Self::Zip,
            _ => Self::Plain,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Plain => "file",
            Self::Gzip => "gzip",
            Self::Zip => "zip",
        }
    }
}

/// What the thread sends. Every part (zip member; else the only one, unnamed) begins with `Part`; the first
/// buffer of a part is full unless the part ends in it; `End` comes last.
#[derive(Debug)]
pub(crate) enum Message {
    Part(String),
    Data(Vec<u8>),
    End(Result<(), IngestError>),
}

/// Starts the thread. It ends with the content, an error, or when the receiver is dropped.
pub(crate) fn pump(input: &Input, container: Container) -> Result<Receiver<Message>, IngestError> {
    let (sender, receiver) = sync_channel(BUFFERS);
    let mut outlet = Outlet { sender: Some(sender), input: input.clone(), container, sent: 0 };
    thread::Builder::new()
        .name("candlecast-decompress".into())
        .spawn(move || {
            let end = match outlet.run() {
                Ok(()) => Ok(()),
                Err(Stop::Failed(error)) => Err(error),
                Err(Stop::Unheard) => return,
            };
            // Nobody listens any more when the import was dropped meanwhile.
            outlet.send(Message::End(end)).ok();
        })
        .map_err(|source| IngestError::Io { path: "a decompression thread".into(), source })?;
    Ok(receiver)
}

/// Reads all of a compressed file and compares its checksums: the error that [`pump`] would end with.
pub(crate) fn verify(input: &Input, container: Container) -> Result<(), IngestError> {
    if container == Container::Plain {
        return Ok(());
    }
    match (Outlet { sender: None, input: input.uncounted(), container, sent: 0 }).run() {
        Err(Stop::Failed(error)) => Err(error),
        Ok(()) | Err(Stop::Unheard) => Ok(()),
    }
}

enum Stop {
    /// The receiver is gone.
    Unheard,
    Failed(IngestError),
}

impl From<IngestError> for Stop {
    fn from(error: IngestError) -> Self {
        Self::Failed(error)
    }
}

struct Outlet {
    /// `None` when the content is only checked.
    sender: Option<SyncSender<Message>>,
    input: Input,
    container: Container,
    sent: u64,
}

impl Outlet {
    fn run(&mut self) -> Result<(), Stop> {
        let source = BufReader::with_capacity(1 << 18, self.input.cursor());
        match self.container {
            Container::Plain => {
                self.send(Message::Part(String::new()))?;
                self.copy(&mut self.input.cursor())
            }
            Container::Gzip => {
                self.send(Message::Part(String::new()))?;
                self.copy(&mut MultiGzDecoder::new(source))
            }
            Container::Zip => self.zip(source),
        }
    }

    fn zip(&mut self, source: BufReader<Cursor>) -> Result<(), Stop> {
        let mut archive = match zip::ZipArchive::new(source) {
            Ok(archive) => archive,
            Err(error) => return self.salvage(&error),
        };
        for i in 0..archive.len() {
            let mut member = archive.by_index(i).map_err(|e| zip_error(&e))?;
            let name = member.name().map_err(|e| zip_error(&e))?.into_owned();
            if member.is_dir() || name.starts_with("__MACOSX/") {
                continue;
            }
            check_name(&name, member.enclosed_name().is_some())?;
            self.send(Message::Part(name))?;
            self.copy(&mut member)?;
        }
        Ok(())
    }

    /// Reads members from the front of an archive whose directory, at its end, is missing, then reports `cause`.
    fn salvage(&mut self, cause: &ZipError) -> Result<(), Stop> {
        let mut source = BufReader::with_capacity(1 << 18, self.input.cursor());
        // Bit 3 of the flags: sizes follow the data, so only the first member's place is known.
        let streamed = self.input.first(8).is_ok_and(|head| head.get(6).is_some_and(|flags| flags & 8 != 0));
        loop {
            let mut options = zip::ZipReadOptions::new().ignore_crc32(true);
            if streamed {
                options = options.override_compressed_size(self.input.total());
            }
            match zip::read::read_zipfile_from_stream_with_options(&mut source, options) {
                Ok(Some(mut member)) => {
                    let name = member.name().map_err(|e| zip_error(&e))?.into_owned();
                    check_name(&name, member.enclosed_name().is_some())?;
                    self.send(Message::Part(name))?;
                    self.copy(&mut member)?;
                }
                Ok(None) => break,
                Err(ZipError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(_) => return Err(zip_error(cause).into()),
            }
            if streamed {
                break;
            }
        }
        Err(IngestError::truncated("zip").into())
    }

    fn send(&self, message: Message) -> Result<(), Stop> {
        self.sender.as_ref().map_or(Ok(()), |sender| sender.send(message).map_err(|_| Stop::Unheard))
    }

    /// Sends all of `source` in full buffers; what was decoded before an error is sent first.
    fn copy(&mut self, source: &mut dyn Read) -> Result<(), Stop> {
        loop {
            let mut buffer = vec![0; BUFFER_BYTES];
            let (n, end) = read_full(source, &mut buffer);
            buffer.truncate(n);
            self.sent += n as u64;
            if n > 0 {
                self.send(Message::Data(buffer))?;
            }
            match end {
                Some(Ok(())) => return Ok(()),
                Some(Err(error)) => return Err(self.read_error(error).into()),
                None => self.check_size()?,
            }
        }
    }

    fn check_size(&self) -> Result<(), IngestError> {
        let compressed = self.input.consumed();
        let suspicious = self.sent > FREE_BYTES && self.sent / MAX_RATIO > compressed;
        if self.container == Container::Plain || !(suspicious || self.sent > MAX_BYTES) {
            return Ok(());
        }
        Err(IngestError::Bomb { what: self.container.label(), expanded: self.sent, compressed })
    }

    fn read_error(&self, error: io::Error) -> IngestError {
        let what = self.container.label();
        match (self.container, error.kind()) {
            (Container::Plain, _) => IngestError::Io { path: "the file".into(), source: error },
            (_, io::ErrorKind::UnexpectedEof) => IngestError::truncated(what),
            _ => IngestError::damaged(what, error),
        }
    }
}

/// Fills `buffer`; the second value says how the source ended, `None` when it has not yet.
fn read_full(source: &mut dyn Read, buffer: &mut [u8]) -> (usize, Option<io::Result<()>>) {
    let mut n = 0;
    while n < buffer.len() {
        match source.read(&mut buffer[n..]) {
            Ok(0) => return (n, Some(Ok(()))),
            Ok(k) => n += k,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (n, Some(Err(error))),
        }
    }
    (n, None)
}

fn zip_error(error: &ZipError) -> IngestError {
    match error {
        ZipError::Io(e) if e.kind() == io::ErrorKind::UnexpectedEof => IngestError::truncated("zip"),
        _ => IngestError::damaged("zip", error),
    }
}

/// Nothing is extracted to disk, but names made to escape a folder or to hide are no candle files.
fn check_name(name: &str, enclosed: bool) -> Result<(), IngestError> {
    let refused = |reason| {
        let name = name.chars().take(80).flat_map(char::escape_default).collect();
        Err(IngestError::ArchiveName { name, reason })
    };
    let climbs = name.split('/').any(|part| part == "..");
    if !enclosed || climbs || name.starts_with('/') || name.contains(['\\', ':']) || name.chars().any(char::is_control)
    {
        return refused("its name is no plain relative path");
    }
    let extension = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    if !matches!(extension.as_str(), "csv" | "tsv" | "txt" | "json") {
        return refused("only csv, tsv, txt and json members are read: extract the rest yourself");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_are_refused() {
        assert!(check_name("BTCUSDT-1h-2023-01.csv", true).is_ok());
        assert!(check_name("folder/BTCUSDT-1h.json", true).is_ok());
        for name in ["../x.csv", "a/../x.csv", "/etc/x.csv.gz", "c:x.csv", "a\\x.csv", "x\0.csv", "x.exe", "x", "x.zip"]
        {
            assert!(check_name(name, true).is_err(), "{name}");
        }
        assert!(check_name("x.csv", false).is_err());
    }

    #[test]
    fn containers_are_told_by_magic() {
        assert_eq!(Container::of(&[0x1f, 0x8b, 8]), Container::Gzip);
        assert_eq!(Container::of(b"PK\x03\x04"), Container::Zip);
        assert_eq!(Container::of(b"open_time"), Container::Plain);
        assert_eq!(Container::of(b""), Container::Plain);
    }
}
