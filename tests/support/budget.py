"""A limit on the cost of a test: one that uses more than 2 s of CPU time fails, even when it runs alone.

CPU time, not wall time. It counts the threads of this process and the children that it has waited for, from the test's
first fixture to its last. Fixtures that several tests share do not count: chance decides which test makes them.

A crowded virtual machine charges random tests for seconds in which they did not run. So a test that exceeds the budget
is run again at the end of the session, in a process of its own.
"""

import gc
import os
import subprocess
import sys
from collections.abc import Generator, Iterator

import pytest

ATTEMPTS = 2
"""Times that a test is run again alone before it fails the run."""
EXCEEDED = "exceeded_budget"
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


def add_options(parser: pytest.Parser) -> None:
    parser.addoption("--cpu-budget", type=float, default=2.0, metavar="SECONDS", help="CPU time that a test may use")
    parser.addoption("--alone", action="store_true", help="fail tests that exceed the budget at once")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and not config.getoption("--alone"):
        config.pluginmanager.register(Reruns(config))


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
    budget: float = request.config.getoption("--cpu-budget")
    if not has_budget or used <= budget:
        return
    if request.config.getoption("--alone"):
        pytest.fail(f"used {used:.1f} s of CPU; the budget of a test is {budget:g} s", pytrace=False)
    request.node.user_properties.append((EXCEEDED, used))


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


class Reruns:
    """Collects tests that exceeded the budget, and runs them again alone when the others are done."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._expensive: list[str] = []
        self._output = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown" and any(name == EXCEEDED for name, _ in report.user_properties):
            self._expensive.append(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not self._expensive:
            return
        for _ in range(ATTEMPTS):
            result = self._run_alone()
            if result.returncode == pytest.ExitCode.OK:
                return
        self._output = result.stdout
        session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _run_alone(self) -> subprocess.CompletedProcess[str]:
        options = ["-q", "--alone", f"--cpu-budget={self._config.getoption('--cpu-budget')}"]
        if database := self._config.getoption("--database", None):
            options.append(f"--database={database}")
        command = [sys.executable, "-m", "pytest", *options, *self._expensive]
        return subprocess.run(
            command,
            cwd=self._config.rootpath,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._expensive:
            terminalreporter.section("CPU budget exceeded; run again alone")
            terminalreporter.line("\n".join(self._expensive))
            terminalreporter.line(self._output or "Alone they stay within it.")


def _is_exempt(request: pytest.FixtureRequest) -> bool:
    """Return True for tests of browsers, crashes and PostgreSQL, and for tests with a reason to be slow."""
    if request.path.parent.name == "postgres":
        return True
    is_marked = any(request.node.get_closest_marker(name) for name in EXEMPT)
    return is_marked or "postgres" in request.fixturenames or request.getfixturevalue("database_kind") == "postgresql"
