//! The psio daemon: answers JSON commands over a WebSocket with facts about the machine it runs on.
//!
//! One thread ([`sampler`]) reads the machine into a short [`ring`] of samples; [`dispatch`] turns requests into views of
//! them and [`answers`] shares the bytes; [`server`] knows sockets and frames and no command.

pub mod answers;
pub mod budget;
pub mod config;
pub mod connection;
pub mod daemon;
pub mod dispatch;
pub mod health;
pub mod http_api;
pub mod lifecycle;
pub mod pid_file;
pub mod ring;
pub mod sampler;
pub mod server;
pub mod shared_answer;
pub mod stats;
pub mod subscriptions;
pub mod text;

use std::process::ExitCode;

use clap::Parser;

/// psiod's `main`: psio runs it too, as `psio daemon`.
pub fn main(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> ExitCode {
    let config = config::Config::parse_from(arguments);
    match daemon::run(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// The one line a program ends with that could not do its work.
#[expect(clippy::print_stderr, reason = "the log may not be set up yet, and this is for the person who typed")]
fn complain(error: &anyhow::Error) {
    eprintln!("psiod: {}", text::escape_controls(&format!("{error:#}")));
}
