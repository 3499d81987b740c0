"""A live psiod, as its clients see it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
import weakref
from pathlib import Path

import pytest

PATIENCE = 15.0
"""Seconds after which what should happen counts as not happening, also on a machine that others keep busy."""


class Psiod:
    """A running psiod, on a free port unless one is given."""

    def __init__(self, port: int = 0) -> None:
        program = os.environ.get("PSIOD")
        if not program:
            pytest.fail(
                "these tests need a psiod; type: cargo build --bin psiod && "
                "PSIOD=$(pwd)/target/debug/psiod python -m pytest clients/python",
                pytrace=False,
            )
        self._folder = tempfile.TemporaryDirectory(prefix="psiod-")
        self._log = Path(self._folder.name) / "log"
        weakref.finalize(self, self._folder.cleanup)
        with self._log.open("wb") as log:
            nothing = subprocess.DEVNULL
            self.process = subprocess.Popen([program, "--port", str(port)], stdin=nothing, stdout=nothing, stderr=log)
        self.port = self._wait_for_port()
        self.url = f"ws://127.0.0.1:{self.port}/"

    def _wait_for_port(self) -> int:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            log = self._log.read_bytes()
            if found := re.search(rb"listening on http://127\.0\.0\.1:(\d+) ", log):
                return int(found[1])
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        self.stop()
        raise AssertionError(f"psiod did not listen: {self._log.read_text(errors='replace')}")

    def stop(self) -> None:
        """Ends it as a person would."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
