//! The client of the load run: does what each line of its stdin says and answers with a line; ends with its stdin.

use std::io::{self, BufRead, Write};

use psio_bench::client::Client;

fn main() -> io::Result<()> {
    psio_floor::sys::raise_open_files()?;
    let mut out = io::stdout().lock();
    writeln!(out, "ready")?;
    out.flush()?;
    let mut client = Client::default();
    for line in io::stdin().lock().lines() {
        writeln!(out, "{}", client.obey(&line?))?;
        out.flush()?;
    }
    Ok(())
}
