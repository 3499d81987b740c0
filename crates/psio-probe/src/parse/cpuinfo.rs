//! `/proc/cpuinfo`: what the CPUs are; see proc_cpuinfo(5).

use super::lines;

/// The value of the first line that has this key, such as `model name`.
pub fn first_value<'a>(text: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    lines(text).find_map(|line| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let found = line[..colon].trim_ascii();
        let value = line[colon + 1..].trim_ascii();
        (found == key && !value.is_empty()).then_some(value)
    })
}
