"""A limit on the cost of a test: one that uses more than BUDGET_S of CPU time, ATTEMPTS times in a row, fails.

CPU time, not wall time, and in units of the usual machine, so that a busy or slower one fails nothing. It counts the
threads of this process and the children that it has waited for, from the test's first fixture to its last. Fixtures
that several tests share do not count: chance decides which test makes them.
"""

import gc
import os
import sys
import time
from collections.abc import Generator, Iterator

import pytest
from _pytest.runner import runtestprotocol

BUDGET_S = 2.0
USUAL_S = 0.033
"""CPU time of `_calibration` on the machine that the budget is meant for, when it is quiet."""
ATTEMPTS = 3
EXCEEDED = "the budget of a test is"
EXEMPT = ("browser", "crash", "slow_because")
_on_shared_fixtures = pytest.StashKey[float]()


_started = {"children": 0}


def _note_child(event: str, _: tuple[object, ...]) -> None:
    if event in ("subprocess.Popen", "os.fork", "os.posix_spawn"):
        _started["children"] += 1


sys.addaudithook(_note_child)


def cpu_seconds(*, with_children: bool = True) -> float:
    """CPU time of this process and of the children that it has waited for."""
    times = os.times()
    return times.user + times.system + (times.children_user + times.children_system if with_children else 0.0)


def _slowness() -> float:
    """How many times slower this machine is now than usual: a crowded one needs more CPU time for the same work."""
    return max(1.0, *(_calibration() / USUAL_S for _ in range(3)))


def _calibration() -> float:
    start, kept = time.process_time(), {}
    for number in range(300_000):
        kept[number % 1000] = str(number)
    return time.process_time() - start


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run a test again that exceeded the budget: a busy machine costs one in a hundred a second or more at random."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for attempt in range(1, ATTEMPTS + 1):
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        if attempt == ATTEMPTS or not any(report.failed and EXCEEDED in str(report.longrepr) for report in reports):
            break
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_collection_finish() -> None:
    """Exclude the suite from garbage collection, where a full pass would cost a random test a second."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _a_budget(request: pytest.FixtureRequest) -> Iterator[None]:
    """Measure a test: set up before its other fixtures, so torn down after them."""
    stash = request.config.stash
    has_budget = not _is_exempt(request)
    stash[_on_shared_fixtures] = 0.0
    children, start, alone = _started["children"], cpu_seconds(), cpu_seconds(with_children=False)
    yield
    # A child of an earlier test may be waited for only now: it counts for tests that start children themselves.
    has_children = _started["children"] > children
    used = cpu_seconds() - start if has_children else cpu_seconds(with_children=False) - alone
    used -= stash[_on_shared_fixtures]
    if has_budget and used > BUDGET_S and used > BUDGET_S * (slowness := _slowness()):
        pytest.fail(
            f"used {used:.1f} s of CPU; {EXCEEDED} {BUDGET_S:g} s, here times {slowness:.1f}",
            pytrace=False,
        )


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Measure shared fixtures, including the fixtures that they request."""
    if request.scope == "function":
        return (yield)
    stash = request.config.stash
    before, start = stash.get(_on_shared_fixtures, 0.0), cpu_seconds()
    try:
        return (yield)
    finally:
        stash[_on_shared_fixtures] = before + cpu_seconds() - start


def _is_exempt(request: pytest.FixtureRequest) -> bool:
    """Return True for tests of browsers, crashes and PostgreSQL, and for tests with a reason to be slow."""
    if request.path.parent.name == "postgres":
        return True
    is_marked = any(request.node.get_closest_marker(name) for name in EXEMPT)
    return is_marked or "postgres" in request.fixturenames or request.getfixturevalue("database_kind") == "postgresql"
