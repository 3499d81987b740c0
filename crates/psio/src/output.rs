//! Standard output: the data, and nothing but the data.

use std::borrow::Cow;
use std::fmt;
use std::io::{ErrorKind, IsTerminal, Write};

use anyhow::Context;
use psiod::text::escape_controls;

/// Whoever read what psio prints has gone: `psio watch cpu.getall | head -1`. No failure, just the end.
#[derive(Debug)]
pub struct ReaderGone;

impl fmt::Display for ReaderGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads the output any more")
    }
}

impl std::error::Error for ReaderGone {}

/// Whether a person looks at it.
pub fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// How wide the terminal is; `None` where there is none.
pub fn width() -> Option<usize> {
    size().map(|(columns, _)| columns)
}

/// Columns and rows of the terminal; `None` where there is none.
pub fn size() -> Option<(usize, usize)> {
    if !is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
    // A serial line does not know its size.
    Some(size.map_or((80, 24), |size| (size.ws_col.into(), size.ws_row.into())))
}

/// Writes all of it, at once.
pub fn write(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(ReaderGone.into()),
        written => written.context("cannot write the output"),
    }
}

/// Writes lines.
pub fn write_lines(lines: &[String]) -> anyhow::Result<()> {
    let text: String = lines.iter().flat_map(|line| [line.trim_end(), "\n"]).collect();
    write(text.as_bytes())
}

/// Writes a line of JSON as psiod wrote it. JSON may carry some of the characters that a terminal obeys unescaped; there
/// they are escaped, as JSON escapes, which changes nothing of what it says.
pub fn write_json(json: &str) -> anyhow::Result<()> {
    let line = if is_terminal() { escape_in_json(json) } else { json.to_owned() };
    write(format!("{line}\n").as_bytes())
}

fn escape_in_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        // These may stand between values, and nowhere else.
        let is_space = matches!(character, '\n' | '\r' | '\t');
        let shows_itself = matches!(escape_controls(character.encode_utf8(&mut [0; 4])), Cow::Borrowed(_));
        if is_space || shows_itself {
            escaped.push(character);
        } else {
            let mut units = [0; 2];
            escaped.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_json_says_the_same() {
        let json = "{\"name\":\"\u{9b}31m\u{7f}\u{202e}\u{e0041}é日\",\n\t\"n\": 1.50}";
        let escaped = escape_in_json(json);
        assert_eq!(escaped, "{\"name\":\"\\u009b31m\\u007f\\u202e\\udb40\\udc41é日\",\n\t\"n\": 1.50}");
        let values = [json, &escaped].map(|json| serde_json::from_str::<serde_json::Value>(json).unwrap());
        assert_eq!(values[0], values[1]);
    }
}
