//! The terminal while a table is redrawn on it: taken over, and given back whatever happens.

use std::io::{IsTerminal, Write};
use std::os::unix::net::UnixStream;

use anyhow::Context;
use rustix::io::{Errno, read};
use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use signal_hook::low_level::emulate_default_handler;

use crate::client::Watched;
use crate::{output, table};

/// The alternate screen, without a cursor.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l";
/// And back. A terminal that has no other screen goes on below the table.
const LEAVE: &[u8] = b"\x1b[?25h\x1b[999H\r\n\x1b[?1049l";
/// Terminals that know these show what is between them at once; the others ignore them.
const BEGIN_UPDATE: &str = "\x1b[?2026h";
const END_UPDATE: &str = "\x1b[?2026l";

/// What a person may want while they watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The table as it is now fits no more.
    Redraw,
    /// No more of it.
    End,
}

/// The terminal, taken over until this is dropped.
pub struct Screen {
    signals: SignalDelivery<UnixStream, SignalOnly>,
    /// How the keyboard was set; `None` where there is none, or it is another job's.
    keyboard: Option<Termios>,
    is_entered: bool,
}

impl Screen {
    /// Takes it over.
    pub fn take() -> anyhow::Result<Self> {
        let (read, write) = UnixStream::pair().context("cannot wait for signals")?;
        let wanted = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH];
        let signals = SignalDelivery::with_pipe(read, write, SignalOnly, wanted).context("cannot wait for signals")?;
        let stdin = std::io::stdin();
        // A background job that touches the keyboard is stopped by the kernel (SIGTTOU, SIGTTIN).
        let is_ours = stdin.is_terminal() && tcgetpgrp(&stdin).is_ok_and(|group| group == getpgrp());
        let keyboard = if is_ours { tcgetattr(&stdin).ok() } else { None };
        let mut screen = Self { signals, keyboard, is_entered: false };
        screen.enter()?;
        Ok(screen)
    }

    fn enter(&mut self) -> anyhow::Result<()> {
        if let Some(keyboard) = &self.keyboard {
            // What is typed must not be written into the table. Ctrl-C stays a signal.
            let mut silent = keyboard.clone();
            silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON);
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &silent);
        }
        self.is_entered = true;
        output::write(ENTER)
    }

    fn leave(&mut self) {
        if !self.is_entered {
            return;
        }
        self.is_entered = false;
        // The terminal may be gone, and then nothing needs to be put right.
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(LEAVE).and_then(|()| out.flush());
        if let Some(keyboard) = &self.keyboard {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, keyboard);
        }
    }

    /// Draws a screenful in one write: lines are overwritten where they stand, so that nothing flickers.
    pub fn draw(&self, lines: &[String]) -> anyhow::Result<()> {
        let (width, height) = output::size().unwrap_or((80, 24));
        output::write(frame(lines, width, height).as_bytes())
    }

    /// The descriptors that tell of a wish: signals, and the keyboard.
    pub fn watched<'a>(&'a self, stdin: &'a std::io::Stdin) -> Vec<Watched<'a>> {
        let keyboard = self.keyboard.as_ref().map(|_| Watched::readable(stdin));
        std::iter::once(Watched::readable(self.signals.get_read())).chain(keyboard).collect()
    }

    /// What was wished for since the last time. Does not return from a signal that ends psio.
    pub fn wish(&mut self, is_key_waiting: bool) -> anyhow::Result<Option<Wish>> {
        let mut wish = None;
        for signal in self.signals.pending().collect::<Vec<_>>() {
            match signal {
                SIGWINCH => {}
                SIGTSTP => {
                    self.leave();
                    emulate_default_handler(SIGTSTP).context("cannot pause")?;
                    self.enter()?;
                }
                signal => {
                    self.leave();
                    // Whoever started psio is to see which signal it was.
                    emulate_default_handler(signal).context("cannot end by a signal")?;
                }
            }
            wish = Some(Wish::Redraw);
        }
        if is_key_waiting && is_end_typed() {
            wish = Some(Wish::End);
        }
        Ok(wish)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Whether `q` was typed, or the keyboard is gone.
fn is_end_typed() -> bool {
    let mut typed = [0; 64];
    match read(std::io::stdin(), &mut typed) {
        Ok(count) => count == 0 || typed[..count].iter().any(|key| b"qQ".contains(key)),
        Err(Errno::AGAIN | Errno::INTR) => false,
        Err(_) => true,
    }
}

/// The bytes that show these lines, and nothing else, on a terminal of this size.
fn frame(lines: &[String], width: usize, height: usize) -> String {
    let mut frame = format!("{BEGIN_UPDATE}\x1b[H");
    for (at, line) in lines.iter().take(height).enumerate() {
        if at > 0 {
            frame.push_str("\r\n");
        }
        let line = table::cut(line.trim_end(), width);
        frame.push_str(&line);
        // Behind the last column the cursor still stands on it, and would erase it.
        if unicode_width::UnicodeWidthStr::width(line.as_str()) < width {
            frame.push_str("\x1b[K");
        }
    }
    if lines.len() < height {
        frame.push_str("\x1b[J");
    }
    frame + END_UPDATE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|&line| line.to_owned()).collect()
    }

    #[test]
    fn a_frame_overwrites_and_clears_what_is_left() {
        let shown = frame(&lines(&["ab", "c"]), 10, 3);
        assert_eq!(shown, "\x1b[?2026h\x1b[Hab\x1b[K\r\nc\x1b[K\x1b[J\x1b[?2026l");
    }

    #[test]
    fn a_frame_is_cut_to_the_screen_and_never_scrolls_it() {
        let shown = frame(&lines(&["abcdef", "abc", "x"]), 3, 2);
        assert_eq!(shown, "\x1b[?2026h\x1b[Hab…\r\nabc\x1b[?2026l");
    }
}
