//! CryptoDataDownload: a URL in the first line, then `unix,date,symbol,open,…`, newest row first.

const MARK: &[u8] = b"cryptodatadownload";

/// The first line names the site.
pub(super) fn sniff(head: &[u8]) -> bool {
    let first = head.split(|&b| b == b'\n').next().unwrap_or_default().to_ascii_lowercase();
    first.windows(MARK.len()).any(|w| w == MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells() {
        assert!(sniff(b"https://www.CryptoDataDownload.com\nunix,date"));
        assert!(!sniff(b"unix,date\ncryptodatadownload"));
        assert!(!sniff(b""));
    }
}
