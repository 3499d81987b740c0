//! What was measured, against what it should be, as Markdown.

use std::fmt::Write;

/// A bound that a figure must keep.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// Not more than this.
    AtMost(f64),
    /// Not less than this.
    AtLeast(f64),
}

impl Target {
    /// Whether a value keeps it; what is no number does not.
    pub fn is_met_by(self, value: f64) -> bool {
        match self {
            Target::AtMost(bound) => value <= bound,
            Target::AtLeast(bound) => value >= bound,
        }
    }
}

struct Figure {
    what: String,
    scale: u32,
    value: f64,
    unit: &'static str,
    target: Option<Target>,
}

/// The figures and the absolute values behind them, in the order in which they were added.
pub struct Report {
    title: &'static str,
    /// What the number beside each figure counts.
    scale: &'static str,
    figures: Vec<Figure>,
    behind: Vec<[String; 3]>,
}

impl Report {
    /// Nothing yet; each figure will stand beside a number of what `scale` says.
    pub fn new(title: &'static str, scale: &'static str) -> Self {
        Self { title, scale, figures: Vec::new(), behind: Vec::new() }
    }

    /// A figure that is held against a target, or one to know (`None`).
    pub fn figure(
        &mut self,
        what: impl Into<String>,
        scale: u32,
        (value, unit): (f64, &'static str),
        target: impl Into<Option<Target>>,
    ) {
        self.figures.push(Figure { what: what.into(), scale, value, unit, target: target.into() });
    }

    /// An absolute value as measured; it depends on the machine, unlike a ratio.
    pub fn behind(&mut self, what: impl Into<String>, scale: u32, value: impl Into<String>) {
        self.behind.push([what.into(), thousands(scale), value.into()]);
    }

    /// All of it, saying where and by which command it was measured.
    pub fn to_markdown(&self, machine: &str, command: &str) -> String {
        let mut text = format!(
            "# {}\n\n`{command}`: {machine}.\n\n{}\n\n",
            self.title,
            "Competitors take turns round by round in one run; a ratio is the median of the rounds' ratios."
        );
        let scale = self.scale;
        writeln!(text, "| figure | {scale} | measured | target | met |\n|---|---|---|---|---|").ok();
        for figure in &self.figures {
            let (target, met) = match figure.target {
                Some(target) => {
                    (show_target(target, figure.unit), if target.is_met_by(figure.value) { "✓" } else { "**✗**" })
                }
                None => (String::new(), ""),
            };
            let measured = show(figure.value, figure.unit);
            let (what, scale) = (&figure.what, thousands(figure.scale));
            writeln!(text, "| {what} | {scale} | {measured} | {target} | {met} |").ok();
        }
        text += &self.verdict();
        text += "\n## Behind the ratios\n\nAbsolute values, which another machine will not repeat.\n\n";
        writeln!(text, "| what | {scale} | measured |\n|---|---|---|").ok();
        for [what, scale, value] in &self.behind {
            writeln!(text, "| {what} | {scale} | {value} |").ok();
        }
        text
    }

    fn verdict(&self) -> String {
        let judged = self.figures.iter().filter_map(|figure| Some((figure.target?, figure.value)));
        let (met, missed): (Vec<_>, Vec<_>) = judged.partition(|(target, value)| target.is_met_by(*value));
        format!("\n{} targets met, {} missed.\n", met.len(), missed.len())
    }
}

fn show(value: f64, unit: &str) -> String {
    let digits = match value.abs() {
        large if large >= 100.0 => 0,
        medium if medium >= 10.0 => 1,
        _ => 2,
    };
    let number =
        if value >= 1e4 && value < u32::MAX.into() { thousands(value as u32) } else { format!("{value:.digits$}") };
    format!("{number} {unit}").trim_end().to_owned()
}

fn show_target(target: Target, unit: &str) -> String {
    let (sign, bound) = match target {
        Target::AtMost(bound) => ("≤", bound),
        Target::AtLeast(bound) => ("≥", bound),
    };
    let number = if bound >= 1e4 { thousands(bound as u32) } else { bound.to_string() };
    format!("{sign} {number} {unit}").trim_end().to_owned()
}

/// 5000 as "5,000".
pub fn thousands(value: u32) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_target_is_marked_and_counted() {
        let mut report = Report::new("Results", "processes");
        report.figure("a", 300, (1.2, "×"), Target::AtMost(1.25));
        report.figure("b", 5000, (7.0, "×"), Target::AtLeast(8.0));
        let text = report.to_markdown("2 cores", "cargo xtask bench");
        assert!(text.contains("| a | 300 | 1.20 × | ≤ 1.25 × | ✓ |"));
        assert!(text.contains("| b | 5,000 | 7.00 × | ≥ 8 × | **✗** |"));
        assert!(text.contains("1 targets met, 1 missed."));
    }

    #[test]
    fn a_value_that_is_no_number_meets_no_target() {
        assert!(!Target::AtMost(1.0).is_met_by(f64::NAN));
        assert!(!Target::AtLeast(1.0).is_met_by(f64::NAN));
    }
}
