"""What psutil says of the same machine, read before and after psiod reads it."""

import os
from dataclasses import dataclass

import psutil

GONE = (psutil.NoSuchProcess, ProcessLookupError, FileNotFoundError)


def told(text):
    """Text of the kernel as psiod tells it: what is not UTF-8 becomes replacement characters."""
    return None if text is None else os.fsencode(text).decode("utf-8", "replace")


def process(pid):
    """psutil's reading of one process, under psiod's names of the fields; `None` when it is gone."""
    try:
        return _process(psutil.Process(pid))
    except GONE:
        return None


def _process(process):
    with process.oneshot():
        times = process.cpu_times()
        memory = process.memory_info()
        status = process.status()
        try:
            cmdline = process.cmdline()
        except psutil.ZombieProcess:
            cmdline = []
        return {
            "pid": process.pid,
            "name": told(process.name()),
            "username": process.username(),
            "status": status,
            "nice": process.nice(),
            "num_threads": process.num_threads(),
            "cpu_times": [times.user, times.system],
            "memory_info": [memory.rss, memory.vms],
            "create_time": process.create_time(),
            "ppid": process.ppid(),
            "uid": process.uids().real,
            "cpu_num": process.cpu_num(),
            "terminal": process.terminal(),
            "cmdline": [told(argument) for argument in cmdline],
            "switches": tuple(process.num_ctx_switches()),
        }


def processes():
    """psutil's reading of every process, by pid."""
    # psutil remembers the terminals of its first look, and tests open new ones.
    psutil._psposix.get_terminal_map.cache_clear()
    readings = {pid: process(pid) for pid in psutil.pids()}
    return {pid: reading for pid, reading in readings.items() if reading}


@dataclass
class Bracket:
    """One answer of `process.getall`, and psutil's readings before and after its sample was taken."""

    before: dict
    rows: list
    after: dict
    unknown: dict
    began: float
    """Seconds since boot when the first reading began."""
    watcher: int
    """psiod itself, which has more threads and memory while it looks than before and after."""

    @classmethod
    def around(cls, client, watcher):
        began = uptime()
        before = processes()
        answer = client.fresh("process.getall")
        return cls(before, answer["data"], processes(), answer["meta"].get("unknown", {}), began, watcher)

    def same(self):
        """Each row of a process that was there all the time, with the readings before and after."""
        for row in self.rows:
            before, after = self.before.get(row["pid"]), self.after.get(row["pid"])
            stayed = before and after and before["create_time"] == after["create_time"]
            if stayed and row["pid"] != self.watcher:
                yield row, before, after


def uptime():
    with open("/proc/uptime") as file:
        return float(file.read().split()[0])


def meminfo():
    """The lines of `/proc/meminfo`, in bytes."""
    with open("/proc/meminfo") as file:
        pairs = (line.split(":") for line in file)
        return {name: int(value.split()[0]) * 1024 for name, value in pairs}
