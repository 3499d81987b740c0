//! Plays Autobahn's WebSocket test suite against an echo on psiod's transport and writes `docs/AUTOBAHN.md`.
//!
//! The suite runs under Python 2.7 alone. Its environment under `target/` is made by the last virtualenv that could still
//! make such a one, which itself runs under any Python 3.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::shell::{self, cargo, root, say, target};

/// What the suite brings: number and name of a section, and how many cases it has.
const SECTIONS: [(u32, &str, usize); 11] = [
    (1, "Framing", 16),
    (2, "Pings and pongs", 11),
    (3, "Reserved bits", 7),
    (4, "Opcodes", 10),
    (5, "Fragmentation", 20),
    (6, "UTF-8 handling", 145),
    (7, "Close handling", 37),
    (9, "Limits and performance", 54),
    (10, "Automatic fragmentation", 1),
    (12, "Compression, different payloads", 90),
    (13, "Compression, different parameters", 126),
];

/// Cases, or with a last `*` families of them, that need not be OK, how they come out, and why that is right.
const EXPLAINED: [(&str, Verdict, &str); 2] = [
    (
        "7.1.6",
        Verdict::Informational,
        "256 KiB of text, then a close, then a ping: RFC 6455 leaves open whether the text is still answered. \
         psiod answers everything that came before the close, and nothing after it.",
    ),
    (
        "7.13.*",
        Verdict::Informational,
        "A close with code 5000 or 65535, which RFC 6455 does not define. psiod answers 1002 (protocol error).",
    ),
];

/// The suite's name for the server.
const AGENT: &str = "psiod";

/// Longer than the suite takes on a slow machine; it waits for ever for a case that hangs.
const DEADLINE: Duration = Duration::from_secs(2 * 60 * 60);

/// Arguments of `cargo xtask autobahn`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Plays only these cases, as in `1.*,7.1.6`, and writes no page
    #[arg(long, value_delimiter = ',', value_name = "CASE")]
    cases: Vec<String>,
}

/// Plays the cases, writes the page when it was all of them, and fails unless each is OK or explained.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let python = suite()?;
    shell::run(&mut cargo(&["build", "--release", "--locked", "-p", "psiod", "--example", "autobahn_echo"]))?;
    let folder = target().join("autobahn-report");
    if folder.exists() {
        // Nothing of an earlier run may be taken for this one's.
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let is_whole = arguments.cases.is_empty();
    let wanted = if is_whole { vec!["*".to_owned()] } else { arguments.cases.clone() };
    play(&python, &wanted, &folder)?;
    let cases = read(&folder)?;
    let table = table(&cases);
    say(&format!("\n{table}"));
    if is_whole {
        fs::create_dir_all(root().join("docs"))?;
        fs::write(root().join("docs/AUTOBAHN.md"), page(&cases, &table))?;
    }
    judge(&cases, is_whole).with_context(|| format!("the suite's own report: {}", folder.join("index.html").display()))
}

/// A way a case can come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Ok,
    NonStrict,
    Informational,
    Unimplemented,
    Failed,
}

impl Verdict {
    const ALL: [Self; 5] = [Self::Ok, Self::NonStrict, Self::Informational, Self::Unimplemented, Self::Failed];

    /// Of what the suite says about the messages and about the end of the connection.
    fn new(behavior: &str, close: &str) -> Self {
        match (behavior, close) {
            ("OK", "OK") => Self::Ok,
            ("NON-STRICT", "OK") => Self::NonStrict,
            ("INFORMATIONAL", "OK" | "INFORMATIONAL") | ("OK", "INFORMATIONAL") => Self::Informational,
            ("UNIMPLEMENTED", "OK") => Self::Unimplemented,
            // The rest are FAILED, and a close that was FAILED, UNCLEAN, with a WRONG CODE or FAILED BY CLIENT.
            _ => Self::Failed,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::NonStrict => "non-strict",
            Self::Informational => "informational",
            Self::Unimplemented => "unimplemented",
            Self::Failed => "failed",
        }
    }
}

/// A case that was played.
#[derive(Debug)]
struct Case {
    verdict: Verdict,
    /// What the suite says about it, where it is not OK.
    told: String,
}

/// Every case that was played, by its number: 7.1.6 is `[7, 1, 6]`.
type Cases = BTreeMap<Vec<u32>, Case>;

/// The Python 2.7 that has the suite, in a virtual environment made when it is missing.
fn suite() -> anyhow::Result<PathBuf> {
    let folder = target().join("autobahn-suite");
    let python = folder.join("bin/python");
    let requirements = root().join("xtask/autobahn/requirements.txt");
    let (wanted, stamp) = (fs::read_to_string(&requirements)?, folder.join("requirements.txt"));
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    let python27 = python27()?;
    let maker = shell::python("autobahn-virtualenv", "xtask/autobahn/virtualenv.txt")?;
    let quietly = ["-m", "virtualenv", "--quiet", "--clear", "--no-periodic-update", "-p"];
    shell::run(Command::new(maker).args(quietly).arg(python27).arg(&folder))?;
    shell::run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(&requirements))?;
    fs::write(stamp, wanted)?;
    Ok(python)
}

/// A Python 2.7: the one on the PATH, else one that pyenv has, whether selected there or not.
fn python27() -> anyhow::Result<String> {
    let says_where = ["-c", "import sys; assert sys.version_info[:2] == (2, 7); print(sys.executable)"];
    let home = std::env::var_os("HOME").unwrap_or_default();
    let pyenv = [PathBuf::from("pyenv"), Path::new(&home).join(".pyenv/bin/pyenv")];
    let mut asked = vec![output(Command::new("python2.7").args(says_where))];
    asked.extend(pyenv.iter().map(|pyenv| output(Command::new(pyenv).args(["whence", "--path", "python2.7"]))));
    if let Some(found) = asked.iter().flatten().find_map(|said| said.lines().next()) {
        return Ok(found.to_owned());
    }
    let install = if shell::has("pyenv") {
        "pyenv install 2.7.18"
    } else {
        "git clone --depth 1 https://github.com/pyenv/pyenv ~/.pyenv && ~/.pyenv/bin/pyenv install 2.7.18"
    };
    bail!("Python 2.7, which the test suite needs, is missing; install it with: {install}")
}

/// What a program says, unless it is missing or fails.
fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A program that ends with us.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Either fails only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Has the suite play cases against the echo and report into a folder.
fn play(python: &Path, cases: &[String], folder: &Path) -> anyhow::Result<()> {
    let echo = target().join("release/examples/autobahn_echo");
    let echo = Command::new(echo).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut echo = Running(echo.context("cannot start the echo server")?);
    let mut port = String::new();
    BufReader::new(echo.0.stdout.take().context("invariant: its output is piped")?).read_line(&mut port)?;
    let port: u16 = port.trim().parse().with_context(|| format!("the echo server said {port:?}, not its port"))?;

    let spec = json!({
        "outdir": folder,
        "servers": [{ "agent": AGENT, "url": format!("ws://127.0.0.1:{port}") }],
        "cases": cases,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    });
    let path = folder.join("spec.json");
    fs::write(&path, spec.to_string())?;
    let mut suite = Command::new(python);
    suite.arg(python.with_file_name("wstest")).args(["--mode", "fuzzingclient", "--spec"]).arg(path);
    let mut suite = Running(suite.env("PYTHONUNBUFFERED", "1").spawn().context("cannot start the test suite")?);
    let started = Instant::now();
    loop {
        if let Some(status) = suite.0.try_wait()? {
            return if status.success() { Ok(()) } else { bail!("the test suite failed: {status}") };
        }
        if let Some(status) = echo.0.try_wait()? {
            bail!("the echo server ended during the test: {status}");
        }
        if started.elapsed() > DEADLINE {
            bail!("the test suite has not ended after {} minutes", DEADLINE.as_secs() / 60);
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// What the suite reported.
fn read(folder: &Path) -> anyhow::Result<Cases> {
    let json = |name: &str| -> anyhow::Result<Value> {
        let text = fs::read(folder.join(name)).with_context(|| format!("the test suite wrote no {name}"))?;
        serde_json::from_slice(&text).with_context(|| format!("the test suite's {name} is not JSON"))
    };
    let index = json("index.json")?;
    let cases = index[AGENT].as_object().context("the test suite played no case")?;
    let read = cases.iter().map(|(id, case)| {
        let number = id.split('.').map(str::parse).collect::<Result<_, _>>();
        let number = number.with_context(|| format!("the test suite names a case {id}"))?;
        let (behavior, close) = (text(&case["behavior"]), text(&case["behaviorClose"]));
        let verdict = Verdict::new(&behavior, &close);
        let mut told = String::new();
        if verdict != Verdict::Ok {
            let detail = json(&text(&case["reportfile"]))?;
            let [does, result, end] = ["description", "result", "resultClose"].map(|part| text(&detail[part]));
            told = format!("{does} → {behavior}: {result} Close {close}: {end}.");
        }
        Ok((number, Case { verdict, told }))
    });
    read.collect()
}

/// A string of the report in one line, without its HTML.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or("?").replace("<br>", " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn id(number: &[u32]) -> String {
    number.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

fn explanation(number: &[u32], verdict: Verdict) -> Option<&'static str> {
    let id = id(number);
    let covers = |pattern: &str| pattern.strip_suffix('*').map_or(id == pattern, |family| id.starts_with(family));
    EXPLAINED.iter().find(|(cases, how, _)| *how == verdict && covers(cases)).map(|(_, _, why)| *why)
}

/// Fails unless all that should have been played was, and came out as it must.
fn judge(cases: &Cases, is_whole: bool) -> anyhow::Result<()> {
    let mut faults = Vec::new();
    for (section, name, expected) in SECTIONS.into_iter().filter(|_| is_whole) {
        let played = cases.keys().filter(|number| number[0] == section).count();
        if played != expected {
            faults.push(format!("{section} {name}: {played} of {expected} cases were played"));
        }
    }
    let unexplained = |(number, case): &(&Vec<u32>, &Case)| {
        case.verdict != Verdict::Ok && explanation(number, case.verdict).is_none()
    };
    faults.extend(cases.iter().filter(unexplained).map(|(number, case)| format!("{}: {}", id(number), case.told)));
    if faults.is_empty() { Ok(()) } else { bail!("{} faults:\n{}", faults.len(), faults.join("\n")) }
}

/// How many cases of each section came out how.
fn table(cases: &Cases) -> String {
    let row = |name: &str, belongs: &dyn Fn(u32) -> bool| {
        let verdicts: Vec<_> = cases.iter().filter(|(number, _)| belongs(number[0])).map(|(_, c)| c.verdict).collect();
        let counts = Verdict::ALL.map(|verdict| verdicts.iter().filter(|v| **v == verdict).count().to_string());
        (!verdicts.is_empty()).then(|| format!("| {name} | {} | {} |\n", verdicts.len(), counts.join(" | ")))
    };
    let rows = SECTIONS.iter().filter_map(|(section, name, _)| row(&format!("{section} {name}"), &|of| of == *section));
    let names = Verdict::ALL.map(Verdict::name).join(" | ");
    let all = row("all", &|_| true).unwrap_or_default();
    format!("| section | cases | {names} |\n|---|{}\n{}{all}", "--:|".repeat(6), rows.collect::<String>())
}

/// `docs/AUTOBAHN.md`.
fn page(cases: &Cases, table: &str) -> String {
    // Neighbours that came out alike for the same reason share a line.
    let mut lines: Vec<(&[u32], &[u32], Verdict, &str)> = Vec::new();
    for (number, case) in cases {
        let why = match (explanation(number, case.verdict), case.verdict) {
            (Some(why), _) => why,
            (None, Verdict::Ok | Verdict::Failed) => &case.told,
            (None, _) => "Not explained.",
        };
        match lines.last_mut() {
            Some((first, last, verdict, reason))
                if first[0] == number[0] && (*verdict, *reason) == (case.verdict, why) =>
            {
                *last = number;
            }
            _ => lines.push((number, number, case.verdict, why)),
        }
    }
    let mut exceptions = String::new();
    for (first, last, verdict, why) in lines.into_iter().filter(|line| line.2 != Verdict::Ok) {
        let range = if first == last { id(first) } else { format!("{} to {}", id(first), id(last)) };
        let _ = writeln!(exceptions, "| {range} | {} | {} |", verdict.name(), why.replace('|', "\\|"));
    }
    format!(
        "# Autobahn\n\nWritten by `cargo xtask autobahn`: what the [Autobahn test suite]\
         (https://github.com/crossbario/autobahn-testsuite) finds when its fuzzing client plays all its cases, over plain TCP, \
         against an echo server on psiod's WebSocket transport (`crates/psiod/examples/autobahn_echo.rs`). A case whose \
         connection ended in a wrong way counts as failed.\n\n{table}\n\
         ## Cases that are not OK\n\n| cases | result | why |\n|---|---|---|\n{exceptions}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases(verdicts: &[(&[u32], Verdict)]) -> Cases {
        let case = |verdict| Case { verdict, told: "told".to_owned() };
        verdicts.iter().map(|(number, verdict)| (number.to_vec(), case(*verdict))).collect()
    }

    #[test]
    fn a_bad_close_is_a_failure() {
        for close in ["FAILED", "UNCLEAN", "WRONG CODE", "FAILED BY CLIENT"] {
            assert_eq!(Verdict::new("OK", close), Verdict::Failed, "{close}");
        }
    }

    #[test]
    fn what_is_explained_is_no_fault() {
        let fault = |number: &[u32], verdict| judge(&cases(&[(number, verdict)]), false).err().map(|e| e.to_string());
        assert_eq!(fault(&[7, 13, 2], Verdict::Informational), None);
        assert_eq!(fault(&[7, 13, 2], Verdict::Failed).as_deref(), Some("1 faults:\n7.13.2: told"));
        assert_eq!(fault(&[7, 1, 5], Verdict::Informational).as_deref(), Some("1 faults:\n7.1.5: told"));
    }

    #[test]
    fn a_case_that_was_not_played_is_a_fault() {
        let played =
            SECTIONS.iter().flat_map(|(section, _, count)| (0..*count).map(|case| vec![*section, case as u32]));
        let mut played: Cases =
            played.map(|number| (number, Case { verdict: Verdict::Ok, told: String::new() })).collect();
        judge(&played, true).unwrap();
        played.remove(&[6, 3][..]);
        let fault = judge(&played, true).unwrap_err().to_string();
        assert_eq!(fault, "1 faults:\n6 UTF-8 handling: 144 of 145 cases were played");
    }

    #[test]
    fn a_line_of_the_page_covers_neighbours_only() {
        let (ok, bad) = (Verdict::Ok, Verdict::Unimplemented);
        let played = cases(&[(&[12, 1], bad), (&[12, 2], bad), (&[12, 10], ok), (&[12, 11], bad), (&[13, 1], bad)]);
        let page = page(&played, "");
        let lines: Vec<_> =
            page.lines().filter_map(|line| line.strip_suffix(" | unimplemented | Not explained. |")).collect();
        assert_eq!(lines, ["| 12.1 to 12.2", "| 12.11", "| 13.1"]);
    }
}
