//! `/proc/PID/statm`: memory of a process in pages; see proc_pid_statm(5).

use super::ParseError;
use super::fields::Fields;

/// The first two fields of `/proc/PID/statm`. Unlike those of `stat`, they are exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PidStatm {
    /// Address space mapped, pages.
    pub size_pages: u64,
    /// Resident set size, pages.
    pub resident_pages: u64,
}

/// Reads the one line of `/proc/PID/statm`.
pub fn parse(text: &[u8]) -> Result<PidStatm, ParseError> {
    let mut fields = Fields::new(text);
    Ok(PidStatm { size_pages: fields.u64()?, resident_pages: fields.u64()? })
}
