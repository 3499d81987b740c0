"""Daemons and children that live as long as the tests that use them."""

import pytest
from children import Child
from daemon import Psiod

STRATEGIES = {
    "auto": [],
    "kept": ["--sweep", "kept"],
    "opened": ["--sweep", "opened"],
    "portable": ["--source", "portable"],
}


def running(strategy):
    psiod = Psiod(*STRATEGIES[strategy])
    psiod.strategy = strategy
    try:
        yield psiod
    finally:
        psiod.stop_well()


@pytest.fixture(scope="session")
def psiod():
    """psiod as people start it."""
    yield from running("auto")


@pytest.fixture(scope="session", params=["kept", "opened"])
def native(request):
    """psiod with each way of reading `/proc`."""
    yield from running(request.param)


@pytest.fixture(scope="session", params=["kept", "opened", "portable"])
def any_source(request):
    """psiod with everything that can tell about this machine."""
    yield from running(request.param)


@pytest.fixture(scope="session", autouse=True)
def idle():
    """A psiod that nobody has spoken to since the tests began."""
    yield from running("auto")


@pytest.fixture
def start():
    """Starts psiod with options of a test's own. Whoever expects it to die stops it."""
    started = []

    def start(*options):
        started.append(Psiod(*options))
        return started[-1]

    yield start
    for psiod in started:
        psiod.stop()


@pytest.fixture
def client(psiod):
    with psiod.client() as client:
        yield client


@pytest.fixture
def spawn():
    """Starts children, and ends them."""
    children = []

    def spawn(*args, **kwargs):
        children.append(Child(*args, **kwargs))
        return children[-1]

    yield spawn
    for child in children:
        child.end()
