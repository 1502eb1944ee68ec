//! [`Cuts`]: a stream of buffers cut at a delimiter, line by line or element by element.

use std::sync::mpsc::Receiver;

use crate::IngestError;
use crate::container::Message;

/// Longest line (JSON: element) in bytes.
pub const MAX_LINE_BYTES: usize = 64 * 1024;
const BOM: &[u8] = &[0xef, 0xbb, 0xbf];

/// Bytes up to a delimiter.
#[derive(Debug)]
pub(crate) struct Cut<'a> {
    /// Without the delimiter.
    pub(crate) bytes: &'a [u8],
    /// False when the part ended before a delimiter came.
    pub(crate) delimited: bool,
}

/// Cuts of the current part; [`Cuts::next_part`] goes on to the next.
#[derive(Debug)]
pub(crate) struct Cuts {
    messages: Receiver<Message>,
    piece: Vec<u8>,
    at: usize,
    /// Begin of a cut whose end lies in a later buffer.
    carry: Vec<u8>,
    next_name: Option<String>,
    ended: bool,
    count: u64,
}

impl Cuts {
    pub(crate) fn new(messages: Receiver<Message>) -> Self {
        Self { messages, piece: Vec::new(), at: 0, carry: Vec::new(), next_name: None, ended: false, count: 0 }
    }

    /// Skips what is left of this part; the name of the next, `None` at the end.
    pub(crate) fn next_part(&mut self) -> Result<Option<String>, IngestError> {
        while self.receive()? {}
        self.piece.clear();
        self.at = 0;
        self.count = 0;
        let name = self.next_name.take();
        if name.is_some() && self.receive()? && self.piece.starts_with(BOM) {
            self.at = BOM.len();
        }
        Ok(name)
    }

    /// The first bytes of the part, at most [`MAX_LINE_BYTES`], when nothing was cut yet.
    pub(crate) fn head(&self) -> Vec<u8> {
        self.piece[self.at..].iter().take(MAX_LINE_BYTES).copied().collect()
    }

    /// Number of cuts made in this part: of the last one, from 1.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The next cut, `None` at the end of the part. An unfinished cut before a stream error is dropped: half a
    /// row is no row.
    #[inline]
    pub(crate) fn next(&mut self, delimiter: u8) -> Result<Option<Cut<'_>>, IngestError> {
        if let Some(n) = memchr::memchr(delimiter, &self.piece[self.at..]) {
            let start = self.at;
            self.at = start + n + 1;
            self.count += 1;
            self.check_length(n)?;
            return Ok(Some(Cut { bytes: &self.piece[start..start + n], delimited: true }));
        }
        self.next_across(delimiter)
    }

    fn next_across(&mut self, delimiter: u8) -> Result<Option<Cut<'_>>, IngestError> {
        self.carry.clear();
        self.count += 1;
        let delimited = loop {
            let rest = &self.piece[self.at..];
            let found = memchr::memchr(delimiter, rest);
            let n = found.unwrap_or(rest.len());
            self.check_length(self.carry.len() + n)?;
            self.carry.extend_from_slice(&self.piece[self.at..self.at + n]);
            self.at += n + usize::from(found.is_some());
            if found.is_some() {
                break true;
            }
            if !self.receive()? {
                break false;
            }
        };
        if !delimited && self.carry.is_empty() {
            return Ok(None);
        }
        Ok(Some(Cut { bytes: &self.carry, delimited }))
    }

    fn check_length(&self, n: usize) -> Result<(), IngestError> {
        if n > MAX_LINE_BYTES {
            return Err(IngestError::LineTooLong { line: self.count, limit: MAX_LINE_BYTES });
        }
        Ok(())
    }

    /// Takes the next buffer of this part; false at its end.
    fn receive(&mut self) -> Result<bool, IngestError> {
        self.piece.clear();
        self.at = 0;
        if self.ended || self.next_name.is_some() {
            return Ok(false);
        }
        match self.messages.recv() {
            Ok(Message::Data(piece)) => {
                self.piece = piece;
                Ok(true)
            }
            Ok(Message::Part(name)) => {
                self.next_name = Some(name);
                Ok(false)
            }
            Ok(Message::End(end)) => {
                self.ended = true;
                end.map(|()| false)
            }
            Err(_) => {
                self.ended = true;
                Err(IngestError::damaged("compressed file", "its decoder failed"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    fn cuts(messages: Vec<Message>) -> Cuts {
        let (sender, receiver) = sync_channel(messages.len());
        for message in messages {
            sender.send(message).unwrap();
        }
        Cuts::new(receiver)
    }

    fn data(text: &str) -> Message {
        Message::Data(text.as_bytes().to_vec())
    }

    fn lines(cuts: &mut Cuts) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(cut) = cuts.next(b'\n').unwrap() {
            lines.push(String::from_utf8(cut.bytes.to_vec()).unwrap());
        }
        lines
    }

    #[test]
    fn lines_cross_buffers_and_parts_do_not_run_together() {
        let part = |name: &str| Message::Part(name.into());
        let mut cuts = cuts(vec![
            part("a"),
            data("\u{feff}one\ntw"),
            data("o\n\nthr"),
            data("ee"),
            part("b"),
            data("four\n"),
            Message::End(Ok(())),
        ]);
        assert_eq!(cuts.next_part().unwrap().as_deref(), Some("a"));
        assert_eq!(cuts.head(), b"one\ntw");
        assert_eq!(lines(&mut cuts), ["one", "two", "", "three"]);
        assert_eq!(cuts.next_part().unwrap().as_deref(), Some("b"));
        assert_eq!(lines(&mut cuts), ["four"]);
        assert_eq!(cuts.next_part().unwrap(), None);
    }

    #[test]
    fn a_lost_decoder_and_long_lines_are_errors() {
        let mut lost = cuts(vec![Message::Part(String::new()), data("x\ny")]);
        lost.next_part().unwrap();
        assert!(lost.next(b'\n').unwrap().is_some());
        assert!(matches!(lost.next(b'\n'), Err(IngestError::Damaged { .. })));
        let full = data(&"x".repeat(MAX_LINE_BYTES));
        let mut long = cuts(vec![Message::Part(String::new()), full, data("y"), Message::End(Ok(()))]);
        long.next_part().unwrap();
        assert!(matches!(long.next(b'\n'), Err(IngestError::LineTooLong { line: 1, .. })));
    }
}
