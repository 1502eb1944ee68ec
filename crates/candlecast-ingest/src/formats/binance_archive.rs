//! Files of data.binance.vision: 12 columns; spot without header and, from 2025-01, in microseconds; futures
//! with a header and in milliseconds.

use super::delimited::Top;
use crate::layout::plain;

const COLUMNS: usize = 12;

/// Twelve columns without names, or with those of the archive.
pub(super) fn sniff(head: &[u8]) -> bool {
    let Some(top) = Top::of(head) else { return false };
    let archive_names = || plain(&top.first[0]) == "opentime" && plain(&top.first[6]) == "closetime";
    top.first.len() == COLUMNS && top.separator == b',' && (!top.named || archive_names())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_headers_and_none_are_known() {
        assert!(sniff(b"1735516800000,1,2,1,1,5,1735520399999,5,2,2,2,0\n"));
        let header = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,\
            taker_buy_quote_volume,ignore\n";
        assert!(sniff(header.as_bytes()));
        assert!(!sniff(b"open_time,open,high,low,close,volume\n"));
        assert!(!sniff(b"a,b,c,d,e,f,g,h,i,j,k,l\n"));
    }
}
