"""Delta mode, on its own."""

from typing import Any

import pytest

from psio_client.delta import BrokenDelta, DeltaList, is_change
from psio_client.models import CpuRow

RESET: dict[str, Any] = {
    "reset": {"0": {"num": 0, "usage": 1.0}, "1": {"num": 1, "usage": 2.0}},
    "order": ["1", "0"],
}


def fresh() -> DeltaList:
    delta = DeltaList(None)
    delta.apply(RESET, False)
    return delta


def test_a_reset_is_the_list_in_its_order() -> None:
    assert fresh().rows() == [{"num": 1, "usage": 2.0}, {"num": 0, "usage": 1.0}]


def test_an_empty_change_changes_nothing() -> None:
    delta = fresh()
    before = delta.rows()
    delta.apply({}, False)
    assert delta.rows() == before


def test_null_in_a_change_is_a_value() -> None:
    delta = fresh()
    delta.apply({"set": {"1": {"usage": None}}}, False)
    assert delta.rows()[0] == {"num": 1, "usage": None}


def test_rows_come_go_and_change_places() -> None:
    delta = fresh()
    delta.apply({"remove": ["1"], "add": {"2": {"num": 2, "usage": 3.0}}, "order": ["0", "2"]}, False)
    assert [row["num"] for row in delta.rows()] == [0, 2]
    delta.apply({"order": ["2", "0"]}, False)
    assert [row["num"] for row in delta.rows()] == [2, 0]


def test_a_row_that_was_removed_and_added_again_is_the_new_one() -> None:
    delta = fresh()
    delta.apply({"remove": ["1"], "add": {"1": {"num": 1}}, "set": {"1": {"usage": 9.0}}}, False)
    assert delta.rows()[0] == {"num": 1, "usage": 9.0}


def test_what_was_handed_out_does_not_change() -> None:
    delta = fresh()
    earlier = delta.rows()
    delta.apply({"set": {"1": {"usage": 5.0}}}, False)
    assert earlier[0]["usage"] == 2.0


def test_records_that_did_not_change_are_handed_out_again() -> None:
    delta = DeltaList(CpuRow.from_json)
    delta.apply(RESET, False)
    earlier = delta.rows()
    delta.apply({"set": {"1": {"usage": 5.0}}}, False)
    later = delta.rows()
    assert (later[0].usage, later[1] is earlier[1]) == (5.0, True)


def test_a_reset_replaces_everything_even_after_a_gap() -> None:
    delta = fresh()
    delta.apply({"reset": {"7": {"num": 7}}, "order": ["7"]}, True)
    assert delta.rows() == [{"num": 7}]


@pytest.mark.parametrize(
    "change",
    [
        {"set": {"9": {"usage": 1.0}}},
        {"remove": ["9"]},
        {"add": {"2": {"num": 2}}},
        {"remove": ["1"]},
        {"order": ["0"]},
        {"order": ["0", "0"]},
        {"order": ["0", "9"]},
        {"set": {"1": 7}},
        {"set": 7},
        {"reset": {}},
        {"reset": {"1": {}}, "order": ["2"]},
        7,
        None,
    ],
)
def test_a_change_that_does_not_fit_is_noticed(change: Any) -> None:
    with pytest.raises(BrokenDelta):
        fresh().apply(change, False)


def test_a_change_after_a_gap_is_not_applied() -> None:
    with pytest.raises(BrokenDelta, match="where a reset was due"):
        fresh().apply({"set": {"1": {"usage": 5.0}}}, True)


def test_a_change_before_any_reset_is_not_applied() -> None:
    with pytest.raises(BrokenDelta, match="where a reset was due"):
        DeltaList(None).apply({}, False)


@pytest.mark.parametrize(
    ("data", "expected"), [(RESET, True), ({}, True), ({"set": {}}, True), ({"virtual": {}}, False), ([], False)]
)
def test_a_whole_answer_is_told_apart_from_a_change(data: object, expected: bool) -> None:
    assert is_change(data) is expected
