//! `/proc/loadavg`: how much wants to run; see proc_loadavg(5).

use super::ParseError;
use super::fields::{Fields, number};

/// The first four fields of `/proc/loadavg`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoadAverage {
    /// Runnable and uninterruptible tasks, averaged over 1, 5 and 15 minutes.
    pub averages: [f64; 3],
    /// Threads that are runnable now.
    pub threads_running: u32,
    /// Threads in all.
    pub threads_total: u32,
}

/// Reads the one line of `/proc/loadavg`.
pub fn parse(text: &[u8]) -> Result<LoadAverage, ParseError> {
    let mut fields = Fields::new(text);
    let averages = [average(&mut fields)?, average(&mut fields)?, average(&mut fields)?];
    let threads = fields.word()?;
    let slash = threads.iter().position(|&byte| byte == b'/').ok_or(ParseError("RUNNING/TOTAL"))?;
    Ok(LoadAverage {
        averages,
        threads_running: count(&threads[..slash])?,
        threads_total: count(&threads[slash + 1..])?,
    })
}

fn average(fields: &mut Fields<'_>) -> Result<f64, ParseError> {
    std::str::from_utf8(fields.word()?)
        .ok()
        .and_then(|word| word.parse().ok())
        .filter(|value: &f64| value.is_finite())
        .ok_or(ParseError("a load average"))
}

fn count(word: &[u8]) -> Result<u32, ParseError> {
    u32::try_from(number(word)?).map_err(|_| ParseError("a number of threads"))
}
