"""How JSON becomes typed records: tolerant of keys that are new, and of keys that were not asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from .errors import ProtocolError

R = TypeVar("R", bound="Record")
Read = Callable[[Any], Any]


class Record:
    """Base of every record.

    Keys that the record does not know are ignored: version 1 of the protocol only ever adds. A `null` is `None`: the
    machine cannot know. A key that was not sent (`fields` left it out, or psiod is older than this package) has no
    attribute: reading it raises an `AttributeError` that says so, because `None` would say something else.
    """

    __slots__ = ()

    @classmethod
    def from_json(cls: type[R], data: object) -> R:
        """A record from a parsed JSON object. The types of plain values are taken on trust."""
        if not isinstance(data, dict):
            raise ProtocolError(f"expected an object for {cls.__name__}, got {data!r:.80}")
        record = object.__new__(cls)
        for key, put, read in _plan(cls):
            if key in data:
                value = data[key]
                put(record, value if read is None or value is None else read(value))
        return record

    def as_dict(self) -> dict[str, Any]:
        """The attributes that were sent, by name. Records inside stay records."""
        found = {}
        for name in _names(type(self)):
            try:
                found[name] = object.__getattribute__(self, name)
            except AttributeError:
                continue
        return found

    def __getattr__(self, name: str) -> Any:
        # Only reached when the slot is empty or does not exist.
        kind = type(self).__name__
        if name in _names(type(self)):
            raise AttributeError(f"{kind}.{name} was not sent; is it among the `fields` that were asked for?")
        raise AttributeError(f"{kind} has no attribute {name}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record) or type(self) is not type(other):
            return NotImplemented
        return self.as_dict() == other.as_dict()

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.as_dict().items())
        return f"{type(self).__name__}({shown})"


def sent_as(key: str | None, read: Read | None) -> dict[str, Any]:
    """Metadata of a field whose key in JSON differs from its name, or whose value is more than JSON's own types."""
    return {"key": key, "read": read}


def list_of(item: Read) -> Read:
    """Reads an array whose items need reading themselves."""

    def read(data: Any) -> list[Any]:
        if not isinstance(data, list):
            raise ProtocolError(f"expected an array, got {data!r:.80}")
        return [item(value) for value in data]

    return read


@dataclass(frozen=True, slots=True)
class Reply:
    """How the `data` of a command's answer is read."""

    read: Read
    row: Read | None
    """For commands that list: how one row is read."""


def plain(data: Any) -> Any:
    """Reads what is JSON and stays it."""
    return data


Plan = list[tuple[str, Callable[[Any, Any], None], "Read | None"]]
_PLANS: dict[type[Any], Plan] = {}


def _plan(cls: type[Any]) -> Plan:
    """Key in JSON, what sets the attribute, and what reads the value. The slot is set directly: records are frozen."""
    if (plan := _PLANS.get(cls)) is None:
        plan = _PLANS[cls] = [
            (field.metadata.get("key") or field.name, getattr(cls, field.name).__set__, field.metadata.get("read"))
            for field in fields(cls)
        ]
    return plan


def _names(cls: type[Any]) -> list[str]:
    return [field.name for field in fields(cls)]
