//! The procfs crate as a competitor: stat and status of every process into rows with the fields of the
//! frozen `process.getall`. Status is what gives the exact resident set size and the real uid.

use std::collections::HashMap;
use std::fs;
use std::hint::black_box;
use std::io;
use std::sync::Arc;

use procfs::process::{self, Process};
use psio_floor::rounds::{self, Pace};

/// The frozen fields as far as one sample gives them; rates need the sample before.
#[expect(dead_code, reason = "the row is made to be timed, not to be read")]
struct Row {
    pid: i32,
    name: String,
    username: Option<Arc<str>>,
    state: char,
    nice: i64,
    num_threads: i64,
    cpu_ticks: [u64; 2],
    rss_bytes: Option<u64>,
    vms_bytes: u64,
}

fn main() -> io::Result<()> {
    let users = read_users()?;
    rounds::run(Pace::PerLine, || {
        let rows: Vec<Row> = process::all_processes()
            .map_err(io::Error::other)?
            .filter_map(|process| read_row(&process.ok()?, &users))
            .collect();
        Ok(black_box(rows).len())
    })
}

/// One process, or nothing when it is gone meanwhile.
fn read_row(process: &Process, users: &HashMap<u32, Arc<str>>) -> Option<Row> {
    let stat = process.stat().ok()?;
    let status = process.status().ok()?;
    Some(Row {
        pid: stat.pid,
        name: stat.comm,
        username: users.get(&status.ruid).cloned(),
        state: stat.state,
        nice: stat.nice,
        num_threads: stat.num_threads,
        cpu_ticks: [stat.utime, stat.stime],
        rss_bytes: status.vmrss.map(|kib| kib * 1024),
        vms_bytes: stat.vsize,
    })
}

fn read_users() -> io::Result<HashMap<u32, Arc<str>>> {
    let passwd = fs::read_to_string("/etc/passwd")?;
    let mut users = HashMap::new();
    for line in passwd.lines() {
        let mut parts = line.split(':');
        if let (Some(name), Some(uid)) = (parts.next(), parts.nth(1))
            && let Ok(uid) = uid.parse()
        {
            users.entry(uid).or_insert_with(|| name.into());
        }
    }
    Ok(users)
}
