"""The sdist and the wheel, built from a copy of the checkout and installed into an empty environment."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

import notifybot

pytestmark = pytest.mark.slow_because("builds the packages and installs them with pip")

ROOT = Path(__file__).parents[2]
NOT_BUILT_FROM = shutil.ignore_patterns(".*", "__pycache__", "tests", "benchmarks", "build", "dist", "*.egg-info")
NAME = f"notifybot_telegram-{notifybot.__version__}"
BUILD_SDIST = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command outside the checkout, and return what it printed; fail with its errors."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environment(folder: Path) -> Path:
    """Make an empty environment, and return its folder of commands."""
    run(sys.executable, "-m", "venv", folder, cwd=folder.parent)
    return folder / "bin"


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    shutil.copytree(ROOT, folder / "checkout", ignore=NOT_BUILT_FROM)
    commands = environment(folder / "builder")
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    run(commands / "pip", "install", "--quiet", "--disable-pip-version-check", *wanted, cwd=folder)
    run(commands / "python", "-c", BUILD_SDIST, folder / "dist", cwd=folder / "checkout")
    return folder / "dist" / f"{NAME}.tar.gz"


@pytest.fixture(scope="module")
def wheel(sdist: Path) -> Path:
    """The wheel as an index's users build it: from the sdist alone."""
    python = sdist.parents[1] / "builder" / "bin" / "python"
    run(
        *(python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"),
        *("--wheel-dir", sdist.parent, sdist),
        cwd=sdist.parent,
    )
    return sdist.parent / f"{NAME}-py3-none-any.whl"


@pytest.fixture(scope="module")
def commands(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an environment that holds nothing but the installed wheel."""
    commands = environment(tmp_path_factory.mktemp("installed") / "environment")
    run(commands / "pip", "install", "--quiet", "--disable-pip-version-check", wheel, cwd=commands)
    return commands


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        return message_from_bytes(archive.read(f"{NAME}.dist-info/METADATA"))


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "config.yaml",
        "docs/install.md",
        "docs/images/demo.png",
        "examples/nginx.conf",
        "requirements/run.txt",
        "systemd/notifybot.service",
    ],
)
def test_the_sdist_holds_what_a_packager_needs(sdist: Path, path: str) -> None:
    with tarfile.open(sdist) as archive:
        assert f"{NAME}/{path}" in archive.getnames()


@pytest.mark.parametrize("folder", ["systemd", "examples"])
def test_the_installed_package_brings_every_file_of(commands: Path, folder: str) -> None:
    shared = commands.parent / "share" / "notifybot" / folder

    assert sorted(path.name for path in shared.iterdir()) == sorted(path.name for path in (ROOT / folder).iterdir())


def test_the_installed_package_brings_every_file_of_the_source(commands: Path) -> None:
    site = next((commands.parent / "lib").glob("python3*/site-packages"))
    source = {path.relative_to(ROOT) for path in (ROOT / "notifybot").rglob("*") if path.is_file()}
    wanted = {path for path in source if "__pycache__" not in path.parts}

    assert [str(path) for path in sorted(wanted) if not (site / path).is_file()] == []


def test_the_index_shows_a_readme_without_relative_links(wheel: Path) -> None:
    text = str(metadata(wheel).get_payload())

    assert "](docs/" not in text
    assert 'src="docs/' not in text
    assert "/raw/main/docs/images/demo.png)" in text
    assert "/blob/main/docs/install.md)" in text


def test_the_package_names_its_project(wheel: Path) -> None:
    urls = metadata(wheel).get_all("Project-URL", [])

    assert metadata(wheel)["Name"] == "notifybot-telegram"
    assert sorted(url.split(",")[0] for url in urls) == ["Changelog", "Documentation", "Source"]


def test_what_it_depends_on_is_installed_with_it(commands: Path) -> None:
    assert "No broken requirements" in run(commands / "pip", "check", cwd=commands)


def test_the_installed_command_says_its_version(commands: Path) -> None:
    assert notifybot.__version__ in run(commands / "notifybot", "--version", cwd=commands)


def test_the_installed_command_checks_the_config_that_came_with_it(commands: Path) -> None:
    config = commands.parent / "share" / "notifybot" / "config.yaml"

    run(commands / "notifybot", "--config", config, "config", "check", cwd=commands)
