"""Rates: `cpu_percent` against the CPU clock of the process itself, `usage` against psutil, over the window that psiod
says it measured."""

import itertools
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psutil
import pytest
from children import Burner, Clock
from conftest import STRATEGIES
from daemon import Psiod, until

POINTS = 2.0
SHARE = 0.3
TICK = 1 / os.sysconf("SC_CLK_TCK")
SOURCES = ["kept", "opened", "portable"]
RATES = [0.1, 0.15, 0.25, 0.4, 0.7, 1.0, 2.0, 3.0]


@dataclass
class Told:
    """What one client was told once."""

    end: float
    window: float
    percent: float

    @property
    def start(self):
        return self.end - self.window

    @classmethod
    def by(cls, client, pid):
        answer = client.answer("process.getall", filter=f"pid={pid}", fields=["cpu_percent"])
        (row,) = answer["data"]
        return cls(answer["time"] / 1e3, answer["meta"]["window_ms"] / 1e3, row["cpu_percent"])

    def misses(self, clock):
        """By how many points it misses what the clock says over the same window; 0 when it lies between the readings
        around both ends."""
        least, most = (used / self.window * 100 for used in clock.grown(self.start, self.end))
        return max(least - self.percent, self.percent - most, 0.0)


class CpuClock:
    """psutil's CPU times, read all the time on a thread of its own."""

    def __enter__(self):
        self._readings = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _read(self):
        while not self._stop.is_set():
            self._readings.append((time.time(), psutil.cpu_times(percpu=True), time.time()))
            self._stop.wait(0.01)

    def read_after(self, moment):
        until(lambda: self._readings and self._readings[-1][0] > moment, "psutil is read once more")

    def busy(self, num):
        return Clock([(start, total(cpus[num]) - idle(cpus[num]), end) for start, cpus, end in self._readings])

    def all(self, num):
        return Clock([(start, total(cpus[num]), end) for start, cpus, end in self._readings])


def idle(times):
    return times.idle + times.iowait


def total(times):
    # The kernel counts guests' time in user time, too.
    return sum(times) - times.guest - times.guest_nice


@pytest.fixture(scope="module")
def side_by_side():
    """What the only client of each psiod is told of one process that burns 30 % of one core, every second and a half;
    and the clock of that process. All at the same time, to save it."""
    burner = Burner(SHARE)

    def poll(strategy):
        psiod = Psiod(*STRATEGIES[strategy])
        try:
            with psiod.client() as client:
                return list(paced(lambda: Told.by(client, burner.pid), 1.5, 3.1))
        finally:
            psiod.stop_well()

    try:
        with ThreadPoolExecutor() as threads:
            told = {strategy: threads.submit(poll, strategy) for strategy in SOURCES}
        clock = burner.clock()
    finally:
        burner.end()
    return told, clock


@pytest.fixture(scope="module", params=SOURCES)
def alone(request, side_by_side):
    told, clock = side_by_side
    return told[request.param].result(), clock


def paced(call, seconds, duration):
    """What `call` gives, called every so many seconds."""
    begun = time.monotonic()
    for due in itertools.count(0, seconds):
        if due > duration:
            return
        time.sleep(max(0.0, begun + due - time.monotonic()))
        yield call()


def test_cpu_percent_is_what_the_own_clock_of_the_process_says(alone):
    told, clock = alone
    long = [one for one in told[1:] if one.window >= 1]
    assert long
    assert [(one, one.misses(clock)) for one in long if one.misses(clock) > POINTS] == []


def test_a_window_runs_from_what_the_client_was_told_last(alone):
    told, _ = alone
    for before, now in changes(told):
        assert now.window == pytest.approx(now.end - before.end, abs=0.003)


def changes(told):
    """Pairs of successive tellings of different samples."""
    return [(before, now) for before, now in zip(told, told[1:]) if now.end > before.end]


@pytest.fixture(scope="module")
def crowd(psiod):
    """What each of eight clients that poll at different rates is told of the same process, and its clock."""
    burner = Burner(SHARE)

    def poll(seconds):
        with psiod.client() as client:
            return list(paced(lambda: Told.by(client, burner.pid), seconds, 4.6))

    try:
        with ThreadPoolExecutor(len(RATES)) as threads:
            told = dict(zip(RATES, threads.map(poll, RATES)))
        clock = burner.clock()
    finally:
        burner.end()
    return told, clock


@pytest.mark.parametrize("seconds", [seconds for seconds in RATES if seconds >= 1])
def test_cpu_percent_is_right_while_others_poll_at_other_rates(crowd, seconds):
    told, clock = crowd
    long = [one for one in told[seconds] if one.window >= 1]
    assert long
    assert [(one, one.misses(clock)) for one in long if one.misses(clock) > POINTS] == []


@pytest.mark.parametrize("seconds", RATES)
def test_nobody_shortens_the_window_of_another(crowd, seconds):
    told, _ = crowd
    for before, now in changes(told[seconds]):
        assert now.window >= max(0.2, now.end - before.end) - 0.003


@pytest.mark.parametrize("seconds", [seconds for seconds in RATES if seconds >= 1])
def test_nobody_lengthens_the_window_of_another(crowd, seconds):
    told, _ = crowd
    for before, now in changes(told[seconds]):
        # Readings older than two seconds are thinned out to one every half second.
        assert now.window <= now.end - before.end + 0.6


def test_a_short_window_is_no_further_off_than_its_clock_ticks(crowd):
    told, clock = crowd
    for one in (one for tellings in told.values() for one in tellings):
        slack = POINTS + 2 * TICK / one.window * 100
        assert one.misses(clock) <= slack, one


@pytest.fixture(scope="module", params=["auto", "portable"])
def pinned(request):
    """The usage of each CPU over about two seconds while one of them is kept busy, and psutil's clocks of them."""
    busy = max(os.sched_getaffinity(0))
    burner, psiod = Burner(0.6, busy), Psiod(*STRATEGIES[request.param])
    try:
        with CpuClock() as clock, psiod.client() as client:
            until(lambda: clock._readings, "psutil is read")
            client.fresh("cpu.getall")
            time.sleep(2)
            answer = client.answer("cpu.getall")
            clock.read_after(answer["time"] / 1e3 + 0.001)
    finally:
        burner.end()
        psiod.stop_well()
    end, window = answer["time"] / 1e3, answer["meta"]["window_ms"] / 1e3
    return answer["data"], clock, end - window, end


def between(clock, num, start, end):
    """Percent of the window that the CPU was busy, at least and at most."""
    (least, most), (short, long) = clock.busy(num).grown(start, end), clock.all(num).grown(start, end)
    return least / long * 100, most / short * 100


def test_the_usage_of_each_cpu_is_what_psutil_says(pinned):
    rows, clock, start, end = pinned
    for row in rows:
        least, most = between(clock, row["num"], start, end)
        assert least - POINTS <= row["usage"] <= most + POINTS, row


def test_the_usage_of_all_cpus_together_is_what_psutil_says(pinned):
    rows, clock, start, end = pinned
    bounds = [between(clock, row["num"], start, end) for row in rows]
    least, most = sum(low for low, _ in bounds), sum(high for _, high in bounds)
    assert least - POINTS <= sum(row["usage"] for row in rows) <= most + POINTS


def test_every_cpu_is_listed(pinned):
    assert [row["num"] for row in pinned[0]] == list(range(psutil.cpu_count()))


def test_usage_is_made_of_its_parts(pinned):
    for row in pinned[0]:
        assert row["usage"] == pytest.approx(row["user"] + row["system"] + row["steal"], abs=0.03)


@pytest.fixture(scope="module", params=SOURCES)
def first(request):
    """What a psiod just started answers first, about a process that burns 80 % of a core and about the CPUs; the clock
    of that process, and the number of the CPU it is pinned to."""
    busy = max(os.sched_getaffinity(0))
    burner, psiod = Burner(0.8, busy), Psiod(*STRATEGIES[request.param])
    try:
        with psiod.client() as client:
            process, cpus = Told.by(client, burner.pid), client.data("cpu.getall")
        clock = burner.clock()
    finally:
        burner.end()
        psiod.stop_well()
    return process, cpus, clock, busy


def test_the_first_figure_of_a_process_after_start_is_real(first):
    process, _, clock, _ = first
    assert process.percent > 0 and process.window >= 0.2
    assert process.misses(clock) <= POINTS + 2 * TICK / process.window * 100, process


def test_the_first_figures_of_the_cpus_after_start_are_real(first):
    _, cpus, _, busy = first
    assert all(isinstance(row["usage"], (int, float)) for row in cpus)
    assert cpus[busy]["usage"] > 40


def test_a_process_born_since_the_last_answer_has_a_rate(psiod):
    with psiod.client() as client:
        client.fresh("process.getall")
        burner = Burner(0.8)
        try:
            until(lambda: sum(psutil.Process(burner.pid).cpu_times()) > 0.1, "it burns")
            row = client.process(burner.pid)
        finally:
            burner.end()
    assert row["cpu_percent"] > 0
