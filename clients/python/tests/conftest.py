"""What tests share: a live psiod, and coroutines as tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from daemon import Psiod


@pytest.fixture(scope="session")
def psiod() -> Iterator[Psiod]:
    """A live psiod."""
    running = Psiod()
    yield running
    running.stop()


@pytest.fixture
def start() -> Iterator[Callable[[int], Psiod]]:
    """Starts a psiod of a test's own on a port."""
    started: list[Psiod] = []

    def start(port: int) -> Psiod:
        started.append(Psiod(port))
        return started[-1]

    yield start
    for psiod in started:
        psiod.stop()
