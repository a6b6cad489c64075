"""Find, load and complete the config."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from notifybot.config.checks import contradictions
from notifybot.config.env_file import with_env_file
from notifybot.config.model import Config
from notifybot.config.problems import ConfigInvalid, reason_and_hint
from notifybot.config.proxies import Proxy, proxy_to
from notifybot.config.reader import SectionOf
from notifybot.config.types import URL
from notifybot.config.yaml_nodes import At, Reading, UnusableError, read_nodes

SHIPPED = Path(__file__).parents[1] / "config.yaml"
SYSTEM_FOLDER = Path("/etc/notifybot")
SERVICE_DATA = Path("/var/lib/notifybot")
SERVICE_RUNTIME = Path("/run/notifybot")


def find_config(
    explicit: Path | None, environ: Mapping[str, str], cwd: Path, *, system: Path = SYSTEM_FOLDER
) -> Path | None:
    """Return the config file: explicit, $NOTIFYBOT_CONFIG, ./config.yaml, the user's, the system's, or None.

    An explicit path is returned even if the file does not exist, so that loading reports it.
    """
    named = explicit or environ.get("NOTIFYBOT_CONFIG")
    if named:
        return cwd / named
    folders = (cwd, _user_folder(environ, "XDG_CONFIG_HOME", ".config"), system)
    candidates = (folder / "config.yaml" for folder in folders if folder is not None)
    return next((candidate for candidate in candidates if _is_file(candidate)), None)


def load(path: Path, environ: Mapping[str, str], *, is_start: bool = False) -> Config:
    """Read the config and fill in its default paths; raise ConfigInvalid with every problem.

    `is_start`: for the daemon, which starts also with a time zone that this system no longer knows. Variables come also
    from the file .env beside the config, with the shipped config from the one in the current folder.
    """
    path = path.absolute()
    folder = Path.cwd() if path == SHIPPED else path.parent
    reading = Reading(folder, with_env_file(folder, environ), [], {}, is_start)
    with suppress(UnusableError):
        config = _completed(SectionOf(Config).read(At(read_nodes(path), "", reading)), reading)
        _report_contradictions(config, reading)
        if not reading.problems:
            return config
    raise ConfigInvalid(path, reading.problems)


def load_default(environ: Mapping[str, str]) -> Config:
    """Load the shipped config, used if there is no other file; raise ConfigInvalid."""
    return load(SHIPPED, environ)


def _is_file(path: Path) -> bool:
    # Ignore a folder that this user cannot enter.
    try:
        return path.is_file()
    except OSError:
        return False


def _report_contradictions(config: Config, reading: Reading) -> None:
    """Report contradictions, except at keys that already have a problem."""
    wrong = [problem.key for problem in reading.problems]
    for found in contradictions(config):
        # A problem in an item of the key, or in its `_file`, counts too.
        parts = tuple(f"{found.key}{more}" for more in ("[", ".", "_file"))
        if not any(key == found.key or key.startswith(parts) for key in wrong):
            reading.report(found.key, found.what, found.hint)


def _completed(config: Config, reading: Reading) -> Config:
    """Fill in the values that depend on other keys and on the user that runs the daemon."""
    data_dir = config.data_dir if config.data_dir != Path() else _default_data_dir(reading)
    socket_path = config.socket.path if config.socket.path != Path() else _default_socket(reading)
    policies = {name: policy.with_defaults(config.alerts) for name, policy in config.alerts.policies.items()}
    webhook = config.telegram.webhook
    if webhook.path is None and webhook.secret_token is not None:
        webhook = replace(webhook, path=f"/webhook/telegram/{webhook.secret_token}")
    return replace(
        config,
        telegram=replace(config.telegram, webhook=webhook, proxy=_proxy(config, reading)),
        data_dir=data_dir,
        database=replace(config.database, url=_located(config.database.url, reading, data_dir)),
        http=replace(config.http, public_url=config.http.public_url or _base_url(reading)),
        socket=replace(config.socket, path=socket_path),
        alerts=replace(config.alerts, policies=policies),
    )


def _located(url: str, reading: Reading, data_dir: Path) -> str:
    """Return the database's URL, with three slashes relative to the config's folder."""
    scheme, _, path = url.partition(":///")
    is_relative = scheme == "sqlite" and not path.startswith("/")
    if not url:
        return f"sqlite:///{data_dir}/notifybot.sqlite3"
    return f"sqlite:///{reading.folder / path}" if is_relative else url


def _base_url(reading: Reading) -> str | None:
    """Return the URL in the variable BASE_URL, if the config names none."""
    url = reading.environ.get("BASE_URL", "")
    try:
        return URL.parse(url) if url else None
    except ValueError as error:
        reading.report("http.public_url", f"the value of ${{BASE_URL}} is invalid: {error}")
        return None


def _proxy(config: Config, reading: Reading) -> Proxy | None:
    try:
        return proxy_to(config.telegram.base_url, config.telegram.proxy, reading.environ)
    except ValueError as error:
        reading.report("telegram.proxy", *reason_and_hint(error))
        return None


def _default_data_dir(reading: Reading) -> Path:
    """Return systemd's folder, the service's (config in /etc, or no home), or the user's state folder."""
    if given := reading.environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    user = _user_folder(reading.environ, "XDG_STATE_HOME", ".local/state")
    return SERVICE_DATA if user is None or reading.folder == SYSTEM_FOLDER else user


def _default_socket(reading: Reading) -> Path:
    """Return the socket in systemd's folder, the service's, the user's runtime folder or the user's state folder."""
    environ = reading.environ
    if given := environ.get("RUNTIME_DIRECTORY"):
        return Path(given.split(":")[0], "notifybot.sock")
    if reading.folder == SYSTEM_FOLDER:
        return SERVICE_RUNTIME / "notifybot.sock"
    if environ.get("XDG_RUNTIME_DIR"):
        return Path(environ["XDG_RUNTIME_DIR"], "notifybot", "notifybot.sock")
    user = _user_folder(environ, "XDG_STATE_HOME", ".local/state")
    folder = SERVICE_RUNTIME if user is None or environ.get("STATE_DIRECTORY") else user
    return folder / "notifybot.sock"


def _user_folder(environ: Mapping[str, str], variable: str, below_home: str) -> Path | None:
    """Return notifybot's folder in one of the user's XDG base directories; None without a home."""
    given, home = environ.get(variable, ""), environ.get("HOME")
    # The XDG specification ignores relative paths.
    if Path(given).is_absolute():
        return Path(given, "notifybot")
    return Path(home, below_home, "notifybot") if home else None
