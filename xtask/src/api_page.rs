//! `api/API.md`: the reference, from the registry. Its examples are run on the example machine as it is written.

use std::fmt::Write;

use anyhow::Context;
use psio_api::command::{Command, Example, GivenParams, Kind, Prepared, Run};
use psio_api::data::topics::Topics;
use psio_api::data::view::View;
use psio_api::error::ApiError;
use psio_api::message::{self, Encoding, Opening, Tail};
use psio_api::reply::Rendered;
use psio_api::request::RequestId;
use psio_api::{example_machine, filter, registry};
use serde_json::{Map, Value, json};

const OPENING: &str = "# The commands of psiod

Generated from the registry by `cargo xtask gen`; do not edit. Each example is a test: its answer below is the one that
the made-up machine of `crates/psio-api/src/example_machine.rs` gives.

Send a command as one JSON text message over `ws://localhost:3000/`:

```json
{\"type\":\"command\",\"id\":1,\"data\":{\"name\":\"cpu.getall\"}}
```

With an `id` (a string up to 128 bytes, or a number) the answer carries it, the `time` of the sample in milliseconds
since the epoch, and a `meta` where there is something to say: `window_ms`, the time over which rates were measured;
`total`, the rows before `limit`; `unknown`, why a value is `null`. Without an `id` the answer has exactly `type` and
`data`. A message may have 64 KiB; a larger one closes the connection with 1009.

## Subscriptions

```json
→ {\"type\":\"subscribe\",\"id\":2,\"interval\":1000,\"data\":{\"name\":\"process.getall\",\"limit\":60}}
← {\"type\":\"response\",\"id\":2,\"data\":{\"interval\":1000}}
← {\"type\":\"event\",\"id\":2,\"seq\":1,\"time\":1763816400123,\"meta\":{\"window_ms\":1000,\"total\":312},\"data\":[…]}
← {\"type\":\"end\",\"id\":2,\"data\":{\"code\":\"not_found\",\"message\":\"no process 412\",\"details\":{\"pid\":412}}}
→ {\"type\":\"unsubscribe\",\"id\":3,\"subscription\":2}
← {\"type\":\"response\",\"id\":3,\"data\":null}
```

- `id` is required, and taken until the subscription ends. A connection has 64 subscriptions at most (`too_many`).
- `interval` is in milliseconds, 100 to 3600000, and 1000 when left out. The first event comes at once, the next half an
  interval to one and a half later, then one each interval, at the same moments for everybody.
- `seq` counts ticks from 1. A gap means that some were skipped: the client read too slowly, or the machine could not be read.
- `end` says that there will be no more, such as `not_found` when the process of a `process.get` is gone.
- `mode` is `\"whole\"` (the default: `data` is what the command answers) or `\"delta\"`, for commands that list; others are told
  whole in either mode, and with `format: columns` it is `bad_params`.

In mode `delta` the first event is `{\"reset\":{key:row,…},\"order\":[key,…]}`, and so is the one after a gap. The others tell what
has changed since the event before: `{\"set\":{key:{field:value}},\"add\":{key:row},\"remove\":[key],\"order\":[key,…]}`. What is
empty is left out, `order` where the sequence of keys is the same, so nothing changed is `{}`. A `null` in `set` is a value.
Keys are strings, made of the fields that each list names below, whether these are shown or not. Apply `remove`, `add`,
`set`, then `order`.

A client that reads nothing for ten seconds is closed with 1013. A silent connection is pinged every 30 s and given up
after 60. A connection that has psiod compute for it alone more than half of each second (two at once) is answered
`too_many` until it has waited.
";

/// The whole page.
pub fn page(schema: &Value) -> anyhow::Result<String> {
    let mut page = OPENING.to_owned();
    page.push_str("\n## Commands\n\n| command | what it tells |\n|---|---|\n");
    for command in registry::COMMANDS {
        let anchor = command.name.replace('.', "");
        writeln!(page, "| [`{}`](#{anchor}) | {} |", command.name, first_sentence(&command.doc()))?;
    }
    for command in registry::COMMANDS {
        describe(&mut page, command, schema)?;
    }
    writeln!(page, "\n## Filters\n\n{}", filter::GRAMMAR.trim_end())?;
    writeln!(page, "\n## Errors\n")?;
    writeln!(page, "A refusal is a message of type `error` whose `data` has `code`, `message` and maybe `details`.\n")?;
    variants(&mut page, "code", &schema["$defs"]["ErrorCode"])?;
    writeln!(page, "\n## Why a value is null\n\n`meta.unknown` names the field and one of these reasons.\n")?;
    variants(&mut page, "reason", &reasons())?;
    Ok(page)
}

fn describe(page: &mut String, command: &Command, schema: &Value) -> anyhow::Result<()> {
    let entry = &schema["commands"][command.name];
    writeln!(page, "\n## {}\n\n{}\n", command.name, one_line(&command.doc()))?;
    let key = command.key.map_or_else(String::new, |key| format!(" Key of a row: `{}`.", key.join(":")));
    let kind = format!("{:?}", command.kind).to_lowercase();
    let access = format!("{:?}", command.access).to_lowercase();
    writeln!(page, "Kind: {kind}. Access: {access}.{key}\n")?;
    writeln!(page, "**Parameters**\n")?;
    fields(page, &entry["params"], schema)?;
    let reply_head = if command.kind == Kind::Watch { "Events (subscribe only)" } else { "Reply" };
    writeln!(page, "\n**{reply_head}**\n")?;
    reply(page, &entry["reply"], schema)?;
    for example in (command.examples)() {
        show(page, command, example)?;
    }
    Ok(())
}

fn reply(page: &mut String, reply: &Value, schema: &Value) -> anyhow::Result<()> {
    if reply["type"] == "array" {
        writeln!(page, "An array of:\n")?;
        return fields(page, &reply["items"], schema);
    }
    fields(page, reply, schema)
}

/// A table of an object's properties, nested objects after it.
fn fields(page: &mut String, object: &Value, schema: &Value) -> anyhow::Result<()> {
    let object = resolve(object, schema);
    let Some(properties) = object["properties"].as_object().filter(|properties| !properties.is_empty()) else {
        writeln!(page, "None.")?;
        return Ok(());
    };
    writeln!(page, "| field | type | meaning |\n|---|---|---|")?;
    for (name, property) in properties {
        let target = resolve(property, schema);
        let doc = property["description"].as_str().or(target["description"].as_str()).unwrap_or_default();
        writeln!(page, "| `{name}` | {} | {} |", type_of(property, schema), one_line(doc).replace('|', "\\|"))?;
    }
    for (name, property) in properties {
        let nested = if property["type"] == "array" { &property["items"] } else { property };
        let nested = resolve(nested, schema);
        if nested["properties"].is_object() {
            writeln!(page, "\n`{name}`:\n")?;
            fields(page, nested, schema)?;
        }
    }
    Ok(())
}

fn type_of(property: &Value, schema: &Value) -> String {
    if let Some(choices) = property["anyOf"].as_array() {
        let mut kinds: Vec<String> = Vec::new();
        for choice in choices {
            let kind = type_of(choice, schema);
            // What may be null by itself need not be told twice that it may be left out.
            if !kinds.iter().any(|known| known.split(" or ").any(|known| known == kind)) {
                kinds.push(kind);
            }
        }
        return kinds.join(" or ");
    }
    let target = resolve(property, schema);
    if let Some(words) = target["oneOf"].as_array() {
        let words: Vec<_> = words.iter().flat_map(words_of).map(|word| format!("`{word}`")).collect();
        return words.join(", ");
    }
    match &target["type"] {
        Value::String(kind) if kind == "array" => match target["prefixItems"].as_array() {
            Some(items) => {
                let items: Vec<_> = items.iter().map(|item| type_of(item, schema)).collect();
                format!("[{}]", items.join(", "))
            }
            None => format!("array of {}", type_of(&target["items"], schema)),
        },
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => {
            let kinds: Vec<_> = kinds
                .iter()
                .filter_map(Value::as_str)
                .map(|kind| if kind == "array" { array_of(target, schema) } else { kind.to_owned() })
                .collect();
            kinds.join(" or ")
        }
        _ => "any".to_owned(),
    }
}

fn array_of(array: &Value, schema: &Value) -> String {
    format!("array of {}", type_of(&array["items"], schema))
}

fn words_of(choice: &Value) -> Vec<String> {
    let many = choice["enum"].as_array().into_iter().flatten();
    many.chain(choice.get("const")).filter_map(Value::as_str).map(str::to_owned).collect()
}

fn variants(page: &mut String, head: &str, schema: &Value) -> anyhow::Result<()> {
    writeln!(page, "| {head} | meaning |\n|---|---|")?;
    for variant in schema["oneOf"].as_array().context("the type is no list of words")? {
        let doc = one_line(variant["description"].as_str().unwrap_or_default());
        for word in words_of(variant) {
            writeln!(page, "| `{word}` | {doc} |")?;
        }
    }
    Ok(())
}

fn reasons() -> Value {
    schemars::schema_for!(psio_api::data::unknown::Reason).to_value()
}

fn show(page: &mut String, command: &Command, example: Example) -> anyhow::Result<()> {
    match command.run {
        Run::Read(prepare) => show_answer(page, command, example, prepare),
        Run::Watch { shown, .. } => show_events(page, command, &example, shown),
        _ => Ok(()),
    }
}

/// The `data` of a request.
fn data(command: &Command, example: &Example) -> Map<String, Value> {
    let mut data = Map::from_iter([("name".to_owned(), json!(command.name))]);
    data.extend(example.params.clone());
    data
}

fn show_events(
    page: &mut String,
    command: &Command,
    example: &Example,
    shown: fn(&View) -> Result<Vec<Rendered>, ApiError>,
) -> anyhow::Result<()> {
    let request = json!({"type": "subscribe", "id": 1, "interval": 1000, "data": data(command, example)});
    let answer = json!({"type": "response", "id": 1, "data": {"interval": 1000}});
    writeln!(page, "\n{}:\n\n```json\n→ {request}\n← {answer}", example.title)?;
    let view = example_machine::view();
    let began = view.now.newest(Topics::PROCESSES).map_or(0, |at| at.wall_ms);
    for (seq, event) in (1..).zip(shown(&view)?) {
        let time = began + (seq - 1) * 1000;
        let tail = Tail::new(Encoding::Json, Some(time), &message::meta(None, &event), &event.json);
        let event = message::whole(Encoding::Json, &Opening::Event(Some(&RequestId::from(1)), seq), &tail);
        writeln!(page, "← {}", shortened(&String::from_utf8(event)?))?;
    }
    writeln!(page, "```")?;
    Ok(())
}

fn show_answer(
    page: &mut String,
    command: &Command,
    example: Example,
    prepare: fn(GivenParams) -> Result<Box<dyn Prepared>, ApiError>,
) -> anyhow::Result<()> {
    let request = json!({"type": "command", "id": 1, "data": data(command, &example)});
    let prepared = prepare(example.params)?;
    let view = example_machine::view();
    let answer = prepared.run(&view)?;
    let time = view.now.newest(prepared.needs()).map(|at| at.wall_ms);
    let window = view.window(prepared.needs()).map(|window| window.as_secs_f64() * 1e3);
    let tail = Tail::new(Encoding::Json, time, &message::meta(window, &answer), &answer.json);
    let message = message::whole(Encoding::Json, &Opening::Response(Some(&RequestId::from(1))), &tail);
    let message: Value = serde_json::from_slice(&message)?;
    writeln!(page, "\n{}:\n\n```json\n→ {request}\n← {}\n```", example.title, shortened(&message.to_string()))?;
    Ok(())
}

/// Long answers are cut: the page shows a shape, the schema has the rest.
fn shortened(text: &str) -> String {
    const MAX_CHARS: usize = 900;
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

fn resolve<'a>(value: &'a Value, schema: &'a Value) -> &'a Value {
    match value["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        Some(name) => &schema["$defs"][name],
        None => value,
    }
}

fn first_sentence(doc: &str) -> String {
    let line = one_line(doc);
    line.split_once(". ").map_or(line.clone(), |(first, _)| first.to_owned()).trim_end_matches('.').to_owned()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
