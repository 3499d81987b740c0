//! `/etc/os-release`: what the operating system calls itself; see os-release(5).

use super::{lines, lossy};

/// `PRETTY_NAME`, without its quotes.
pub fn pretty_name(text: &[u8]) -> Option<std::sync::Arc<str>> {
    let value = lines(text).find_map(|line| line.strip_prefix(b"PRETTY_NAME="))?.trim_ascii();
    let bare = [b'"', b'\''].iter().find_map(|quote| value.strip_prefix(&[*quote])?.strip_suffix(&[*quote]));
    let name = bare.unwrap_or(value);
    (!name.is_empty()).then(|| lossy(name))
}
