//! `/etc/passwd`: the names of users; see passwd(5).

use super::fields::number;
use super::lines;

/// User id and name of each line that has both. The first line of an id is the one that counts.
pub fn users(text: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    lines(text).filter_map(|line| {
        let mut columns = line.split(|&byte| byte == b':');
        let name = columns.next().filter(|name| !name.is_empty())?;
        let uid = number(columns.nth(1)?).ok()?;
        Some((u32::try_from(uid).ok()?, name))
    })
}
