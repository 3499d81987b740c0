"""`memory.getall` against psutil, `/proc/meminfo` and free(1)."""

import subprocess
from dataclasses import dataclass

import psutil
import pytest
import truth

VIRTUAL = ["active", "available", "buffers", "cached", "free", "inactive", "percent", "shared", "slab", "total", "used"]
SWAP = ["free", "percent", "sin", "sout", "total", "used"]
WIRED = ["Unevictable", "SUnreclaim", "KernelStack", "PageTables", "Percpu"]
# More than this between two readings a few milliseconds apart, and they prove nothing.
TELLING = 32 << 20
LOOKS = 12


@dataclass
class Look:
    """An answer, and the same figures read before and after its sample was taken."""

    before: dict
    told: dict
    after: dict
    unknown: dict

    def holds(self, part, field):
        """Whether what psiod tells lies between two readings that are close to each other."""
        low, high = sorted((self.before[part][field], self.after[part][field]))
        return high - low <= TELLING and low <= self.told[part][field] <= high


def reading():
    virtual, swap, lines = psutil.virtual_memory(), psutil.swap_memory(), truth.meminfo()
    wired = {"wired": sum(lines[name] for name in WIRED)}
    return {"virtual": virtual._asdict() | wired, "swap": swap._asdict()}


@pytest.fixture(scope="module")
def looks(any_source):
    """Looks at a machine that others keep busy: memory moves to and fro between two readings, but not in each look."""
    found = []
    with any_source.client() as client:
        for _ in range(LOOKS):
            before = reading()
            answer = client.fresh("memory.getall")
            unknown = answer.get("meta", {}).get("unknown", {})
            found.append(Look(before, answer["data"], reading(), unknown))
            if all(any(look.holds("virtual", field) for look in found) for field in VIRTUAL if told(found, field)):
                break
    return found


def told(looks, field):
    """Whether the source can tell this field; if not, it says so."""
    return f"virtual.{field}" not in looks[0].unknown


@pytest.mark.parametrize("field", [*VIRTUAL, "wired"])
def test_virtual_memory_is_what_psutil_says(looks, field):
    if told(looks, field):
        readings = [(look.before["virtual"][field], look.told["virtual"][field]) for look in looks]
        assert any(look.holds("virtual", field) for look in looks), readings
    else:
        assert looks[0].told["virtual"][field] is None


@pytest.mark.parametrize("field", SWAP)
def test_swap_is_what_psutil_says(looks, field):
    if f"swap.{field}" in looks[0].unknown:
        assert looks[0].told["swap"][field] is None
    else:
        readings = [(look.before["swap"][field], look.told["swap"][field]) for look in looks]
        assert any(look.holds("swap", field) for look in looks), readings


@pytest.mark.parametrize("part", ["virtual", "swap"])
def test_the_total_is_exactly_what_psutil_says(looks, part):
    for look in looks:
        assert look.told[part]["total"] == look.before[part]["total"]


def test_percent_is_the_share_that_is_not_available(looks):
    for look in looks:
        virtual = look.told["virtual"]
        share = (virtual["total"] - virtual["available"]) / virtual["total"] * 100
        assert virtual["percent"] == pytest.approx(share, abs=0.051)


def test_used_is_what_is_not_available(looks):
    for look in looks:
        virtual = look.told["virtual"]
        assert virtual["used"] == virtual["total"] - virtual["available"]


def test_total_and_swap_are_what_free_says(client):
    rows = {line.split(":")[0]: line.split()[1:] for line in run_free().splitlines()[1:]}
    memory = client.data("memory.getall")
    assert memory["virtual"]["total"] == int(rows["Mem"][0])
    assert memory["swap"]["total"] == int(rows["Swap"][0])


def test_every_null_has_a_reason(looks):
    for look in looks:
        values = {f"{part}.{name}": value for part in look.told for name, value in look.told[part].items()}
        assert {name for name, value in values.items() if value is None} == set(look.unknown)


def run_free():
    return subprocess.run(["free", "-b"], capture_output=True, text=True, check=True, env={"LC_ALL": "C"}).stdout
