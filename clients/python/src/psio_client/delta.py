"""Delta mode: a list, kept up to date by what changed."""

from __future__ import annotations

from typing import Any

from .record import Read

CHANGES = {"set", "add", "remove", "order"}


class BrokenDelta(Exception):
    """A change that cannot be applied to the list at hand: only a reset helps."""


def is_change(data: object) -> bool:
    """Whether the data of a first event is of this mode: commands that do not list are sent whole in it too."""
    return isinstance(data, dict) and ("reset" in data or data.keys() <= CHANGES)


class DeltaList:
    """The rows of a subscription in delta mode, by key and in order.

    Rows that were handed out are never changed afterwards; those that did not change are handed out again.
    """

    def __init__(self, row: Read | None) -> None:
        self._row = row
        self._rows: dict[str, Any] = {}
        self._read: dict[str, Any] = {}
        self._order: list[str] | None = None

    def apply(self, change: Any, is_gap: bool) -> None:
        """Takes the data of an event. `is_gap`: events before this one are missing."""
        try:
            if "reset" in change:
                self._rows, self._read, self._order = dict(change["reset"]), {}, list(change["order"])
            elif self._order is None or is_gap:
                raise BrokenDelta("changes came where a reset was due")
            else:
                self._change(change)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BrokenDelta(f"a change does not fit the list: {error!r}") from error
        if change.keys() & {"reset", "add", "remove", "order"}:
            self._check_order()

    def rows(self) -> list[Any]:
        """The list as it is now."""
        row = self._row
        if row is None:
            return [self._rows[key] for key in self._order or ()]
        for key in self._rows.keys() - self._read.keys():
            self._read[key] = row(self._rows[key])
        return [self._read[key] for key in self._order or ()]

    def _change(self, change: dict[str, Any]) -> None:
        for key in change.get("remove", ()):
            del self._rows[key]
            self._read.pop(key, None)
        for key, row in change.get("add", {}).items():
            self._rows[key] = row
            self._read.pop(key, None)
        for key, values in change.get("set", {}).items():
            self._rows[key] = {**self._rows[key], **values}
            self._read.pop(key, None)
        if "order" in change:
            self._order = list(change["order"])

    def _check_order(self) -> None:
        order = self._order or []
        if len(order) != len(self._rows) or set(order) != self._rows.keys():
            raise BrokenDelta("the order does not list the rows")
