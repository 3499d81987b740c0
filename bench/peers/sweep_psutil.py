"""One psutil sweep with the fields of the frozen process.getall for each line `go` on stdin.

Speaks the round protocol of bench/floor (rounds.rs): prints `ready`, then one JSON line a round.
"""

import sys
import time

import psutil

from frozen import FIELDS


def main() -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() != "go":
            continue
        cpu, start = time.process_time_ns(), time.perf_counter_ns()
        rows = [process.info for process in psutil.process_iter(FIELDS)]
        us = (time.perf_counter_ns() - start) / 1e3
        cpu_us = (time.process_time_ns() - cpu) / 1e3
        print(f'{{"us":{us:.1f},"cpu_us":{cpu_us:.1f},"processes":{len(rows)}}}', flush=True)


if __name__ == "__main__":
    main()
