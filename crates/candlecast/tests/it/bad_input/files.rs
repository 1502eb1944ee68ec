//! Files that are no candles, half candles, or made to do harm.

use std::fs;

use serde_json::json;

use crate::candle_files::{HEADER, HOUR_MS, START_MS, csv, gzip, rows, zip};
use crate::program::{N_CANDLES, Program, SERIES, line};

/// The rows of [`Program::with_candles`].
fn good_rows() -> Vec<String> {
    rows(N_CANDLES, HOUR_MS, 1)
}

/// The first 50 good rows with fields replaced, each given with its place.
fn spoiled(fields: &[(usize, &str)]) -> Vec<u8> {
    let spoil = |row: &String| {
        let mut parts: Vec<&str> = row.split(',').collect();
        for &(at, text) in fields {
            parts[at] = text;
        }
        parts.join(",")
    };
    let spoiled: Vec<String> = good_rows()[..50].iter().map(spoil).collect();
    csv(&spoiled).into_bytes()
}

fn import_refused(program: &Program, name: &str, bytes: &[u8], code: &str, words: &[&str]) {
    let file = program.write(name, bytes);
    let exit = if code == "symbol-unknown" { 2 } else { 1 };
    program.refuse(&["import", &file], exit, code, words);
}

#[test]
fn files_without_a_valid_candle_are_refused_by_reason() {
    let program = Program::with_candles();
    let before = program.stored();
    let negative = [(1, "-5"), (2, "-4"), (3, "-6"), (4, "-5")];
    let off_grid: Vec<String> = (0..50).map(|i| format!("{},1,2,1,1,5", START_MS + i * HOUR_MS + 1_234)).collect();
    let off_grid = csv(&off_grid);
    let mixed = csv(&[rows(500, HOUR_MS, 1), rows(500, 300_000, 1)].concat());
    let not_utf8: Vec<u8> = csv(&good_rows()[..50]).bytes().map(|b| if b == b'.' { 0xff } else { b }).collect();
    let utf16: Vec<u8> = csv(&good_rows()).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let long_line = format!("{HEADER}\n{}\n", "1".repeat(2_000_000));
    let cases: [(&[u8], &str, &[&str]); 13] = [
        (b"", "bad-file", &["BTCUSDT-1h.csv", "is empty", "nothing to import"]),
        (HEADER.as_bytes(), "bad-file", &["no rows after its header", "nothing to import"]),
        (
            b"open_time,open,high,low\n1704067200000,1,2,1\n",
            "bad-file",
            &["missing: close, volume", "found: open_time"],
        ),
        (&spoiled(&[(1, "NaN")]), "bad-file", &["none of the 50 rows", "line 2", "open `NaN`"]),
        (&spoiled(&negative), "bad-file", &["none of the 50 rows", "open is -5", "above 0"]),
        (&spoiled(&[(2, "1")]), "bad-file", &["prices contradict each other", "high 1,"]),
        (&spoiled(&[(1, "abc")]), "bad-file", &["line 2", "open `abc`", "decimal number"]),
        (&spoiled(&[(0, "soon")]), "bad-file", &["line 2", "time `soon`"]),
        (off_grid.as_bytes(), "bad-interval", &["1h", "--interval"]),
        (mixed.as_bytes(), "bad-interval", &["1h", "5m", "--interval"]),
        (&not_utf8, "bad-file", &["none of the 50 rows", "not UTF-8"]),
        (&utf16, "bad-file", &["binary content", "csv"]),
        (long_line.as_bytes(), "bad-file", &["line 2", "longer than"]),
    ];
    for (bytes, code, words) in cases {
        import_refused(&program, "bad/BTCUSDT-1h.csv", bytes, code, words);
    }
    import_refused(
        &program,
        "bad/klines.csv",
        csv(&good_rows()).as_bytes(),
        "symbol-unknown",
        &["klines.csv", "--symbol"],
    );
    let late = format!("{}{}\n", csv(&good_rows()), "1".repeat(2_000_000));
    import_refused(&program, "bad/BTCUSDT-1h.csv", late.as_bytes(), "bad-file", &["line 2004", "longer than"]);
    assert_eq!(program.stored(), before);
}

#[test]
fn one_bad_row_is_left_out_and_named() {
    let program = Program::with_candles();
    let before = program.stored();
    let off_grid = format!("{},1,2,1,1,5", START_MS + 1);
    let cases: [(&[u8], &str); 8] = [
        (b"1704067200000,NaN,2,1,1,5", "open `NaN`"),
        (b"1704067200000,1,inf,1,1,5", "high `inf`"),
        (b"1704067200000,1,2,-1,1,5", "low is -1"),
        (b"1704067200000,1,2,1,1,-5", "volume is -5"),
        (b"1704067200000,3,2,1,1,5", "prices contradict each other"),
        (b"1704067200000,1,2,1,abc,5", "close `abc`"),
        (b"1704067200000,1,2,1,\xff\xfe,5", "not UTF-8"),
        (off_grid.as_bytes(), "not on the grid of 1h candles"),
    ];
    let text = csv(&good_rows());
    // After the header and a hundred rows: line 102.
    let at: usize = text.split_inclusive('\n').take(101).map(str::len).sum();
    for (row, reason) in cases {
        let bytes = [&text.as_bytes()[..at], row, b"\n", &text.as_bytes()[at..]].concat();
        let file = program.write("bad/BTCUSDT-1h.csv", bytes);
        let imported = &program.json(&["import", &file])[0];
        assert_eq!(imported["rejected"], 1, "{imported}");
        assert_eq!(imported["changed"], false, "{imported}");
        assert_eq!(imported["rejectedRows"][0]["line"], 102, "{imported}");
        assert!(imported["rejectedRows"][0]["reason"].as_str().unwrap().contains(reason), "{imported}");
        program.refuse(&["import", "--strict", &file], 1, "bad-file", &["line 102", reason, "--strict"]);
    }
    assert_eq!(program.stored(), before);
}

#[test]
fn cut_archives_are_named_and_give_only_what_came_before_the_cut() {
    let text = csv(&good_rows());
    let packed = [
        ("BTCUSDT-1h.csv.gz", "gzip", gzip(text.as_bytes())),
        ("BTCUSDT-1h.zip", "zip", zip("BTCUSDT-1h.csv", text.as_bytes())),
    ];
    for (name, container, bytes) in packed {
        let program = Program::with_candles();
        let whole = program.stored();
        for end in [6, bytes.len() / 2, bytes.len() - 3] {
            import_refused(&program, name, &bytes[..end], "bad-file", &[container, "cut off", "again"]);
        }
        assert_eq!(program.stored(), whole, "{name}");

        let empty = Program::new();
        import_refused(&empty, name, &bytes[..bytes.len() / 2], "bad-file", &["cut off"]);
        empty.json(&line(&[&["data", "export", "--output", "stored.csv"], SERIES]));
        let before_the_cut = fs::read_to_string(empty.folder().join("stored.csv")).unwrap();
        assert!(text.starts_with(&before_the_cut) && before_the_cut.lines().count() > 100, "{name}");
        let file = empty.write(name, &bytes);
        assert_eq!(empty.json(&["import", &file])[0]["rowsKept"], N_CANDLES);
        assert_eq!(empty.stored().1, text, "{name}");
    }
}

/// A changed bit in an archive decodes to rows that look valid; only the checksum at its end tells.
#[test]
fn archives_that_fail_their_checksum_alter_no_stored_candle() {
    let program = Program::with_candles();
    let before = program.stored();
    let text = csv(&good_rows());
    let packed =
        [("BTCUSDT-1h.csv.gz", gzip(text.as_bytes())), ("BTCUSDT-1h.zip", zip("BTCUSDT-1h.csv", text.as_bytes()))];
    for (name, bytes) in packed {
        for eighth in 1..8 {
            let mut altered = bytes.clone();
            altered[bytes.len() * eighth / 8] ^= 4;
            let file = program.write(name, altered);
            let run = program.run(&["--json", "import", &file]);
            assert_eq!(run.code, Some(1), "{run:?}");
            run.problem();
            assert_eq!(program.stored(), before, "{name}, bit changed at {eighth}/8");
        }
    }
}

#[test]
fn decompression_bombs_are_refused() {
    let program = Program::with_candles();
    let before = program.stored();
    // A valid candle over and over: what is read before the ratio shows is stored already.
    let row = format!("{}\n", good_rows()[0]);
    let repeated = format!("{HEADER}\n{}", row.repeat((80 << 20) / row.len()));
    let bomb = &["expands to more than", "decompression bomb", "decompress it yourself"];
    import_refused(&program, "bad/BTCUSDT-1h.csv.gz", &gzip(repeated.as_bytes()), "bad-file", bomb);
    import_refused(&program, "bad/BTCUSDT-1h.zip", &zip("BTCUSDT-1h.csv", repeated.as_bytes()), "bad-file", bomb);
    let zeros = vec![0; 80 << 20];
    let binary = &["binary content", "00 00"];
    import_refused(&program, "bad/BTCUSDT-1h.csv.gz", &gzip(&zeros), "bad-file", binary);
    import_refused(&program, "bad/BTCUSDT-1h.zip", &zip("BTCUSDT-1h.csv", &zeros), "bad-file", binary);
    assert_eq!(program.stored(), before);
}

#[test]
fn missing_files_are_named() {
    let program = Program::new();
    let missing = program.refuse(&["import", "none/BTCUSDT-1h.csv"], 2, "no-such-file", &["none/BTCUSDT-1h.csv"]);
    assert_eq!((&missing["status"], &missing["field"]), (&json!(404), &json!("files")));
    assert_eq!(missing["detail"].as_str().unwrap().matches("none/BTCUSDT-1h.csv").count(), 1, "{missing}");
    program.refuse(&["import", "a.csv", "b.csv"], 2, "no-such-file", &["2 of 2 files failed", "a.csv", "b.csv"]);
    program.refuse(&["import", "none-*.csv"], 2, "no-such-file", &["none-*.csv", "no file matches"]);
}

#[test]
fn several_bad_files_make_one_problem() {
    let program = Program::new();
    let (a, b) = (program.write("a/BTCUSDT-1h.csv", ""), program.write("b/BTCUSDT-1h.csv", ""));
    program.refuse(&["import", &a, &b], 1, "bad-file", &["2 of 2 files failed", "is empty"]);
}
