//! Floors: programs that ask the kernel for what a process sweep needs and do nothing else with it.
//!
//! They set the price below which no sweep by the same system calls can go, so `psio-bench` can say
//! "1.1 × the floor" instead of "fast". The only dependency is libc. The round protocol and the CPU
//! clock are also used by the competitors in `psio-bench`, so that everyone is timed alike.

pub mod clock;
pub mod kept;
pub mod listing;
pub mod opened;
pub mod rounds;
pub mod sleepers;
pub mod sys;
