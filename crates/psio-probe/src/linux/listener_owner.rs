//! Which process listens on a TCP port: `/proc/net/tcp` gives the socket, `/proc/PID/fd` its owner.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use crate::Owner;

const LISTEN: &str = "0A";

/// The process that listens on this address or on all addresses at its port.
pub fn listener_owner(address: SocketAddr) -> Option<Owner> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| listening_inode(table, address.port()))?;
    let socket = format!("socket:[{inode}]");
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let holds = fs::read_dir(entry.path().join("fd")).ok()?.flatten().any(|fd| links_to(&fd.path(), &socket));
        let comm = || fs::read(entry.path().join("comm")).unwrap_or_default();
        holds.then(|| Owner { pid, name: String::from_utf8_lossy(&comm()).trim_end().to_owned() })
    })
}

fn links_to(link: &Path, target: &str) -> bool {
    fs::read_link(link).is_ok_and(|found| found.as_os_str() == target)
}

/// Fields of a line, see proc_net_tcp(5): `sl local_address rem_address st … inode`.
fn listening_inode(table: &str, port: u16) -> Option<u64> {
    let wanted = format!(":{port:04X}");
    let table = fs::read_to_string(table).ok()?;
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let is_local = fields.nth(1)?.ends_with(&wanted);
        let listens = fields.nth(1)? == LISTEN;
        let inode = fields.nth(5)?.parse().ok()?;
        (is_local && listens).then_some(inode)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_owns_its_listener() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let owner = listener_owner(listener.local_addr().unwrap()).unwrap();
        assert_eq!(owner.pid, std::process::id());
    }

    #[test]
    fn nobody_owns_a_port_that_is_not_listened_on() {
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(listener_owner(address), None);
    }
}
