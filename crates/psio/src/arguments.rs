//! `psio get` and `psio watch` on the command line: their commands, options and help follow from the registry, so that
//! nothing is described twice.

use std::time::Duration;

use clap::builder::ValueParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use psio_api::command::{self, Example, Kind};
use psio_api::error::{did_you_mean, nearest, shortened};
use psio_api::registry;
use psio_api::schema::Describer;
use psiod::text::escape_controls;
use serde_json::{Map, Value};

use crate::answer::Form;
use crate::client::Address;
use crate::columns::Described;
use crate::output;
use crate::parameter::Parameter;

const GET: &str = "Ask psiod once";
const WATCH: &str = "Ask psiod again and again: a table that changes, or a line for each event";

const FORMS: &str = "On a terminal the answer is a table, elsewhere JSON.

Tables: `-` is what is not known, sizes are multiples of 1024, lists have spaces between. Columns that do not fit \
the terminal are left out, so choose with --fields. A single object is a line for each of its fields.

CSV: RFC 4180, so lines end with CR LF, with a header. Names of nested fields are dotted, pairs are two columns \
(cpu_times.0, cpu_times.1), lists are JSON, what is not known is empty. Values are as psiod gives them: a \
spreadsheet takes a process name that begins with = for a formula.";

const GET_NOTES: &str = "JSON: the data as psiod wrote it, in one line.

Exit codes: 0 answered, 1 refused or no psiod, 2 mistyped.";

const WATCH_NOTES: &str = "CSV rows begin with the `time` of their event, ms since the epoch.

JSON: one line for each event, {\"seq\":…,\"time\":…,\"meta\":…,\"data\":…} as psiod wrote it. A gap in seq means that \
psio was too slow for what lay between.

Exit codes: 0 enough events (--count), `q`, or nobody reads any more; 1 refused, or psiod went away; 2 mistyped.";

/// Of an example; an option and its value stay together.
const LONGEST_LINE: usize = 60;

/// A command to send to psiod.
#[derive(Debug)]
pub struct Asked {
    pub command: &'static command::Command,
    pub params: Map<String, Value>,
    pub address: Address,
    pub form: Form,
}

/// How often to send it, and how many times.
#[derive(Debug)]
pub struct Watching {
    pub interval: Option<Duration>,
    pub count: Option<u64>,
}

/// `psio get`.
pub fn get() -> Command {
    asking("get", GET, GET_NOTES, gettable())
}

fn gettable() -> impl Iterator<Item = &'static command::Command> {
    registry::COMMANDS.iter().filter(|command| matches!(command.kind, Kind::Read | Kind::History))
}

fn watchable() -> impl Iterator<Item = &'static command::Command> {
    let is_once = |kind| matches!(kind, Kind::Action | Kind::Session | Kind::History);
    registry::COMMANDS.iter().filter(move |command| !is_once(command.kind))
}

/// `psio watch`.
pub fn watch() -> Command {
    let interval = Arg::new("interval").long("interval").value_name("TIME").global(true);
    let interval = interval.help("How often: 500ms, 2s, 1m, or seconds without a unit; every second unless given");
    let count = Arg::new("count").long("count").value_name("N").global(true);
    let count = count.help("End after this many events").value_parser(value_parser!(u64).range(1..));
    asking("watch", WATCH, WATCH_NOTES, watchable())
        .arg(interval.value_parser(ValueParser::new(interval_of)))
        .arg(count)
}

fn asking(
    name: &'static str,
    about: &'static str,
    notes: &str,
    commands: impl Iterator<Item = &'static command::Command>,
) -> Command {
    let form = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).global(true).help(help)
    };
    let url = Arg::new("url").long("url").value_name("URL").global(true).value_parser(ValueParser::new(Address::parse));
    let mut asking = Command::new(name)
        .about(about)
        .after_help(format!("{FORMS}\n\n{notes}"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        // Refused in `asked`, with the names that are nearest.
        .allow_external_subcommands(true)
        .subcommand_value_name("COMMAND")
        .subcommand_help_heading("Commands")
        .arg(url.help("Where psiod listens, instead of --port: ws://HOST:PORT/"))
        .arg(form("json", "Print JSON, also on a terminal"))
        .arg(form("csv", "Print comma-separated values"))
        .arg(form("table", "Print a table, also when piped, and then in full width"));
    for command in commands {
        asking = asking.subcommand(subcommand(name, command));
    }
    asking
}

fn subcommand(verb: &str, command: &'static command::Command) -> Command {
    let doc = command.doc();
    let options = parameters(command).into_iter().map(|parameter| parameter.option().help_heading("Parameters"));
    let after = [examples(verb, command), fields(command)].concat();
    Command::new(command.name)
        .about(brief(&doc))
        .before_help(doc.replace('\n', " "))
        .help_template("{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}")
        .args(options)
        .after_help(after)
}

fn parameters(command: &command::Command) -> Vec<Parameter> {
    let mut describer = Describer::new();
    let schema = describer.params(command);
    Parameter::all(&schema, &describer.definitions())
}

/// The first thing a documentation says, without where the figure comes from.
fn brief(doc: &str) -> String {
    let doc = doc.replace('\n', " ");
    let ends = [". ", "; ", " (`"].iter().filter_map(|end| doc.find(end));
    doc[..ends.min().unwrap_or(doc.len())].trim_end_matches('.').to_owned()
}

fn examples(verb: &str, command: &command::Command) -> String {
    let mut text = "Examples:".to_owned();
    for example in (command.examples)() {
        text.push_str(&format!("\n  # {}\n  psio {verb} {}", example.title, command.name));
        let mut width = text.lines().last().map_or(0, str::len);
        for argument in arguments(&example).iter().map(|argument| quoted(argument)) {
            if width + argument.len() > LONGEST_LINE && argument.starts_with("--") {
                text.push_str(" \\\n     ");
                width = 5;
            }
            text.push_str(&format!(" {argument}"));
            width += 1 + argument.len();
        }
    }
    text
}

fn fields(command: &command::Command) -> String {
    let described = Described::reply(command);
    let fields: Vec<_> = described.fields().collect();
    let widest = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: String = fields.iter().map(|(name, doc)| format!("\n  {name:widest$}  {}", brief(doc))).collect();
    if lines.is_empty() { lines } else { format!("\n\nFields of the answer:{lines}") }
}

/// The arguments that ask for an example.
fn arguments(example: &Example) -> Vec<String> {
    let one = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let option = |(name, value): (&String, &Value)| match value {
        Value::Bool(_) => vec![format!("--{name}={value}")],
        Value::Array(values) => vec![format!("--{name}"), values.iter().map(one).collect::<Vec<_>>().join(",")],
        _ => vec![format!("--{name}"), one(value)],
    };
    example.params.iter().flat_map(option).collect()
}

/// An argument as one types it into a shell.
fn quoted(argument: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=.,:/%+@".contains(c);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

/// What `psio get …` asks for.
pub fn get_asked(matches: &ArgMatches) -> Result<Asked, clap::Error> {
    asked("get", gettable(), matches)
}

/// What `psio watch …` asks for, and how often.
pub fn watch_asked(matches: &ArgMatches) -> Result<(Asked, Watching), clap::Error> {
    let asked = asked("watch", watchable(), matches)?;
    let given = matches.subcommand().map_or(matches, |(_, given)| given);
    let interval = given.get_one::<Duration>("interval").copied();
    Ok((asked, Watching { interval, count: given.get_one::<u64>("count").copied() }))
}

fn asked(
    verb: &str,
    commands: impl Iterator<Item = &'static command::Command>,
    matches: &ArgMatches,
) -> Result<Asked, clap::Error> {
    let commands: Vec<_> = commands.collect();
    let (name, given) = matches.subcommand().expect("invariant: clap requires a command");
    let Some(command) = commands.iter().find(|command| command.name == name) else {
        let is_watched = watchable().any(|command| command.name == name);
        let hint = if is_watched {
            format!(" to {verb}; it is told as it happens: psio watch {name}")
        } else {
            did_you_mean(&nearest(name, commands.iter().map(|command| command.name)))
        };
        // Escaped here: clap would drop the escape sequences, and leave a name that looks right.
        let name = escape_controls(&shortened(name)).into_owned();
        let message = format!("no command `{name}`{hint}\n\n`psio {verb} --help` lists them all\n");
        return Err(clap::Error::raw(ErrorKind::InvalidSubcommand, message));
    };
    let params = parameters(command).iter().filter_map(|p| Some((p.name().to_owned(), p.given(given)?))).collect();
    let port = given.get_one::<u16>("port").copied().unwrap_or(psiod::config::DEFAULT_PORT);
    let address = given.get_one::<Address>("url").cloned().unwrap_or_else(|| Address::local(port));
    Ok(Asked { command, params, address, form: form(given)? })
}

fn form(given: &ArgMatches) -> Result<Form, clap::Error> {
    let forms = [("json", Form::Json), ("csv", Form::Csv), ("table", Form::Table)];
    let wanted: Vec<_> = forms.iter().filter(|(name, _)| given.get_flag(name)).collect();
    match wanted.as_slice() {
        [] if output::is_terminal() => Ok(Form::Table),
        [] => Ok(Form::Json),
        [(_, form)] => Ok(*form),
        [(first, _), (second, _), ..] => {
            let message = format!("--{first} and --{second} exclude each other\n");
            Err(clap::Error::raw(ErrorKind::ArgumentConflict, message))
        }
    }
}

fn interval_of(text: &str) -> Result<Duration, String> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds = match &text[number.len()..] {
        "ms" => Some(0.001),
        "" | "s" => Some(1.0),
        "m" => Some(60.0),
        "h" => Some(3600.0),
        _ => None,
    };
    let interval =
        seconds.zip(number.parse::<f64>().ok()).map(|(unit, number)| Duration::try_from_secs_f64(unit * number));
    interval.and_then(Result::ok).ok_or_else(|| "expected a time such as 500ms, 2s, 1m or 0.5".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(arguments: &[&str]) -> Result<ArgMatches, clap::Error> {
        let matches = crate::command_line().try_get_matches_from(["psio"].iter().chain(arguments))?;
        Ok(matches.subcommand().unwrap().1.clone())
    }

    fn psio(arguments: &[&str]) -> Result<Asked, clap::Error> {
        let matches = matches(arguments)?;
        if arguments.contains(&"watch") { Ok(watch_asked(&matches)?.0) } else { get_asked(&matches) }
    }

    fn mistyped(arguments: &[&str]) -> String {
        psio(arguments).unwrap_err().to_string()
    }

    #[test]
    fn no_parameter_of_a_command_takes_the_name_of_one_of_psios_options() {
        crate::command_line().debug_assert();
    }

    #[test]
    fn every_example_of_the_registry_can_be_typed() {
        for command in gettable() {
            for example in (command.examples)() {
                let arguments = arguments(&example);
                let typed = ["get", command.name].into_iter().chain(arguments.iter().map(String::as_str));
                let asked = psio(&typed.collect::<Vec<_>>()).unwrap();
                assert_eq!((asked.command.name, asked.params), (command.name, example.params));
            }
        }
    }

    #[test]
    fn options_become_parameters() {
        let asked = psio(&[
            "get",
            "process.getall",
            "--sort",
            "-cpu_percent",
            "--limit",
            "5",
            "--fields",
            "pid,name",
            "--filter",
            "cpu_percent>5 username=root",
        ])
        .unwrap();
        let params = json!({"fields": ["pid", "name"], "sort": "-cpu_percent", "filter": "cpu_percent>5 username=root", "limit": 5});
        assert_eq!(Value::Object(asked.params), params);
    }

    #[test]
    fn psios_own_options_stand_before_or_after_the_command() {
        for arguments in [
            ["--port", "4000", "watch", "--csv", "--count", "3", "cpu.getall"],
            ["watch", "cpu.getall", "--csv", "--count", "3", "--port", "4000"],
        ] {
            let matches = matches(&arguments).unwrap();
            let (asked, watching) = watch_asked(&matches).unwrap();
            assert_eq!((asked.address, asked.form), (Address::local(4000), Form::Csv));
            assert_eq!((watching.count, watching.interval), (Some(3), None));
        }
    }

    #[test]
    fn intervals_have_units() {
        for (text, ms) in [("1s", 1000), ("500ms", 500), ("2", 2000), ("0.5", 500), ("1m", 60_000), ("1h", 3_600_000)] {
            assert_eq!(interval_of(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "s", "-1s", "1 s", "1d", "nan", "inf", "1e400", "1ss"] {
            assert!(interval_of(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_was_mistyped_is_told_with_what_is_near() {
        assert!(
            mistyped(&["get", "proces.getall", "--x", "-y"])
                .contains("no command `proces.getall`; did you mean process.getall")
        );
        assert!(mistyped(&["get", "process.getall", "--sorted", "pid"]).contains("--sort"));
        assert!(mistyped(&["get", "process.get"]).contains("--pid <INTEGER>"));
        assert!(mistyped(&["get", "cpu.getall", "--json", "--csv"]).contains("--json and --csv exclude each other"));
        assert!(mistyped(&["get", "cpu.getall", "--url", "localhost"]).contains("ws://localhost:3000/"));
        assert!(mistyped(&["watch", "cpu.getall", "--count", "0"]).contains("'0'"));
    }

    #[test]
    fn the_help_lists_every_command_and_every_field() {
        let help = |arguments: &[&str]| mistyped(&[arguments, &["--help"]].concat());
        let listed = help(&["get"]);
        assert!(gettable().all(|command| listed.contains(command.name)), "{listed}");
        let process = help(&["get", "process.getall"]);
        for told in
            ["--fields <TEXT,…>", "--limit <INTEGER>", "psio get process.getall --sort -cpu_percent", "memory_info"]
        {
            assert!(process.contains(told), "{told}: {process}");
        }
    }

    #[test]
    fn what_a_shell_would_read_differently_is_quoted() {
        assert_eq!(quoted("-cpu_percent"), "-cpu_percent");
        assert_eq!(quoted("username=root memory_info>10M"), "'username=root memory_info>10M'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
