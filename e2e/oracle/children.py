"""Processes that behave as a test tells them."""

import json
import math
import subprocess
import sys

PRELUDE = """
import ctypes, mmap, os, resource, signal, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
def rename(name):
    assert libc.prctl(15, ctypes.c_char_p(name), 0, 0, 0) == 0  # PR_SET_NAME, of the calling thread
def ready(word=""):
    print("ready", word, flush=True)
def told():
    return sys.stdin.readline().strip()
"""


class Child:
    """A Python child that runs `code`, which calls `ready(word)` once it is as the test wants it, and then lives until
    its standard input is closed."""

    def __init__(self, code="", *arguments, program=None, **options):
        command = program or [sys.executable, "-I", "-S", "-c", f"{PRELUDE}{code}\nready()\ntold()", *arguments]
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True} | options
        self.process = subprocess.Popen(command, **options)
        self.words = self.hear() if program is None else []

    @property
    def pid(self):
        return self.process.pid

    def hear(self):
        """Waits until it is ready; the words it says besides."""
        line = self.process.stdout.readline().split()
        assert line[:1] == ["ready"], f"the child {self.pid} failed: {line}"
        return line[1:]

    def tell(self, word):
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def end(self):
        """Kills and reaps it. Harmless when done twice."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass


class Clock:
    """Readings of something that only grows, each with the wall clock before and after it."""

    def __init__(self, readings):
        self.readings = readings

    def at(self, moment):
        """Between which values it stood at this moment."""
        low = [value for _, value, after in self.readings if after <= moment]
        high = [value for before, value, _ in self.readings if before >= moment]
        assert low and high, "the clock was not read around this moment"
        return low[-1], high[0]

    def grown(self, start, end):
        """By how much at least and at most it grew between these moments."""
        (start_low, start_high), (end_low, end_high) = self.at(start), self.at(end)
        return end_low - start_high, end_high - start_low


BURN = """
import json
share, readings = float(sys.argv[1]), []
if len(sys.argv) > 2:
    os.sched_setaffinity(0, [int(sys.argv[2])])
def read():
    readings.append((time.time(), time.process_time(), time.time()))
def end(*_):
    read()
    print(json.dumps(readings), flush=True)
    sys.exit()
signal.signal(signal.SIGTERM, end)
started, used = time.monotonic(), time.process_time()
ready()
while True:
    while time.process_time() - used < share * (time.monotonic() - started):
        pass
    read()
    time.sleep(0.008)
    read()
"""


class Burner(Child):
    """A child that burns a share of one core, by its own CPU clock."""

    def __init__(self, share, cpu=None):
        super().__init__(BURN, str(share), *([] if cpu is None else [str(cpu)]))

    def clock(self):
        """Ends it; its CPU seconds as it read them itself, nothing before it was born."""
        self.process.terminate()
        return Clock([(-math.inf, 0.0, -math.inf), *json.loads(self.process.stdout.readline())])
