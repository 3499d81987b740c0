//! JSON for people: what fits on a line stands on one, the rest is indented. Every number and string stays as it was
//! written; a detour over parsed values would not promise that.

/// Columns of a line. What holds nothing that could be split may be longer.
const WIDTH: usize = 100;
const INDENT: usize = 2;

/// The same JSON, laid out, with a newline at its end. It must be JSON without spaces, as serde_json writes it.
pub(super) fn for_people(json: &[u8]) -> Vec<u8> {
    let mut layout = Layout { json, at: 0, out: Vec::with_capacity(json.len() * 3 / 2), line: 0 };
    layout.value(0);
    layout.out.push(b'\n');
    layout.out
}

struct Layout<'a> {
    json: &'a [u8],
    at: usize,
    out: Vec<u8>,
    /// Where the current line of `out` begins.
    line: usize,
}

impl Layout<'_> {
    fn value(&mut self, depth: usize) {
        let end = end_of_value(self.json, self.at);
        let room = WIDTH.saturating_sub(self.out.len() - self.line);
        let is_container = matches!(self.json[self.at], b'[' | b'{');
        if is_container && end - self.at > room {
            self.lines(depth + 1);
        } else {
            self.one_line(end);
        }
    }

    /// An array or object with a line for each of its members.
    fn lines(&mut self, depth: usize) {
        self.take();
        loop {
            self.new_line(depth);
            // A key; in an array, a value that is a string looks the same but is followed by something else.
            let end = end_of_value(self.json, self.at);
            if self.json[self.at] == b'"' && self.json.get(end) == Some(&b':') {
                self.copy(end + 1);
                self.out.push(b' ');
            }
            self.value(depth);
            match self.json.get(self.at) {
                Some(b',') => self.take(),
                _ => break,
            }
        }
        self.new_line(depth - 1);
        self.take();
    }

    /// Everything up to `end`, with a space after each comma and colon.
    fn one_line(&mut self, end: usize) {
        while self.at < end {
            match self.json[self.at] {
                b'"' => self.copy(end_of_string(self.json, self.at)),
                b',' | b':' => {
                    self.take();
                    self.out.push(b' ');
                }
                _ => self.take(),
            }
        }
    }

    fn take(&mut self) {
        self.copy((self.at + 1).min(self.json.len()));
    }

    fn copy(&mut self, end: usize) {
        self.out.extend_from_slice(&self.json[self.at..end]);
        self.at = end;
    }

    fn new_line(&mut self, depth: usize) {
        self.out.push(b'\n');
        self.line = self.out.len();
        self.out.resize(self.out.len() + depth * INDENT, b' ');
    }
}

fn end_of_value(json: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => {
                at = end_of_string(json, at);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' if depth == 0 => return at,
            b']' | b'}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            b',' | b':' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    json.len()
}

fn end_of_string(json: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid_out(json: &str) -> String {
        String::from_utf8(for_people(json.as_bytes())).unwrap()
    }

    #[test]
    fn what_fits_on_a_line_stands_on_one() {
        assert_eq!(laid_out(r#"{"pid":1,"times":[0.1,2]}"#), "{\"pid\": 1, \"times\": [0.1, 2]}\n");
    }

    #[test]
    fn what_does_not_fit_has_a_line_for_each_member() {
        let long = "x".repeat(90);
        let expected = format!("{{\n  \"a\": \"{long}\",\n  \"b\": [1, {{}}],\n  \"c\": []\n}}\n");
        assert_eq!(laid_out(&format!(r#"{{"a":"{long}","b":[1,{{}}],"c":[]}}"#)), expected);
    }

    #[test]
    fn strings_are_not_touched() {
        let json = r#"["a,b:c","\"{[\\","é, :"]"#;
        assert_eq!(laid_out(json), "[\"a,b:c\", \"\\\"{[\\\\\", \"é, :\"]\n");
    }

    #[test]
    fn numbers_stay_as_they_were_written() {
        let json = format!("[{}1e-7,0.1000]", "86.295912448000001,".repeat(10));
        let lines = laid_out(&json);
        assert_eq!(lines.matches("\n  86.295912448000001,").count(), 10);
        assert!(lines.ends_with("\n  1e-7,\n  0.1000\n]\n"), "{lines}");
    }

    #[test]
    fn a_scalar_alone_is_itself() {
        assert_eq!(laid_out("null"), "null\n");
        assert_eq!(laid_out(r#""a b""#), "\"a b\"\n");
    }

    #[test]
    fn the_whole_schema_stays_the_same_json() {
        let schema = psio_api::schema::document();
        let laid_out = for_people(schema.to_string().as_bytes());
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&laid_out).unwrap(), schema);
        assert!(laid_out.split(|&byte| byte == b'\n').filter(|line| line.len() <= WIDTH).count() > 100);
    }
}
