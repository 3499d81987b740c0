"""Records: what is new, absent or null in JSON."""

import pytest

from psio_client import Meta, ProtocolError, PsioError
from psio_client.errors import NotFound
from psio_client.models import CpuRow, DaemonStats, Description, ProcessDetail, ProcessRow


def test_keys_that_are_not_known_are_ignored() -> None:
    row = CpuRow.from_json({"num": 3, "usage": 1.5, "flavour": "strange"})
    assert (row.num, row.usage) == (3, 1.5)
    assert not hasattr(row, "flavour")


def test_null_is_none() -> None:
    row = ProcessRow.from_json({"pid": 1, "cpu_percent": None, "cpu_times": None})
    assert row.cpu_percent is None
    assert row.cpu_times is None


def test_what_was_not_sent_is_not_none_but_an_error_that_says_so() -> None:
    row = ProcessRow.from_json({"pid": 1})
    with pytest.raises(AttributeError, match=r"ProcessRow\.nice was not sent.*`fields`"):
        row.nice
    assert row.as_dict() == {"pid": 1}


def test_what_never_exists_is_told_apart_from_what_was_not_sent() -> None:
    with pytest.raises(AttributeError, match="ProcessRow has no attribute nicer"):
        ProcessRow.from_json({}).nicer


def test_pairs_are_tuples() -> None:
    row = ProcessDetail.from_json({"memory_info": [1, 2], "num_ctx_switches": [3, 4], "cmdline": ["a", "b"]})
    assert (row.memory_info, row.num_ctx_switches, row.cmdline) == ((1, 2), (3, 4), ["a", "b"])


def test_records_inside_records_are_read() -> None:
    stats = DaemonStats.from_json({"version": "9", "sweep": {"strategy": "kept", "newer": 1}})
    assert stats.sweep.strategy == "kept"


def test_a_key_that_is_no_name_in_python_has_another_name() -> None:
    assert Description.from_json({"$defs": {"A": {}}}).defs == {"A": {}}


def test_records_compare_by_what_was_sent() -> None:
    one, same, other = (CpuRow.from_json({"num": num}) for num in (1, 1, 2))
    assert one == same
    assert one != other
    assert one != CpuRow.from_json({"num": 1, "usage": None})
    assert one != ProcessRow.from_json({})


def test_records_show_what_was_sent() -> None:
    assert repr(CpuRow.from_json({"num": 1, "usage": 2.5})) == "CpuRow(num=1, usage=2.5)"


def test_records_do_not_change() -> None:
    with pytest.raises(AttributeError):
        CpuRow.from_json({"num": 1}).num = 2  # type: ignore[misc]


def test_what_is_no_object_is_no_record() -> None:
    with pytest.raises(ProtocolError, match="expected an object for CpuRow, got 7"):
        CpuRow.from_json(7)


def test_an_error_arrives_as_the_class_of_its_code() -> None:
    error = PsioError.from_json({"code": "not_found", "message": "no process 7", "details": {"pid": 7}})
    assert type(error) is NotFound
    assert (str(error), error.code, error.details) == ("no process 7 (not_found)", "not_found", {"pid": 7})


def test_an_error_of_a_code_from_the_future_is_a_psio_error() -> None:
    error = PsioError.from_json({"code": "on_fire", "message": "burns"})
    assert type(error) is PsioError
    assert error.code == "on_fire"


def test_an_error_without_sense_is_still_an_error() -> None:
    assert PsioError.from_json(None).code == "internal"


def test_meta_keeps_what_it_does_not_know() -> None:
    meta = Meta.from_json({"window_ms": 1000, "unknown": {"io": "denied"}, "mood": "fine"})
    assert (meta.window_ms, meta.total, meta.unknown, meta.json["mood"]) == (1000, None, {"io": "denied"}, "fine")
