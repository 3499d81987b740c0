//! The two text formats that a Prometheus reads: OpenMetrics 1.0, and the older one (0.0.4).
//!
//! Our own, as it is half a page; the crate prometheus-client writes OpenMetrics only, and wants its metrics registered
//! and kept, where ours are made from a view each time.

use std::fmt::{Display, Write};

use crate::data::process::Process;

/// How the metrics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus text format 0.0.4.
    Prometheus,
}

/// What a family of metrics is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows; its samples are called `NAME_total`.
    Counter,
    /// May grow and shrink.
    Gauge,
    /// Facts as labels of the number 1; its sample is called `NAME_info`.
    Info,
}

/// One number with its labels.
#[derive(Debug)]
pub(super) struct Sample {
    labels: String,
    value: f64,
}

impl Sample {
    /// A number without labels.
    pub fn of(value: f64) -> Self {
        Self { labels: String::new(), value }
    }

    /// The same with one more label.
    pub fn with(mut self, name: &str, value: impl Display) -> Self {
        let separator = if self.labels.is_empty() { "" } else { "," };
        push(&mut self.labels, format_args!("{separator}{name}=\""));
        for c in value.to_string().chars() {
            match c {
                '\\' => self.labels.push_str(r"\\"),
                '"' => self.labels.push_str(r#"\""#),
                '\n' => self.labels.push_str(r"\n"),
                // The formats cannot write it, and readers take it for the end of the text.
                '\0' => self.labels.push('\u{fffd}'),
                other => self.labels.push(other),
            }
        }
        self.labels.push('"');
        self
    }

    /// The same with the labels of a process.
    pub fn with_process(self, process: &Process) -> Self {
        let labelled = self.with("pid", process.pid).with("name", &process.identity.name);
        match &process.identity.username {
            Some(username) => labelled.with("username", username),
            None => labelled,
        }
    }
}

/// A text that grows family by family.
#[derive(Debug)]
pub(super) struct Exposition {
    text: String,
    syntax: Syntax,
}

impl Exposition {
    /// An empty text.
    pub fn new(syntax: Syntax) -> Self {
        Self { text: String::new(), syntax }
    }

    /// Adds a family. `name` goes without `_total` or `_info`; a family without samples is left out.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str, samples: impl IntoIterator<Item = Sample>) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        let sample_name = match kind {
            Kind::Counter => format!("{name}_total"),
            Kind::Gauge => name.to_owned(),
            Kind::Info => format!("{name}_info"),
        };
        // OpenMetrics describes the family, the older format what it sees: the samples.
        let (described, kind) = match (self.syntax, kind) {
            (Syntax::OpenMetrics, Kind::Counter) => (name, "counter"),
            (Syntax::OpenMetrics, Kind::Info) => (name, "info"),
            (Syntax::Prometheus, Kind::Counter) => (sample_name.as_str(), "counter"),
            (_, Kind::Gauge | Kind::Info) => (sample_name.as_str(), "gauge"),
        };
        push(&mut self.text, format_args!("# HELP {described} {help}\n# TYPE {described} {kind}\n"));
        let unit = ["seconds", "bytes", "ratio"].into_iter().find(|unit| name.ends_with(unit));
        if let (Syntax::OpenMetrics, Some(unit)) = (self.syntax, unit) {
            push(&mut self.text, format_args!("# UNIT {described} {unit}\n"));
        }
        for Sample { labels, value } in samples {
            let braces = if labels.is_empty() { ["", ""] } else { ["{", "}"] };
            let [open, close] = braces;
            push(&mut self.text, format_args!("{sample_name}{open}{labels}{close} {value}\n"));
        }
    }

    /// Adds a gauge without labels, if it is known.
    pub fn gauge(&mut self, name: &str, help: &str, value: Option<f64>) {
        self.family(name, Kind::Gauge, help, value.map(Sample::of));
    }

    /// Adds a counter without labels, if it is known.
    pub fn counter(&mut self, name: &str, help: &str, value: Option<f64>) {
        self.family(name, Kind::Counter, help, value.map(Sample::of));
    }

    /// The text.
    pub fn finish(mut self) -> String {
        if self.syntax == Syntax::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("invariant: a string takes any text");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(syntax: Syntax, kind: Kind) -> String {
        let mut out = Exposition::new(syntax);
        out.family("psio_x_seconds", kind, "What it is.", [Sample::of(1.5).with("cpu", 0)]);
        out.finish()
    }

    #[test]
    fn openmetrics_describes_the_family_of_a_counter_with_its_unit() {
        assert_eq!(
            written(Syntax::OpenMetrics, Kind::Counter),
            "# HELP psio_x_seconds What it is.\n# TYPE psio_x_seconds counter\n# UNIT psio_x_seconds seconds\n\
             psio_x_seconds_total{cpu=\"0\"} 1.5\n# EOF\n"
        );
    }

    #[test]
    fn the_older_format_describes_the_samples_of_a_counter() {
        assert_eq!(
            written(Syntax::Prometheus, Kind::Counter),
            "# HELP psio_x_seconds_total What it is.\n# TYPE psio_x_seconds_total counter\n\
             psio_x_seconds_total{cpu=\"0\"} 1.5\n"
        );
    }

    #[test]
    fn a_family_without_samples_is_left_out() {
        let mut out = Exposition::new(Syntax::Prometheus);
        out.gauge("psio_x", "What it is.", None);
        assert_eq!(out.finish(), "");
    }

    #[test]
    fn labels_hold_any_text() {
        let sample = Sample::of(1.0).with("name", "a\"b\\c\nd\0é\u{1f980}");
        assert_eq!(sample.labels, "name=\"a\\\"b\\\\c\\nd\u{fffd}é\u{1f980}\"");
    }

    #[test]
    fn large_numbers_are_written_in_full() {
        let mut out = Exposition::new(Syntax::Prometheus);
        out.gauge("psio_x", "What it is.", Some((1_u64 << 52) as f64));
        assert!(out.finish().ends_with("psio_x 4503599627370496\n"));
    }
}
