//! Which process listens on a TCP port: `/proc/net/tcp` gives the socket, `/proc/PID/fd` its owner.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use crate::Owner;

const LISTEN: &str = "0A";

/// The process that listens on this address, or on every address at its port.
pub fn listener_owner(address: SocketAddr) -> Option<Owner> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| listening_inode(table, address))?;
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
fn listening_inode(table: &str, address: SocketAddr) -> Option<u64> {
    let (own, port) = (in_hex(address.ip()), format!("{:04X}", address.port()));
    let table = fs::read_to_string(table).ok()?;
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (local_ip, local_port) = fields.nth(1)?.split_once(':')?;
        let is_every_address = local_ip.bytes().all(|digit| digit == b'0');
        let is_local = local_port == port && (local_ip == own || is_every_address);
        let listens = fields.nth(1)? == LISTEN;
        let inode = fields.nth(5)?.parse().ok()?;
        (is_local && listens).then_some(inode)
    })
}

/// As the kernel writes it: words of four bytes, each in the byte order of the machine.
fn in_hex(ip: IpAddr) -> String {
    let word = |bytes: &[u8]| bytes.first_chunk().map_or(0, |&bytes| u32::from_ne_bytes(bytes));
    match ip {
        IpAddr::V4(ip) => format!("{:08X}", word(&ip.octets())),
        IpAddr::V6(ip) => ip.octets().chunks(4).map(|bytes| format!("{:08X}", word(bytes))).collect(),
    }
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

    #[test]
    fn a_listener_on_another_address_at_the_same_port_is_not_taken_for_it() {
        let here = std::net::TcpListener::bind("127.0.0.2:0").unwrap();
        let port = here.local_addr().unwrap().port();
        assert_eq!(listener_owner(SocketAddr::from(([127, 0, 0, 1], port))), None);
        assert!(listener_owner(SocketAddr::from(([127, 0, 0, 2], port))).is_some());
    }

    #[test]
    fn a_listener_on_every_address_is_found() {
        let everywhere = std::net::TcpListener::bind("[::]:0").unwrap();
        let port = everywhere.local_addr().unwrap().port();
        assert!(listener_owner(SocketAddr::from(([127, 0, 0, 1], port))).is_some());
    }
}
