//! Rust source without comments and literals, line by line, with the test code told apart. A scanner, not a
//! parser: it knows the tokens that could hide or fake a word, and brackets.

/// A line of source.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CodeLine {
    /// The line with comments and literals blanked.
    pub(super) text: String,
    /// The line with comments blanked, literals as they are.
    pub(super) with_literals: String,
    /// True within an item under `#[cfg(test)]`.
    pub(super) in_test: bool,
}

/// The lines of `source`.
pub(super) fn lines(source: &str) -> Vec<CodeLine> {
    let (code, with_literals) = blanked(source);
    let spans = test_spans(&code);
    let mut start = 0;
    code.split('\n')
        .zip(with_literals.split('\n'))
        .map(|(text, with_literals)| {
            let at = start;
            start += text.len() + 1;
            let in_test = spans.iter().any(|span| span.0 < at + text.len() && at <= span.1);
            CodeLine { text: text.to_owned(), with_literals: with_literals.to_owned(), in_test }
        })
        .collect()
}

/// True if `word` stands in `text` with no letter, digit or underscore on either side.
pub(super) fn contains_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// True for what names are made of.
pub(super) fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Blanks comments and literals, and comments alone; the line breaks stay in both.
fn blanked(source: &str) -> (String, String) {
    let chars: Vec<char> = source.chars().collect();
    let (mut code, mut with_literals) = (String::with_capacity(source.len()), String::with_capacity(source.len()));
    let mut at = 0;
    while at < chars.len() {
        let end = hidden_end(&chars, at).min(chars.len());
        if end > at {
            let blank: String = chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }).collect();
            code.push_str(&blank);
            if chars[at] == '/' {
                with_literals.push_str(&blank);
            } else {
                with_literals.extend(&chars[at..end]);
            }
            at = end;
        } else {
            code.push(chars[at]);
            with_literals.push(chars[at]);
            at += 1;
        }
    }
    (code, with_literals)
}

/// Where the comment or literal that begins at `at` ends; `at` itself if none begins there.
fn hidden_end(chars: &[char], at: usize) -> usize {
    match &chars[at..] {
        ['/', '/', ..] => find(chars, at, '\n'),
        ['/', '*', ..] => block_comment_end(chars, at),
        ['"', ..] => string_end(chars, at + 1),
        ['\'', '\\', ..] => find(chars, at + 3, '\'') + 1,
        ['\'', _, '\'', ..] => at + 3,
        ['r', '"' | '#', ..] if starts_token(chars, at) => raw_string_end(chars, at),
        _ => at,
    }
}

fn find(chars: &[char], from: usize, wanted: char) -> usize {
    (from..chars.len()).find(|&i| chars[i] == wanted).unwrap_or(chars.len())
}

fn block_comment_end(chars: &[char], at: usize) -> usize {
    let (mut depth, mut i) = (0, at);
    while i < chars.len() {
        match &chars[i..] {
            ['/', '*', ..] => (depth, i) = (depth + 1, i + 2),
            ['*', '/', ..] => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    i
}

fn string_end(chars: &[char], from: usize) -> usize {
    let mut i = from;
    while i < chars.len() {
        match chars[i] {
            '\\' => i += 2,
            '"' => return i + 1,
            _ => i += 1,
        }
    }
    i
}

/// An `r` in the middle of a name starts no raw string; the `b` or `c` of `br"…"` does not count as a name.
fn starts_token(chars: &[char], at: usize) -> bool {
    match at {
        0 => true,
        1 => !is_part(chars[0]) || matches!(chars[0], 'b' | 'c'),
        _ => !is_part(chars[at - 1]) || (matches!(chars[at - 1], 'b' | 'c') && !is_part(chars[at - 2])),
    }
}

/// `at` for a raw identifier (`r#type`).
fn raw_string_end(chars: &[char], at: usize) -> usize {
    let n_hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
    let open = at + 1 + n_hashes;
    if chars.get(open) != Some(&'"') {
        return at;
    }
    let closes = |i: usize| chars[i] == '"' && chars[i + 1..].iter().take_while(|&&c| c == '#').count() >= n_hashes;
    (open + 1..chars.len()).find(|&i| closes(i)).map_or(chars.len(), |i| i + 1 + n_hashes)
}

/// First and last byte of every item under `#[cfg(test)]` or `#[cfg(all(test, …))]`; all of a file under
/// `#![cfg(test)]`.
fn test_spans(code: &str) -> Vec<(usize, usize)> {
    if code.contains("#![cfg(test)]") {
        return vec![(0, code.len())];
    }
    ["#[cfg(test)]", "#[cfg(all(test"]
        .into_iter()
        .flat_map(|attribute| code.match_indices(attribute))
        .map(|(at, attribute)| (at, item_end(code, at, at + attribute.len())))
        .collect()
}

/// The byte that ends the item whose attribute spans `start..from`: its closing brace, or a semicolon outside brackets.
fn item_end(code: &str, start: usize, from: usize) -> usize {
    let open_brackets = |text: &str| {
        let count = |c: char| text.matches(c).count() as i64;
        count('(') + count('[') - count(')') - count(']')
    };
    let (mut brackets, mut braces) = (open_brackets(&code[start..from]), 0_i64);
    for (offset, byte) in code.as_bytes()[from..].iter().enumerate() {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets -= 1,
            b'{' => braces += 1,
            b'}' => braces -= 1,
            _ => {}
        }
        let closed = *byte == b'}' && braces <= 0;
        let ended = *byte == b';' && braces == 0 && brackets <= 0;
        if closed || ended {
            return from + offset;
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(source: &str) -> String {
        lines(source).into_iter().map(|line| line.text).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn comments_and_literals_are_blanked() {
        let code = text("let a = \"x.unwrap()\"; // todo!()\n/* outer /* unsafe */ unsafe */ let b = 'u';");
        assert!(!code.contains("unwrap") && !code.contains("todo") && !code.contains("unsafe"), "{code}");
        assert!(code.contains("let a =") && code.contains("let b ="), "{code}");
    }

    #[test]
    fn escapes_raw_strings_and_lifetimes_do_not_confuse() {
        let code = text("f(\"\\\"\", '\\'', '\"', br#\"z\"z\"#, r\"\\\"); fn g<'a>(x: &'a str, r#type: u8) { here() }");
        assert!(code.contains("fn g<'a>(x: &'a str, r#type: u8) { here() }"), "{code}");
        assert!(!code.contains('z') && !code.contains('"'), "{code}");
    }

    #[test]
    fn literals_may_be_kept_without_the_comments() {
        let source = "a(\"é //\", 'b'); // \"c\"\n/* \"d\" */ e(r#\"f\ng\"#)";
        let kept: Vec<String> = lines(source).into_iter().map(|line| line.with_literals).collect();
        assert_eq!(kept.len(), 3);
        assert_eq!(kept[0].trim_end(), "a(\"é //\", 'b');");
        assert_eq!((kept[1].trim_start(), kept[2].as_str()), ("e(r#\"f", "g\"#)"));
    }

    #[test]
    fn test_items_end_at_their_brace_or_semicolon() {
        let source =
            "fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() { [0; 3]; }\n}\nfn c() {}\n#[cfg(test)]\nuse x;\nfn d() {}";
        let flags: Vec<bool> = lines(source).iter().map(|line| line.in_test).collect();
        assert_eq!(flags, [false, true, true, true, true, false, true, true, false]);
    }

    #[test]
    fn compound_conditions_and_whole_files_count() {
        let source = "#[cfg(all(test, unix))]\nfn a(x: [u8; 3]) {\n b();\n}\nfn c() {}";
        let flags: Vec<bool> = lines(source).iter().map(|line| line.in_test).collect();
        assert_eq!(flags, [true, true, true, true, false]);
        assert!(lines("#![cfg(test)]\nfn a() {}").iter().all(|line| line.in_test));
    }

    #[test]
    fn words_have_borders() {
        assert!(contains_word("use tokio::x", "tokio") && contains_word("unsafe {", "unsafe"));
        assert!(!contains_word("unsafe_code", "unsafe") && !contains_word("tokios", "tokio"));
    }
}
