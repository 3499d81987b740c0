//! psiod in the foreground.

use std::process::ExitCode;

fn main() -> ExitCode {
    psiod::main(std::env::args_os())
}
