//! What the load run found: figures to read, and figures that must hold or the run fails.

use crate::report::{Report, Target};
use crate::setup::Setup;

/// The report, and what broke.
pub struct Findings {
    /// All figures, in the order in which they came.
    pub report: Report,
    is_quick: bool,
    broken: Vec<String>,
}

impl Findings {
    /// Nothing yet.
    pub fn new(setup: &Setup) -> Self {
        Self { report: Report::new("Load", "connections"), is_quick: setup.quick, broken: Vec::new() }
    }

    /// A figure of correctness: held against its target also in a short run, which fails when it is missed.
    pub fn must(&mut self, what: impl Into<String>, connections: u32, value: f64, target: Target) {
        let what = what.into();
        if !target.is_met_by(value) {
            self.broken.push(format!("{what}: {value}, expected {target:?}"));
        }
        self.report.figure(what, connections, (value, ""), target);
    }

    /// A figure of speed or size: held against its target in a full run only, and never a failure.
    pub fn figure(
        &mut self,
        what: impl Into<String>,
        connections: u32,
        value: (f64, &'static str),
        target: impl Into<Option<Target>>,
    ) {
        let target = target.into().filter(|_| !self.is_quick);
        self.report.figure(what, connections, value, target);
    }

    /// An absolute value as measured.
    pub fn behind(&mut self, what: impl Into<String>, connections: u32, value: impl Into<String>) {
        self.report.behind(what, connections, value);
    }

    /// What must hold and did not.
    pub fn broken(&self) -> &[String] {
        &self.broken
    }
}
