//! Text from elsewhere on its way to a log or a terminal: process names, headers and paths may carry
//! escape sequences, line breaks or characters that reorder what is read (CVE-2025-58160 and its like).

use std::borrow::Cow;

use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// `text` with every character that does not show itself written out: `\n`, `\u{1b}`, `\u{202e}`.
///
/// These are the control characters (C0, DEL, C1), line and paragraph separators, and the invisible ones that
/// change how their neighbours are read: bidirectional controls, byte order marks, annotations and tags.
pub fn escape_controls(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(is_deceptive) else {
        return Cow::Borrowed(text);
    };
    let mut escaped = String::with_capacity(text.len() + 16);
    escaped.push_str(&text[..first]);
    for character in text[first..].chars() {
        if is_deceptive(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{061c}' | '\u{200e}' | '\u{200f}'        // marks of direction
            | '\u{2028}' | '\u{2029}'                   // line and paragraph separator
            | '\u{202a}'..='\u{202e}'                   // embeddings and overrides
            | '\u{2066}'..='\u{2069}'                   // isolates
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}'      // byte order mark, annotations
            | '\u{e0000}'..='\u{e007f}') // tags
}

/// Sends log events of `level` and above to standard error, one line each whatever they contain.
///
/// # Errors
/// Another logger has been installed in this process.
pub fn init_logging(level: LevelFilter) -> Result<(), TryInitError> {
    logging(level, std::io::stderr).try_init()
}

/// The subscriber behind [`init_logging`], for another place to write to.
pub fn logging<W>(level: LevelFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // The libraries' own chatter helps nobody who reads this log.
    let targets = Targets::new()
        .with_default(level)
        .with_target("memory_serve", level.min(LevelFilter::WARN))
        .with_target("hyper", level.min(LevelFilter::WARN));
    let lines =
        tracing_subscriber::fmt::layer().event_format(OneLine(Format::default())).with_ansi(false).with_writer(writer);
    tracing_subscriber::registry().with(targets).with(lines)
}

/// Formats an event and then escapes the whole of it, so that no field, message or span can start a line.
struct OneLine(Format<Full>);

impl<S, N> FormatEvent<S, N> for OneLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, cx: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> std::fmt::Result {
        let mut line = String::new();
        self.0.format_event(cx, Writer::new(&mut line), event)?;
        let line = line.strip_suffix('\n').unwrap_or(&line);
        writeln!(to, "{}", escape_controls(line))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn plain_text_is_borrowed() {
        for text in ["", "psiod", "naïve café 日本 🦀", r"C:\temp\new", "it's \"quoted\""] {
            assert!(matches!(escape_controls(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn what_does_not_show_itself_is_written_out() {
        let cases = [
            ("a\nb\r\tc", r"a\nb\r\tc"),
            ("\x1b[31mred\x1b[0m", r"\u{1b}[31mred\u{1b}[0m"),
            ("\0\x07\x08\x7f", r"\u{0}\u{7}\u{8}\u{7f}"),
            ("\u{9b}31m\u{85}", r"\u{9b}31m\u{85}"),
            ("\u{202e}exe.txt\u{2066}\u{2069}", r"\u{202e}exe.txt\u{2066}\u{2069}"),
            ("\u{200e}\u{200f}\u{061c}", r"\u{200e}\u{200f}\u{61c}"),
            ("one\u{2028}two\u{2029}", r"one\u{2028}two\u{2029}"),
            ("\u{feff}\u{fffa}\u{e0041}", r"\u{feff}\u{fffa}\u{e0041}"),
            ("é\n日本", r"é\n日本"),
        ];
        for (text, escaped) in cases {
            assert_eq!(escape_controls(text), escaped);
        }
    }

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: LevelFilter, say: impl FnOnce()) -> String {
        let log = Log::default();
        let writer = log.clone();
        tracing::subscriber::with_default(logging(level, move || writer.clone()), say);
        let bytes = log.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn one_event_is_one_line_whatever_it_carries() {
        let name = "a\n2026-01-01T00:00:00Z ERROR psiod: forged\r\n\x1b]0;title\x07";
        let text = logged(LevelFilter::INFO, || {
            let span = tracing::info_span!("request", path = "/\nspan");
            let _entered = span.enter();
            tracing::info!(name, other = ?name, shown = %name, "message {name}");
        });
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert!(text.ends_with('\n') && text.contains("forged"), "{text}");
        assert!(!text.trim_end().chars().any(char::is_control), "{text:?}");
    }

    #[test]
    fn events_below_the_level_are_left_out() {
        let text = logged(LevelFilter::WARN, || {
            tracing::info!("not this");
            tracing::warn!("but this");
        });
        assert!(text.contains("but this") && !text.contains("not this"), "{text}");
        assert_eq!(logged(LevelFilter::OFF, || tracing::error!("nor this")), "");
    }
}
