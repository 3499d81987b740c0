"""Writes src/psio_client/models.py and commands.py from ../../api/schema.json; with --check only compares.

Why not datamodel-code-generator: it writes similar classes, but nothing that reads them from JSON (that takes pydantic
or dacite besides), its fields cannot be absent without being None, and of the schema's `commands` it makes nothing.
"""

from __future__ import annotations

import argparse
import json
import keyword
import sys
import textwrap
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
SCHEMA = HERE.parents[1] / "api/schema.json"
PACKAGE = HERE / "src/psio_client"
HEADER = """\
\"""{} Generated from api/schema.json by scripts/models.py; do not edit.\"""

from __future__ import annotations

"""
PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
WATCH = "watch"
"""The kind of commands that are subscribed to and not asked: they have no method."""
MILLISECONDS, SECONDS = "Milliseconds from the epoch", "Seconds from the epoch"
"""How the wire and Python count a `time`."""

Schema = dict[str, Any]


class Types:
    """Schemas as annotations, and as what reads them from JSON."""

    def __init__(self, defs: dict[str, Schema]) -> None:
        self.defs = defs

    def annotation(self, schema: Schema) -> str:
        if "$ref" in schema:
            return str(schema["$ref"].rsplit("/", 1)[1])
        if choices := schema.get("anyOf"):
            return " | ".join(sorted((self.annotation(choice) for choice in choices), key="None".__eq__))
        if "oneOf" in schema:
            return "Literal[" + ", ".join(json.dumps(choice["const"]) for choice in schema["oneOf"]) + "]"
        kind = schema.get("type")
        if isinstance(kind, list):
            return " | ".join(self.annotation({**schema, "type": one}) for one in kind)
        if kind == "array":
            if items := tuple_items(schema):
                return "tuple[" + ", ".join(map(self.annotation, items)) + "]"
            return f"list[{self.annotation(schema.get('items', {}))}]"
        if kind == "object":
            if "properties" in schema:
                raise SystemExit(f"an object without a name of its own: {json.dumps(schema):.200}")
            return "dict[str, Any]"
        return "Any" if kind is None else PLAIN[kind]

    def reader(self, schema: Schema) -> str | None:
        """An expression that reads a value other than null; `None` where JSON's own type is the wanted one."""
        if "$ref" in schema:
            name = self.annotation(schema)
            return f"{name}.from_json" if is_record(self.defs[name]) else self.reader(self.defs[name])
        if choices := schema.get("anyOf"):
            readers = {self.reader(choice) for choice in choices if choice != {"type": "null"}}
            if len(readers) > 1:
                raise SystemExit(f"a choice that cannot be read: {json.dumps(schema):.200}")
            return readers.pop() if readers else None
        if "array" not in (schema.get("type"), *as_list(schema.get("type"))):
            return None
        if items := tuple_items(schema):
            if any(map(self.reader, items)):
                raise SystemExit(f"a tuple whose items need reading: {json.dumps(schema):.200}")
            return "tuple"
        item = self.reader(schema.get("items", {}))
        return f"list_of({item})" if item else None

    def ordered(self) -> list[str]:
        """The names of definitions, each after those that it refers to."""
        done: list[str] = []

        def visit(name: str) -> None:
            if name not in done:
                for other in references(self.defs[name]):
                    visit(other)
                done.append(name)

        for name in sorted(self.defs, key=lambda name: (is_record(self.defs[name]), name)):
            visit(name)
        return done


def is_record(schema: Schema) -> bool:
    return "properties" in schema


def as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def tuple_items(schema: Schema) -> list[Schema]:
    if "prefixItems" in schema:
        return list(schema["prefixItems"])
    count = schema.get("minItems")
    return [schema["items"]] * count if count and count == schema.get("maxItems") else []


def references(schema: object) -> list[str]:
    if isinstance(schema, list):
        return [name for part in schema for name in references(part)]
    if not isinstance(schema, dict):
        return []
    own = [schema["$ref"].rsplit("/", 1)[1]] if isinstance(schema.get("$ref"), str) else []
    return own + [name for part in schema.values() for name in references(part)]


def python_name(key: str) -> str:
    name = key.strip("$").replace(".", "_").replace("-", "_")
    # An attribute `list` would hide the type from the annotations below it.
    return name + "_" if keyword.iskeyword(name) or name == "list" else name


def docstring(text: str, indent: int) -> str:
    """A docstring, wrapped at 120 columns; its lines in the schema are only Rust's."""
    text = " ".join(text.split()).replace("\\", "\\\\").replace('"""', "'''")
    text = text + " " if text.endswith('"') else text
    return filled(f'"""{text}"""', indent) + "\n"


def definition(name: str, types: Types) -> str:
    schema = types.defs[name]
    doc = schema.get("description", "")
    if "oneOf" in schema:
        return f"{name} = Literal[\n{''.join(map(choice, schema['oneOf']))}]\n" + docstring(doc, 0)
    if not is_record(schema):
        return f"{name} = {types.annotation(schema)}\n" + docstring(doc, 0)
    text = f"@dataclass(frozen=True, slots=True, repr=False, eq=False)\nclass {name}(Record):\n" + docstring(doc, 4)
    for key, field in schema["properties"].items():
        if key == "time":
            text += time_in_seconds(name, field)
            continue
        attribute, reader = python_name(key), types.reader(field)
        how = f" = field(metadata=sent_as({json.dumps(key) if attribute != key else None}, {reader}))"
        text += f"\n    {attribute}: {types.annotation(field)}{how if reader or attribute != key else ''}\n"
        text += docstring(field.get("description", ""), 4)
    return text


def time_in_seconds(record: str, field: Schema) -> str:
    """A `time` as all others in Python; on the wire it is in milliseconds, and nowhere null."""
    doc = field["description"]
    if field["type"] != "integer" or not doc.startswith(MILLISECONDS):
        raise SystemExit(f"{record}.time is not an integer that is told in {MILLISECONDS}: {json.dumps(field):.200}")
    text = "\n    time: float = field(metadata=sent_as(None, seconds))\n"
    return text + docstring(SECONDS + doc.removeprefix(MILLISECONDS), 4)


def choice(schema: Schema) -> str:
    doc = " ".join(schema.get("description", "").split())
    return filled(f"# {doc}", 4, "# ") + f"\n    {json.dumps(schema['const'])},\n"


def filled(text: str, indent: int, later: str = "") -> str:
    """Wrapped at 120 columns."""
    margin = " " * indent
    wrapper = textwrap.TextWrapper(120, margin, margin + later, break_long_words=False, break_on_hyphens=False)
    return wrapper.fill(text)


def models(types: Types) -> str:
    parts = [definition(name, types) for name in types.ordered()]
    text = HEADER.format("What psiod tells, as records.")
    text += "from dataclasses import dataclass, field\nfrom typing import Any, Literal\n\n"
    text += "from .answers import seconds\n"
    return text + "from .record import Record, list_of, sent_as\n\n" + "\n\n".join(["", *parts]).lstrip("\n")


def parameters(command: Schema, types: Types) -> tuple[str, list[str]]:
    """A command's parameters as those of a Python function, and their names on the wire."""
    schema, first, later, keys = command["params"], "", "", []
    for key, field in schema.get("properties", {}).items():
        # `format: columns` is another shape; `request` and `subscribe` have it as it is sent.
        if key == "format":
            continue
        keys.append(key)
        annotation = types.annotation(field).replace("list[", "Sequence[")
        if key in schema.get("required", ()):
            first += f", {python_name(key)}: {annotation}"
        else:
            later += f", {python_name(key)}: {annotation} = None"
    return first + (", *" + later if later else ""), keys


def method(name: str, command: Schema, types: Types, is_async: bool) -> str:
    accepted, keys = parameters(command, types)
    documented = command["params"].get("properties", {})
    doc = docstring(command["description"], 8)
    if keys:
        doc = doc.rstrip().removesuffix('"""') + "\n"
        for key in keys:
            about = " ".join(documented[key].get("description", "").split())
            doc += "\n" + filled(f"`{python_name(key)}`: {about}", 8) + "\n"
        doc += '        """\n'
    sent = ", ".join(f"{json.dumps(key)}: {python_name(key)}" for key in keys)
    head = f"    {'async ' * is_async}def {python_name(name)}(self{accepted}) -> "
    text = folded(f"{head}Answer[{types.annotation(command['reply'])}]:") + doc
    text += f"        params = {{{sent}}}\n" if keys else ""
    return text + f"        return {'await ' * is_async}self._ask({json.dumps(name)}, {'params' if keys else '{}'})\n"


def overload(name: str, command: Schema, types: Types, subscription: str) -> str:
    required, _, optional = parameters(command, types)[0].partition(", *")
    mode = "" if command["kind"] == WATCH else ", mode: Mode = None"
    head = f"    def subscribe(self, name: Literal[{json.dumps(name)}], *{required}, interval: float = 1.0{mode}"
    head += f"{optional}) -> {subscription}[{types.annotation(command['reply'])}]: ..."
    return "    @overload\n" + folded(head)


def folded(head: str) -> str:
    """A function's head on one line or, where that is longer than 120, with a parameter on each."""
    if len(head) <= 120:
        return head + "\n"
    before, _, rest = head.partition("(")
    inside, _, after = rest.rpartition(") ->")
    depth, parts = 0, [""]
    for character in inside:
        depth += (character in "[(") - (character in "])")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return f"{before}(\n" + "".join(f"        {part.strip()},\n" for part in parts) + f"    ) ->{after}\n"


def imported(module: str, names: set[str]) -> str:
    """An import on one line or, where that is longer than 120, with a name on each."""
    line = f"from .{module} import {', '.join(sorted(names))}\n"
    if len(line) <= 121:
        return line
    return f"from .{module} import (\n" + "".join(f"    {name},\n" for name in sorted(names)) + ")\n"


FACE = '''

class {a}Commands(ABC):
    """Each command as a method, of the {face} face."""

    @abstractmethod
    {d} _ask(self, name: str, params: dict[str, Any]) -> Answer[Any]: ...

    @abstractmethod
    def _subscribe(self, name: str, interval: float, mode: Mode, params: dict[str, Any]) -> {a}Subscription[Any]: ...
{methods}
{overloads}    @overload
    def subscribe(
        self, name: str, *, interval: float = 1.0, mode: Mode = None, **params: Any
    ) -> {a}Subscription[Any]: ...
    def subscribe(
        self, name: str, *, interval: float = 1.0, mode: Mode = None, **params: Any
    ) -> {a}Subscription[Any]:
        """Events of a read command, or of `process.watch`, with the parameters of that command.

        `interval`: seconds between events, 0.1 to 3600. `mode="delta"`: psiod sends lists as what changed, which is
        applied here, so that an event carries the whole list all the same. Commands that this version does not know
        arrive as JSON, and so does `format="columns"`. A subscription survives reconnections.
        """
        return self._subscribe(name, interval, mode, params)
'''


def reply(command: Schema, types: Types) -> str:
    row = types.reader(command["reply"]["items"]) if command.get("key") else None
    return f"Reply({types.reader(command['reply']) or 'plain'}, {row})"


def commands(schema: Schema, types: Types) -> str:
    known = schema["commands"]
    asked = {name: command for name, command in known.items() if command["kind"] != WATCH}
    watched = {name: command for name, command in known.items() if command["kind"] in ("read", WATCH)}
    used = {ref for command in known.values() for ref in references([command["params"], command["reply"]])} - {"Format"}
    table = "".join(f"    {json.dumps(name)}: {reply(command, types)},\n" for name, command in asked.items())
    readers = {name for name in ("Reply", "list_of", "plain") if name in table}
    text = HEADER.format("The commands of psiod, as methods.")
    text += "from abc import ABC, abstractmethod\nfrom collections.abc import Sequence\n"
    text += "from typing import Any, Literal, overload\n\nfrom .answers import Answer\n"
    text += imported("models", used) + imported("record", readers)
    text += "from .subscription import AsyncSubscription, Subscription\n\n"
    text += 'Mode = Literal["delta"] | None\n\nREPLIES: dict[str, Reply] = {\n' + table
    text += '}\n"""How the answer of each command is read."""\n'
    for is_async in (True, False):
        a = "Async" * is_async
        text += FACE.format(
            a=a,
            face="asyncio" if is_async else "sync",
            d="async def" if is_async else "def",
            methods="".join("\n" + method(name, command, types, is_async) for name, command in asked.items()),
            overloads="".join(overload(name, command, types, f"{a}Subscription") for name, command in watched.items()),
        )
    return text


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--check", action="store_true", help="fail when the files are not what would be written")
    is_check = arguments.parse_args().check
    schema = json.loads(SCHEMA.read_text())
    types = Types(schema["$defs"])
    for name, text in [("models.py", models(types)), ("commands.py", commands(schema, types))]:
        path = PACKAGE / name
        if is_check and path.read_text() != text:
            sys.exit(f"{name} is not what api/schema.json says; run: python clients/python/scripts/models.py")
        if not is_check:
            path.write_text(text)


if __name__ == "__main__":
    main()
