//! `psio watch`: events as they come, as a table that is redrawn in place, as JSON lines or as CSV.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::answer::{Answer, Answers, Form, csv_header, csv_records};
use crate::arguments::{Asked, Watching};
use crate::client::{Client, Event, Incoming, Watched};
use crate::columns::Column;
use crate::output::{self, ReaderGone};
use crate::screen::{Screen, Wish};

/// The client wakes earlier when psiod says nothing.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// Of what has happened, as much as fits the tallest screen.
const KEPT_EVENTS: usize = 500;

/// Prints events until there were enough of them, or until psiod, the reader or the person ends it.
pub fn watch(asked: &Asked, watching: &Watching) -> anyhow::Result<ExitCode> {
    let mut client = Client::connect(&asked.address)?;
    client.subscribe(asked.command.name, &asked.params, watching.interval)?;
    let mut printer = Printer::of(asked);
    let mut seen = 0;
    loop {
        let text = client.received()?;
        if let Some(text) = &text
            && let Some(Incoming::Event(event)) = Incoming::parse(text)?
        {
            printer.print(&event)?;
            seen += 1;
            if watching.count == Some(seen) {
                printer.finish()?;
                return Ok(ExitCode::SUCCESS);
            }
        }
        // Also between events that come faster than a terminal shows them somebody may want to end it.
        let patience = if text.is_some() { Duration::ZERO } else { LONGEST_WAIT };
        if printer.wait(&mut client, patience)? == Some(Wish::End) {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// Where events go.
enum Printer {
    /// A line of JSON for each.
    Lines,
    Csv(Csv),
    /// A table for each, one below the other.
    Tables(Answers),
    /// One table that changes.
    Live(Live),
}

impl Printer {
    fn of(asked: &Asked) -> Self {
        let answers = Answers::of(asked.command, &asked.params);
        match asked.form {
            Form::Json => Self::Lines,
            Form::Csv => Self::Csv(Csv { answers, columns: Vec::new() }),
            Form::Table if output::is_terminal() => Self::Live(Live {
                name: asked.command.name,
                answers,
                screen: None,
                shown: Answer::Rows(Vec::new()),
                total: None,
            }),
            Form::Table => Self::Tables(answers),
        }
    }

    fn print(&mut self, event: &Event<'_>) -> anyhow::Result<()> {
        match self {
            Self::Lines => output::write_json(&line(event)),
            Self::Csv(csv) => output::write(&csv.lines(event, output::is_terminal())?),
            Self::Tables(answers) => {
                let lines = answers.table(&answers.read(event.data.get())?, None);
                output::write_lines(&[lines, vec![String::new()]].concat())
            }
            Self::Live(live) => live.print(event),
        }
    }

    /// Waits for psiod, for the person, or until nobody reads any more.
    fn wait(&mut self, client: &mut Client, patience: Duration) -> anyhow::Result<Option<Wish>> {
        let (stdin, stdout) = (std::io::stdin(), std::io::stdout());
        let mut watched = vec![Watched::written(&stdout)];
        let screen = if let Self::Live(live) = self { live.screen.as_mut() } else { None };
        if let Some(screen) = &screen {
            watched.extend(screen.watched(&stdin));
        }
        client.wait(&mut watched, patience)?;
        if watched[0].is_gone() {
            return Err(ReaderGone.into());
        }
        let is_key_waiting = watched.get(2).is_some_and(Watched::is_ready);
        drop(watched);
        let Some(screen) = screen else { return Ok(None) };
        let wish = screen.wish(is_key_waiting)?;
        if wish == Some(Wish::Redraw)
            && let Self::Live(live) = self
        {
            live.draw()?;
        }
        Ok(wish)
    }

    /// Leaves the last table on the terminal.
    fn finish(self) -> anyhow::Result<()> {
        let Self::Live(Live { answers, screen, shown, .. }) = self else { return Ok(()) };
        drop(screen);
        output::write_lines(&answers.table(&shown, output::width()))
    }
}

/// The event without what only the connection needs.
fn line(event: &Event<'_>) -> String {
    let members = [("seq", event.seq), ("time", event.time), ("meta", event.meta), ("data", Some(event.data))];
    let members = members.iter().filter_map(|(name, json)| Some(format!("\"{name}\":{}", (*json)?)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// One header, and the rows of each event.
struct Csv {
    answers: Answers,
    /// What the header says; empty before it is written.
    columns: Vec<Column>,
}

impl Csv {
    fn lines(&mut self, event: &Event<'_>, on_terminal: bool) -> anyhow::Result<Vec<u8>> {
        let answer = self.answers.read(event.data.get())?;
        let is_first = self.columns.is_empty();
        if is_first {
            self.columns = self.answers.csv_columns(&answer);
        }
        // What has happened says itself when it did.
        let has_time = self.columns.iter().any(|column| column.name == "time");
        let mut lines = Vec::new();
        if is_first {
            lines = csv_header((!has_time).then_some("time"), &self.columns, on_terminal);
        }
        let time = event.time.map_or("", RawValue::get);
        lines.extend(csv_records((!has_time).then_some(time), &self.columns, &answer, on_terminal));
        Ok(lines)
    }
}

/// A table that changes, on a terminal.
struct Live {
    name: &'static str,
    answers: Answers,
    /// Taken with the first event: what goes wrong before belongs on the screen as it was.
    screen: Option<Screen>,
    shown: Answer,
    /// Rows there are, where `--limit` leaves some out.
    total: Option<u64>,
}

impl Live {
    fn print(&mut self, event: &Event<'_>) -> anyhow::Result<()> {
        let meta: Option<Value> = event.meta.and_then(|meta| serde_json::from_str(meta.get()).ok());
        self.total = meta.and_then(|meta| meta["total"].as_u64());
        self.take_in(self.answers.read(event.data.get())?);
        if self.screen.is_none() {
            self.screen = Some(Screen::take()?);
        }
        self.draw()
    }

    /// What has happened is shown below what had happened before; how things are replaces how they were.
    fn take_in(&mut self, answer: Answer) {
        match (&mut self.shown, answer) {
            (Answer::Rows(happened), Answer::Rows(new)) if self.answers.tell_events() => {
                happened.extend(new);
                happened.drain(..happened.len().saturating_sub(KEPT_EVENTS));
            }
            (shown, answer) => *shown = answer,
        }
    }

    fn draw(&self) -> anyhow::Result<()> {
        let (Some(screen), Some((width, height))) = (&self.screen, output::size()) else { return Ok(()) };
        let lines = self.answers.table(&self.shown, Some(width));
        let is_list = matches!(self.shown, Answer::Rows(_));
        let rows = if is_list { lines.len() - 1 } else { lines.len() };
        let title = match self.total {
            Some(total) => format!("{}: {rows} of {total}  (q ends)", self.name),
            None => format!("{}  (q ends)", self.name),
        };
        screen.draw(&screenful(title, lines, height, is_list, self.answers.tell_events()))
    }
}

/// As many lines as fit below the title: the first ones, or of what has happened the last ones.
fn screenful(title: String, lines: Vec<String>, height: usize, has_header: bool, newest: bool) -> Vec<String> {
    let room = height.saturating_sub(1);
    let mut shown = vec![title];
    if lines.len() <= room {
        shown.extend(lines);
    } else if newest && has_header && room > 0 {
        let first = lines.len() - (room - 1);
        shown.extend(lines.into_iter().enumerate().filter(|&(at, _)| at == 0 || at >= first).map(|(_, line)| line));
    } else {
        let hidden = lines.len() - room.saturating_sub(1);
        shown.extend(lines.into_iter().take(room.saturating_sub(1)));
        shown.push(format!("… {hidden} more"));
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::answer::tests::answers_with_events;

    fn shown(count: usize, height: usize, newest: bool) -> String {
        let lines = ["h".to_owned()].into_iter().chain((1..count).map(|at| at.to_string())).collect();
        screenful("t".to_owned(), lines, height, true, newest).join(" ")
    }

    #[test]
    fn what_fits_is_shown_whole() {
        assert_eq!(shown(3, 4, false), "t h 1 2");
        assert_eq!(shown(3, 4, true), "t h 1 2");
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        assert_eq!(shown(10, 5, false), "t h 1 2 … 7 more");
    }

    #[test]
    fn of_what_has_happened_the_newest_is_shown() {
        assert_eq!(shown(10, 5, true), "t h 7 8 9");
    }

    fn live(answers: Answers) -> Live {
        Live { name: "x", answers, screen: None, shown: Answer::Rows(Vec::new()), total: None }
    }

    #[test]
    fn what_has_happened_is_kept_up_to_a_limit() {
        let mut live = live(answers_with_events());
        for time in 0..=KEPT_EVENTS {
            live.take_in(Answer::Rows(vec![json!({"time": time})]));
        }
        let Answer::Rows(rows) = live.shown else { panic!("rows") };
        assert_eq!(
            (rows.len(), &rows[0], rows.last()),
            (KEPT_EVENTS, &json!({"time": 1}), Some(&json!({"time": KEPT_EVENTS})))
        );
    }

    #[test]
    fn how_things_are_replaces_how_they_were() {
        let command = psio_api::registry::find("cpu.getall").unwrap();
        let mut live = live(Answers::of(command, &serde_json::Map::new()));
        live.take_in(Answer::Rows(vec![json!({"num": 0}), json!({"num": 1})]));
        live.take_in(Answer::Rows(vec![json!({"num": 2})]));
        assert_eq!(live.shown, Answer::Rows(vec![json!({"num": 2})]));
    }

    #[test]
    fn events_with_a_time_of_their_own_get_no_second_one() {
        let mut csv = Csv { answers: answers_with_events(), columns: Vec::new() };
        let mut lines = |text| {
            let Ok(Some(Incoming::Event(event))) = Incoming::parse(text) else { panic!("an event") };
            String::from_utf8(csv.lines(&event, false).unwrap()).unwrap()
        };
        assert_eq!(lines(r#"{"type":"event","id":1,"time":9,"data":{"list":[],"events":[]}}"#), "event,time\r\n");
        let second = r#"{"type":"event","id":1,"time":9,"data":{"events":[{"event":"exec","time":7}]}}"#;
        assert_eq!(lines(second), "exec,7\r\n");
    }

    #[test]
    fn a_line_is_the_event_as_psiod_wrote_it() {
        let text = r#"{"type":"event","id":1,"seq":3,"time":17,"data":[{"a": 1.50}]}"#;
        let Ok(Some(Incoming::Event(event))) = Incoming::parse(text) else { panic!("an event") };
        assert_eq!(line(&event), r#"{"seq":3,"time":17,"data":[{"a": 1.50}]}"#);
    }
}
