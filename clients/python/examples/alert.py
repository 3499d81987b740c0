"""Says so when a process keeps a CPU busy for long, or when memory runs low.

    python alert.py --cpu 90 --for 60 --memory 5

Each alert is one line, once until its cause has passed. With --once the first ends the script with exit code 1; with
--seconds it ends by itself after that time, with 0 when there was nothing to say and 1 otherwise.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator

from psio_client import DEFAULT_URL, Client, PsioError
from psio_client.models import ProcessRow, VirtualMemory

Process = tuple[int, int]
"""Pid and start time: a pid alone may be given to another process meanwhile."""


class BusyProcesses:
    """Which processes have been above a limit without a pause, and since when."""

    def __init__(self, duration: float) -> None:
        self._duration = duration
        self._since: dict[Process, float] = {}
        self._told: set[Process] = set()

    def take(self, busy: list[ProcessRow], now: float) -> Iterator[str]:
        """Takes those above the limit at a moment; gives a line for each that has been so long enough."""
        rows = {(row.pid, row.started): row for row in busy}
        self._since = {process: self._since.get(process, now) for process in rows}
        self._told &= rows.keys()
        for process, row in rows.items():
            duration = now - self._since[process]
            if duration >= self._duration and process not in self._told:
                self._told.add(process)
                who = f"{row.name} (pid {row.pid}, {row.username})"
                yield f"{who} uses {row.cpu_percent} % CPU, for {duration:.0f} s now"


class LowMemory:
    """Whether little memory is available."""

    def __init__(self, percent: float) -> None:
        self._percent = percent
        self._is_low = False

    def take(self, memory: VirtualMemory) -> Iterator[str]:
        """Gives a line when it has become little."""
        if memory.available is None or memory.total is None:
            return
        available = 100 * memory.available / memory.total
        was_low, self._is_low = self._is_low, available < self._percent
        if self._is_low and not was_low:
            yield f"only {memory.available / 2**20:.0f} MiB of memory available, {available:.1f} % of all"


def watch(psio: Client, arguments: argparse.Namespace) -> int:
    """Prints alerts; the exit code."""
    processes, memory = BusyProcesses(arguments.duration), LowMemory(arguments.memory)
    end = time.monotonic() + arguments.seconds if arguments.seconds else None
    alerts = 0
    # psiod picks out the busy ones; an event with an empty list says that there are none.
    events = psio.subscribe(
        "process.getall",
        interval=arguments.interval,
        filter=f"cpu_percent>={arguments.cpu}",
        fields=["pid", "started", "name", "username", "cpu_percent"],
    )
    for event in events:
        lines = [
            *processes.take(event.data, event.time or time.time()),
            *memory.take(psio.memory_getall().data.virtual),
        ]
        for line in lines:
            print(line, flush=True)
        alerts += len(lines)
        if (arguments.once and alerts) or (end and time.monotonic() >= end):
            break
    return 1 if alerts else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default=DEFAULT_URL, help="where psiod is (default: %(default)s)")
    parser.add_argument("--cpu", type=float, default=90, metavar="PERCENT", help="100 is one core (default: 90)")
    parser.add_argument(
        "--for", type=float, default=60, metavar="SECONDS", dest="duration", help="how long it is busy (default: 60)"
    )
    parser.add_argument("--memory", type=float, default=5, metavar="PERCENT", help="available at least (default: 5)")
    parser.add_argument("--interval", type=float, default=1, metavar="SECONDS", help="between looks (default: 1)")
    parser.add_argument("--once", action="store_true", help="end with the first alert")
    parser.add_argument("--seconds", type=float, metavar="SECONDS", help="end after this time")
    arguments = parser.parse_args()
    try:
        with Client(arguments.url) as psio:
            return watch(psio, arguments)
    except (ConnectionError, PsioError) as error:
        print(f"alert: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
