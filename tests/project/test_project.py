"""Project files: pins, package data, links, documented commands, tests for every module."""

import ast
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import notifybot

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "notifybot"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PIN = re.compile(
    r"(?P<name>[a-z0-9.-]+)==(?P<version>\S+)(?: ; [^\\]+)?(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})+)"
)
SKIPPED_FOLDERS = re.compile(r"^(\.(?!ci$)|build$|dist$|__pycache__$|.*\.egg-info$)")

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is missing: apt-get install make")


def files(folder: Path = ROOT) -> Iterator[Path]:
    """Yield the project's files below `folder`, without environments, caches and builds."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not SKIPPED_FOLDERS.search(path.name):
            yield from files(path)
        elif path.is_file() and not path.name.startswith(".venv"):
            yield path


def pages() -> list[Path]:
    return [path for path in files() if path.suffix == ".md"]


def text_of(path: Path) -> str:
    with contextlib.suppress(UnicodeDecodeError):
        return path.read_text(encoding="utf-8")
    return ""


def imports_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the imports of a file as (module, name); `import MODULE` has an empty name."""
    for node in ast.walk(ast.parse(text_of(path))):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or ".", alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)


# The version and the package


def test_the_version_is_defined_once_and_in_the_changelog() -> None:
    assert "version" in PROJECT["project"]["dynamic"]
    assert PROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "notifybot.__version__"}
    assert notifybot.__version__ in text_of(ROOT / "CHANGELOG.md")


def test_the_changelog_begins_with_what_is_not_released_yet() -> None:
    headings = re.findall(r"(?m)^## \[(.+?)\]", text_of(ROOT / "CHANGELOG.md"))

    assert headings[0] == "Unreleased"


def test_every_folder_with_code_is_a_package() -> None:
    folders = {path.parent for path in files(PACKAGE) if path.suffix == ".py"}

    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_every_file_that_the_package_needs_is_package_data() -> None:
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["notifybot"]
    shipped = {path for pattern in patterns for path in PACKAGE.glob(pattern)}

    assert [str(path) for path in files(PACKAGE) if path.suffix != ".py" and path not in shipped] == []


# Pins


@pytest.mark.parametrize("name", ["run.txt", "postgres.txt", "charts.txt", "all.txt", "dev.txt"])
def test_every_requirement_is_pinned_with_hashes_and_names_no_index(name: str) -> None:
    text = text_of(ROOT / "requirements" / name)

    assert PIN.sub("", text).strip() == ""
    assert "://" not in text
    assert len(PIN.findall(text)) > 20


@pytest.mark.parametrize(
    ("name", "extras"),
    [
        ("run.txt", []),
        ("postgres.txt", ["postgres"]),
        ("charts.txt", ["charts"]),
        ("all.txt", ["charts", "postgres"]),
        ("dev.txt", ["charts", "dev", "postgres"]),
    ],
)
def test_the_pins_fulfil_what_the_project_asks_for(name: str, extras: list[str]) -> None:
    pins = {pin["name"]: Version(pin["version"]) for pin in PIN.finditer(text_of(ROOT / "requirements" / name))}
    extra = PROJECT["project"]["optional-dependencies"]
    wanted = [Requirement(line) for line in PROJECT["project"]["dependencies"] + [r for e in extras for r in extra[e]]]

    assert [str(want) for want in wanted if not want.specifier.contains(pins.get(want.name.lower(), "0"))] == []


# Words and links


def test_every_link_in_the_documentation_leads_somewhere() -> None:
    broken = [f"{page.relative_to(ROOT)}: {target}" for page in pages() for target in broken_links(page)]

    assert broken == []


def broken_links(page: Path) -> Iterator[str]:
    text = without_code(text_of(page))
    for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'<img src="([^"]+)"', text):
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        if re.match(r"[a-z]+:", target):
            continue
        if not found.exists() or (anchor and anchor not in anchors(found)):
            yield target


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]+`", "", re.sub(r"(?ms)^ *```.*?^ *```", "", text))


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"(?m)^#+ (.+)$", without_code(text_of(page)))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_no_file_names_a_place_on_this_machine() -> None:
    places = {f"{Path.home()}/", str(ROOT)} - {"/opt/notifybot"}
    named = [str(path.relative_to(ROOT)) for path in files() if any(place in text_of(path) for place in places)]

    assert named == []


# Make


def targets() -> set[str]:
    return set(re.findall(r"(?m)^([a-z-]+):", text_of(ROOT / "Makefile")))


def test_every_make_target_that_the_documentation_names_exists() -> None:
    named = {target for page in pages() for target in re.findall(r"\bmake (?:-C \S+ )?([a-z][a-z-]*)`", text_of(page))}
    named |= {
        target
        for page in pages()
        for target in re.findall(r"(?m)^ *(?:sudo )?make (?:-C \S+ )?([a-z-]+)", text_of(page))
    }

    assert named - targets() == set()
    assert "environment" in named


def make(*arguments: str, **environ: str) -> str:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "TELEGRAM_"))}
    command = ["make", "--no-print-directory", *arguments]
    made = subprocess.run(command, cwd=ROOT, env=kept | environ, capture_output=True, text=True, timeout=60, check=True)
    return made.stdout


@needs_make
def test_make_alone_lists_what_it_can_do() -> None:
    assert {line.split()[1] for line in make().splitlines()} == targets() - {"test-environment"}


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """Return an environment whose Python prints its arguments."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    return tmp_path


@needs_make
def test_make_run_is_the_demo_without_a_token(environment: Path) -> None:
    assert make("run", f"RUN={environment}", "PYTHON=true") == "-m notifybot demo\n"


@needs_make
def test_make_run_is_the_daemon_with_a_token(environment: Path) -> None:
    called = make("run", f"RUN={environment}", "PYTHON=true", TELEGRAM_BOT_TOKEN="1:a")

    assert called == "-m notifybot run --config config.yaml\n"


# Environments


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout without pins, so that its environment needs no network."""
    (tmp_path / "requirements").mkdir()
    shutil.copy(ROOT / "requirements" / "install.py", tmp_path / "requirements")
    (tmp_path / "requirements" / "run.txt").write_text("", encoding="utf-8")
    (tmp_path / "notifybot").mkdir()
    (tmp_path / "notifybot" / "__main__.py").write_text("import sys\nprint(sys.argv[1:])\n", encoding="utf-8")
    return tmp_path


def install(checkout: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "requirements/install.py", "run", "env"]
    return subprocess.Popen(command, cwd=checkout, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow_because("it makes environments")
def test_two_at_once_make_one_environment_and_a_third_is_quiet(checkout: Path) -> None:
    both = [install(checkout), install(checkout)]
    said = sorted(each.communicate(timeout=120)[0] for each in both)
    third = install(checkout).communicate(timeout=60)

    assert [each.returncode for each in both] == [0, 0]
    assert (said[0], said[1].count("Installing"), third[0]) == ("", 1, "")
    assert run_in(checkout, "env/bin/notifybot", "a b") == "['a b']\n"
    elsewhere = checkout / "elsewhere"
    (elsewhere / "notifybot").mkdir(parents=True)
    (elsewhere / "notifybot" / "__main__.py").write_text("print('another program')\n", encoding="utf-8")
    assert run_in(elsewhere, str(checkout / "env/bin/notifybot"), "a b") == "['a b']\n"


@pytest.mark.slow_because("it makes environments")
def test_new_pins_make_a_new_environment_beside_the_one_in_use(checkout: Path) -> None:
    install(checkout).communicate(timeout=120)
    before = (checkout / "env").resolve()

    (checkout / "requirements" / "run.txt").write_text("# another pin\n", encoding="utf-8")
    install(checkout).communicate(timeout=120)

    assert (checkout / "env").resolve() != before
    assert before.is_dir()


def run_in(checkout: Path, *command: str) -> str:
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=60, check=True).stdout


WITHOUT_ENSUREPIP = """
import importlib.util, runpy, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "ensurepip" else find(name, *rest)
sys.argv = ["install.py", "run", "env"]
runpy.run_path("requirements/install.py", run_name="__main__")
"""


def test_without_venv_it_says_in_two_lines_which_package_to_install(checkout: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_ENSUREPIP]
    told = subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=60, check=False)

    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    assert told.returncode == 1
    assert [line.split(":")[0] for line in told.stderr.splitlines()] == ["error", "hint"]
    assert told.stderr.endswith(f"apt-get install {package}\n")


# Rules that import-linter cannot express


def test_the_sandbox_knows_nothing_else_of_notifybot() -> None:
    known = {
        f"{path.name}: {module}"
        for path in files(PACKAGE / "sandbox")
        if path.suffix == ".py"
        for module, _ in imports_of(path)
        if module.split(".")[0] == "notifybot" and module.split(".")[1:2] != ["sandbox"]
    }

    assert known == set()


def test_zones_are_opened_in_one_place() -> None:
    """A stored zone may have vanished from the system: zone_of then returns UTC. cli/times.py has just found one."""
    opened = {
        str(path.relative_to(PACKAGE))
        for path in files(PACKAGE)
        if path.suffix == ".py"
        if ("zoneinfo", "ZoneInfo") in imports_of(path)
    }

    assert opened == {"times/zones.py", "cli/times.py"}


@pytest.mark.parametrize("room", ["handlers", "jobs", "routes"])
def test_entry_points_take_a_session_from_sqlmodel_and_nothing_else(room: str) -> None:
    taken = {
        f"{path.name}: {name}"
        for path in files(PACKAGE / room)
        if path.suffix == ".py"
        for module, name in imports_of(path)
        if module.split(".")[0] == "sqlmodel" and name != "Session"
    }

    assert taken == set()


def test_the_client_and_the_command_line_start_without_third_party_packages() -> None:
    # -S leaves site-packages out.
    command = [sys.executable, "-S", "-c", "import notifybot.client, notifybot.cli"]
    started = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert started.stderr == ""
