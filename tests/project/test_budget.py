"""CPU budget of tests: what counts, what is exempt, and that exceeding it fails the run."""

import pytest

pytest_plugins = "pytester"
pytestmark = pytest.mark.slow_because("a test run inside the test")

CONFTEST = """
import pytest
from tests.support import budget

def pytest_addoption(parser):
    budget.add_options(parser)

def pytest_configure(config):
    config.pluginmanager.register(budget)
    config.addinivalue_line("markers", "slow_because(reason): …")

@pytest.fixture
def database_kind():
    return "sqlite"
"""
TESTS = """
import subprocess, sys, time
import pytest

def work(seconds=0.3):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass

@pytest.fixture
def own():
    work()

@pytest.fixture
def afterwards():
    yield
    work()

@pytest.fixture(scope="module")
def shared():
    work()

def test_by_itself(): work()
def test_by_its_fixture(own): pass
def test_by_its_teardown(afterwards): pass
def test_by_a_child(): subprocess.run([sys.executable, "-c", "while __import__('time').process_time() < 0.3: pass"])
def test_shared(shared): pass
def test_waits(): subprocess.run(["sleep", "0.3"])
@pytest.mark.slow_because("it shows that one may")
def test_with_a_reason(): work()
"""

ONCE = """
import pathlib, time

def test_slow_once():
    mark = pathlib.Path("ran")
    end = time.process_time() + (0.0 if mark.exists() else 0.3)
    mark.touch()
    while time.process_time() < end:
        pass
"""


@pytest.fixture(autouse=True)
def _project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setenv("PYTHONPATH", str(request.config.rootpath))
    pytester.makeini("[pytest]\naddopts = -p no:asyncio -p no:schemathesis --cpu-budget=0.2")
    pytester.makeconftest(CONFTEST)


def test_a_test_that_exceeds_its_budget_fails_the_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)

    result = pytester.runpytest_inprocess()

    expensive = {line.split("::")[1] for line in result.outlines if line.startswith("ERROR") and "::" in line}
    assert {name.split(" ")[0] for name in expensive} == {
        "test_by_itself",
        "test_by_its_fixture",
        "test_by_its_teardown",
        "test_by_a_child",
    }
    result.stdout.fnmatch_lines(["used 0.* s of CPU; the budget of a test is 0.2 s*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_test_that_exceeds_its_budget_once_only_is_reported(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(ONCE)

    result = pytester.runpytest_inprocess()

    result.stdout.fnmatch_lines(["*test_slow_once", "Alone they stay within it."])
    assert result.ret == pytest.ExitCode.OK
