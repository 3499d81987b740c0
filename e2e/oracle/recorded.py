"""A machine that never was, in the form that `psiod --replay` plays: when it has run its second it stands still, and
every answer about it is the same for ever."""

import json

BOOTED = 1_767_225_600
UPTIME = 100_000
GIB = 1 << 30
LOAD = [2.41, 1.87, 1.2]
MEMORY = {
    "total": 16 * GIB, "available": 12 * GIB, "free": 4 * GIB, "active": 3 * GIB, "inactive": 5 * GIB,
    "buffers": GIB, "cached": 7 * GIB, "shared": GIB // 8, "slab": GIB // 4,
}
NAMES = {1: "systemd", 412: "Finder", 666: 'a"b\\c\nd\re\u202e\U0001f980 {x="1"} 2 # EOF', 700: "postgres", 900: ""}
"""Names of its processes by pid. `wired` memory is not known there."""


def write(path, crowd=0):
    """Writes the recording, with so many more processes if wanted; its path."""
    lines = [{"psio_recording": 1}, snapshot(0, crowd), snapshot(1, crowd)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def snapshot(second, crowd=0):
    at = {"since_boot_ns": (UPTIME + second) * 10**9, "wall_ms": (BOOTED + UPTIME + second) * 1000}
    counters = ["nice", "system", "iowait", "irq", "softirq", "steal"]
    cpus = [
        {"num": num, "user_ticks": 1000 + user * second, "idle_ticks": 5000 + (100 - user) * second}
        | {f"{counter}_ticks": 0 for counter in counters}
        for num, user in enumerate([40, 0])
    ]
    names = NAMES | {1000 + number: f"worker-{number}" for number in range(crowd)}
    processes = {
        "processes": [process(pid, name, second) for pid, name in names.items()],
        "ticks_per_second": 100, "boot_time": BOOTED, "memory_total_bytes": 16 * GIB, "unknown": {},
    }
    host = {
        "hostname": "atlas", "os": "Debian", "kernel": "6.12.41", "architecture": "x86_64", "boot_id": "3f0a5f3e",
        "boot_time": BOOTED, "cpu_model": "A CPU", "logical_cpus": 2, "physical_cores": 1, "load_average": LOAD,
        "threads_running": 2, "threads_total": 4242,
    }
    memory = {f"{name}_bytes": value for name, value in MEMORY.items()}
    return {
        "cpus": {"at": at, "value": {"cpus": cpus}},
        "memory": {"at": at, "value": memory | {"wired_bytes": None}},
        "processes": {"at": at, "value": processes},
        "host": {"at": at, "value": host},
    }


def process(pid, name, second):
    """The larger the pid, the more CPU it uses and the less memory it holds."""
    return {
        "pid": pid, "ppid": 0, "started": pid * 100,
        "cpu_time": {"total_ns": 10**9 + pid * 10**5 * second, "system_ns": 0},
        "memory": {"rss_bytes": GIB - pid * 4096, "vms_bytes": 2 * GIB},
        "uid": 0, "num_threads": 1, "cpu_num": 0, "nice": 0, "status": "sleeping",
        "identity": {"name": name, "cmdline": [name], "username": "root", "terminal": None},
    }
