"""Config values: defaults, variables, secrets, default paths, and file lookup."""

import subprocess
import sys
from collections.abc import Callable
from datetime import time, timedelta
from pathlib import Path

import pytest

from notifybot import config as config_module
from notifybot.config import SHIPPED, find_config, load, load_default
from notifybot.config.model import Config, Day, InboundFormat, Mode, Policy, StepConfig
from notifybot.config.problems import ConfigInvalid
from notifybot.config.types import Listen
from notifybot.model.enums import Priority
from notifybot.times.spans import Tomorrow

TOKEN = "123456789:AAHsecretsecretsecretsecretsecret12"
HOME = {"HOME": "/home/anna"}

Load = Callable[..., Config]


@pytest.fixture(name="read")
def read_text(tmp_path: Path) -> Load:
    """Return a function that loads the text of a config, with variables as keyword arguments."""

    def read(text: str, **environ: str) -> Config:
        file = tmp_path / "config.yaml"
        file.write_text(text)
        return load(file, HOME | environ)

    return read


def test_an_empty_file_has_every_default(read: Load) -> None:
    config = read("")
    assert config.telegram.token is None
    assert config.telegram.base_url == "https://api.telegram.org"
    assert config.telegram.mode is Mode.POLLING
    assert config.telegram.webhook.listen == Listen("127.0.0.1", 8443)
    assert config.telegram.limits.overall_per_second == 30
    assert config.alerts.escalate_after == timedelta(minutes=15)
    assert config.alerts.close_after == timedelta(hours=1)
    assert config.alerts.snooze == (timedelta(hours=1), Tomorrow(time(9)))
    assert config.socket.mode == 0o660
    assert config.socket.allow == ("*",)
    assert config.http.listen is None
    assert config.delivery.give_up_after == timedelta(hours=24)
    assert config.retention.messages == timedelta(days=90)


def test_the_shipped_file_shows_the_defaults(read: Load) -> None:
    assert load_default(HOME) == read("") == read("telegram:\nalerts:\nrecipients:\n") == read("# nothing\n---\n")


def test_the_file_beside_the_readme_equals_the_packaged_one() -> None:
    assert SHIPPED.read_bytes() == (Path(__file__).parents[2] / "config.yaml").read_bytes()


def test_the_examples_in_the_shipped_file_work_when_they_are_uncommented(read: Load) -> None:
    lines = SHIPPED.read_text().splitlines()
    config = read(
        "\n".join(line.replace("# ", "", 1) if line.startswith("  # ") else line for line in lines if ". W" not in line)
    )
    assert config.recipients == {"oncall": ("alice", "bob"), "ops": ("-1009876543210",)}
    assert config.alerts.policies["night"].close_after == timedelta(hours=8)


def test_every_section_is_read(read: Load) -> None:
    config = read(
        """
        telegram: {mode: webhook, webhook: {url: https://bots.example.org/, listen: "[::1]:9000", path: /t}}
        database: {url: postgresql://notifybot@db/notifybot}
        socket: {mode: 0600, group: ops, admin_groups: [wheel], allow: [oncall, -1001234567890]}
        http:
          listen: 127.0.0.1:8000
          jwt: {secret: k7Qv2mXw9sTzR4bNc8LpYe3GhJ6uDfA1, audience: dashboard, leeway: 10}
          anonymous: [{networks: [127.0.0.1, "fd00::/8"], paths: [/api/ingest, /files/*], account: legacy}]
        accounts: {alice@example.org: alice}
        admins: [alice]
        alerts: {escalate_after: never, close_after: 7200, escalation_channel: "@ops_room", acknowledge_by: linked,
                 snooze: [30m, tomorrow 08:00]}
        recipients: {team: [alice, bob], all: [team, "@room", 0190F0C8-7E2A-7000-8000-00000000000A]}
        delivery: {storm_after: never, max_parts: 3}
        summary: {time: "07:30", time_zone: Europe/Berlin, to: [team], when_empty: no}
        retention: {messages: never}
        attachments: {max_bytes: 1000, types: [image/*], scan_command: [clamdscan, --fdpass]}
        scripts: {list_command: [list, "{account}"], run_command: [run, "{account}", "{name}"], timeout: 5s}
        inbound: {grafana: {format: grafana, to: [team], priority: high}}
        log: {level: debug, format: json, file: /var/log/notifybot.log}
        """
    )
    assert config.telegram.webhook.url == "https://bots.example.org"
    assert config.telegram.webhook.listen == Listen("::1", 9000)
    assert config.database.url == "postgresql://notifybot@db/notifybot"
    assert (config.socket.mode, config.socket.allow) == (0o600, ("oncall", "-1001234567890"))
    assert config.http.jwt is not None
    assert config.http.jwt.leeway == timedelta(seconds=10)
    assert [str(network) for network in config.http.anonymous[0].networks] == ["127.0.0.1/32", "fd00::/8"]
    assert config.accounts == {"alice@example.org": "alice"}
    assert (config.alerts.escalate_after, config.alerts.close_after) == (None, timedelta(hours=2))
    assert config.recipients["all"] == ("team", "@room", "0190f0c8-7e2a-7000-8000-00000000000a")
    assert config.delivery.storm_after is None
    assert (config.summary.time, config.summary.when_empty) == (time(7, 30), False)
    assert config.attachments.types == ("image/*",)
    assert (config.inbound["grafana"].format, config.inbound["grafana"].priority) == (
        InboundFormat.GRAFANA,
        Priority.HIGH,
    )
    assert config.log.file == Path("/var/log/notifybot.log")


def test_a_policy_takes_its_spans_from_alerts_unless_it_sets_its_own(read: Load) -> None:
    step = "steps: [{after: 5m, to: [subscribers]}]"
    policies = f"{{a: {{{step}}}, b: {{{step}, close_after: 8h}}, c: {{{step}, close_after: never, repeat: 2}}, "
    policies += f"d: {{{step}, remind_every: never}}}}"
    config = read(f"alerts: {{close_after: 2h, remind_every: 30m, policies: {policies}}}")
    steps, often = (StepConfig(timedelta(minutes=5), ("subscribers",)),), timedelta(minutes=30)
    assert config.alerts.policies == {
        "a": Policy(steps, 0, timedelta(hours=2), often),
        "b": Policy(steps, 0, timedelta(hours=8), often),
        "c": Policy(steps, 2, None, often),
        "d": Policy(steps, 0, timedelta(hours=2), None),
    }


def test_a_rotation_hands_over_weekly_and_covers_all_hours_by_default(read: Load) -> None:
    config = read(
        """
        rotations:
          plain: {members: [alice, bob], start: 2026-01-05}
          nights:
            {members: [alice], start: "2026-01-05", handover: "@daily", time_zone: Africa/Cairo, otherwise: [bob],
             hours: [{days: [mon, fri], start: "18:00", end: "08:00"}, {start: "12:00"}]}
        """
    )
    assert config.rotations["plain"].handover == "0 9 * * mon"
    nights = config.rotations["nights"]
    assert nights.handover == "0 0 * * *"
    assert nights.hours[0].days == (Day.MONDAY, Day.FRIDAY)
    assert (nights.hours[1].days, nights.hours[1].start, nights.hours[1].end) == (tuple(Day), time(12), time(0))


@pytest.mark.parametrize("written", ["-1001234567890", '"-1001234567890"', "'-01001234567890'"])
def test_a_chat_id_is_a_text_of_digits_however_it_is_written(read: Load, written: str) -> None:
    assert read(f"alerts: {{escalation_channel: {written}}}").alerts.escalation_channel == "-1001234567890"


def test_yaml_aliases_are_expanded(read: Load) -> None:
    config = read("recipients: {a: &people [alice, bob], b: *people}")
    assert config.recipients["b"] == ("alice", "bob")


# Variables


def test_a_variable_is_replaced_whatever_the_type_of_its_key(read: Load) -> None:
    text = 'delivery: {max_parts: "${PARTS}"}\nalerts: {close_on_acknowledge: "${KEEP}", close_after: "${SPAN}"}'
    config = read(text, PARTS="7", KEEP="no", SPAN="2h")
    assert config.delivery.max_parts == 7
    assert config.alerts.close_on_acknowledge is False
    assert config.alerts.close_after == timedelta(hours=2)


@pytest.mark.parametrize("environ", [{}, {"DIR": ""}])
def test_a_default_replaces_an_unset_or_empty_variable(read: Load, environ: dict[str, str]) -> None:
    assert read("data_dir: ${DIR:-/srv/alerts}/data", **environ).data_dir == Path("/srv/alerts/data")


def test_the_value_of_a_variable_is_not_expanded_again(read: Load) -> None:
    assert read("data_dir: /${DIR}", DIR="${HOME}").data_dir == Path("/${HOME}")


def test_a_doubled_dollar_escapes_and_others_stand_for_themselves(read: Load) -> None:
    assert read("data_dir: /$${HOME}/$HOME/a$$b").data_dir == Path("/${HOME}/$HOME/a$$b")


def test_a_variable_may_be_given_by_a_file(read: Load, tmp_path: Path) -> None:
    (tmp_path / "zone").write_text("Europe/Paris\n")
    assert read("summary: {time_zone: '${ZONE}'}", ZONE_FILE=str(tmp_path / "zone")).summary.time_zone == "Europe/Paris"


# Secrets


def test_the_token_comes_from_its_variable_with_or_without_a_file(read: Load) -> None:
    assert read("", TELEGRAM_BOT_TOKEN=TOKEN).telegram.token == TOKEN
    assert load_default(HOME | {"TELEGRAM_BOT_TOKEN": TOKEN}).telegram.token == TOKEN


def test_the_token_comes_from_the_file_that_its_variable_names(read: Load, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"  {TOKEN}\n")
    environ = {"TELEGRAM_BOT_TOKEN_FILE": str(tmp_path / "token")}
    assert read("", **environ).telegram.token == TOKEN
    assert load_default(HOME | environ).telegram.token == TOKEN


def test_the_token_comes_from_a_file_beside_the_config(read: Load, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    other = "987654321:" + "B" * 35
    assert read("telegram: {token_file: token}", TELEGRAM_BOT_TOKEN=other).telegram.token == TOKEN


def test_the_shipped_file_takes_the_systemd_credentials(tmp_path: Path) -> None:
    (tmp_path / "telegram_token").write_text(TOKEN)
    (tmp_path / "telegram_webhook_secret").write_text("hook")
    (tmp_path / "database_url").write_text("postgresql://db/notifybot\n")
    config = load_default(HOME | {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert config.telegram.token == TOKEN
    assert config.telegram.webhook.secret_token == "hook"
    assert config.database.url == "postgresql://db/notifybot"


def test_the_config_takes_precedence_over_credentials(read: Load, tmp_path: Path) -> None:
    (tmp_path / "telegram_token").write_text("987654321:" + "B" * 35)
    assert read(f"telegram: {{token: '{TOKEN}'}}", CREDENTIALS_DIRECTORY=str(tmp_path)).telegram.token == TOKEN


@pytest.mark.parametrize("text", ["telegram: {token: null}", "telegram: {token: ''}", "telegram: {token: '${NONE:-}'}"])
def test_a_token_left_empty_on_purpose_is_no_error_and_no_other_is_taken(read: Load, text: str) -> None:
    assert read(text, TELEGRAM_BOT_TOKEN=TOKEN).telegram.token is None


def test_the_webhook_path_contains_the_secret_by_default(read: Load) -> None:
    assert read("", TELEGRAM_WEBHOOK_SECRET="hook").telegram.webhook.path == "/webhook/telegram/hook"
    text = "telegram: {webhook: {path: /api/telegram/webhook}}"
    assert read(text, TELEGRAM_WEBHOOK_SECRET="hook").telegram.webhook.path == "/api/telegram/webhook"
    assert read("").telegram.webhook.path is None


def test_the_repr_of_a_config_shows_no_secret(read: Load) -> None:
    config = read(
        f"""
        telegram: {{token: "{TOKEN}", webhook: {{secret_token: secret-of-webhook}}}}
        database: {{url: "postgresql://u:secret-of-database@db/n"}}
        http: {{jwt: {{secret: secret-of-jwt-Zk7Qv2mXw9sTzR4bNc8}}}}
        inbound: {{gh: {{format: github, to: [subscribers], secret: secret-of-route}}}}
        """
    )
    assert config.inbound["gh"].secret == "secret-of-route"
    assert "secret-of" not in repr(config)
    assert "secretsecret" not in repr(config)


# Paths


@pytest.mark.parametrize(
    ("environ", "data_dir", "socket"),
    [
        ({"HOME": "/home/a"}, "/home/a/.local/state/notifybot", "/home/a/.local/state/notifybot/notifybot.sock"),
        (
            {"HOME": "/home/a", "XDG_STATE_HOME": "/s", "XDG_RUNTIME_DIR": "/run/user/1000"},
            "/s/notifybot",
            "/run/user/1000/notifybot/notifybot.sock",
        ),
        ({"HOME": "/home/a", "XDG_STATE_HOME": "relative"}, "/home/a/.local/state/notifybot", None),
        (
            {"HOME": "/home/a", "STATE_DIRECTORY": "/var/lib/x:/var/lib/y", "RUNTIME_DIRECTORY": "/run/x:/run/y"},
            "/var/lib/x",
            "/run/x/notifybot.sock",
        ),
        ({"HOME": "/", "STATE_DIRECTORY": "/var/lib/notifybot"}, "/var/lib/notifybot", "/run/notifybot/notifybot.sock"),
        ({}, "/var/lib/notifybot", "/run/notifybot/notifybot.sock"),
    ],
)
def test_default_paths_depend_on_the_user_that_runs_the_daemon(
    environ: dict[str, str], data_dir: str, socket: str | None
) -> None:
    config = load_default(environ)
    assert config.data_dir == Path(data_dir)
    assert config.database.url == f"sqlite:///{data_dir}/notifybot.sqlite3"
    assert socket is None or config.socket.path == Path(socket)


def test_a_config_in_the_systems_folder_means_the_service_also_for_its_operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_module, "SYSTEM_FOLDER", tmp_path)
    (tmp_path / "config.yaml").write_text("")
    config = load(tmp_path / "config.yaml", HOME | {"XDG_RUNTIME_DIR": "/run/user/0"})
    assert config.data_dir == Path("/var/lib/notifybot")
    assert config.socket.path == Path("/run/notifybot/notifybot.sock")


def test_paths_start_at_the_configs_folder_or_at_home(read: Load, tmp_path: Path) -> None:
    config = read("data_dir: data\nsocket: {path: ~/n.sock}\nlog: {file: /var/log/n.log}")
    assert config.data_dir == tmp_path / "data"
    assert config.socket.path == Path("/home/anna/n.sock")
    assert config.log.file == Path("/var/log/n.log")


def test_the_first_config_in_order_is_found(tmp_path: Path) -> None:
    cwd, user, system, named = (tmp_path / name for name in ("cwd", "user", "system", "named.yaml"))
    environ = {"XDG_CONFIG_HOME": str(user), "NOTIFYBOT_CONFIG": "other.yaml"}
    for folder in (cwd, user / "notifybot", system):
        folder.mkdir(parents=True)
        (folder / "config.yaml").touch()

    assert find_config(named, environ, cwd, system=system) == named
    assert find_config(Path("x.yaml"), environ, cwd, system=system) == cwd / "x.yaml"
    assert find_config(None, environ, cwd, system=system) == cwd / "other.yaml"
    del environ["NOTIFYBOT_CONFIG"]
    for folder in (cwd, user / "notifybot", system):
        assert find_config(None, environ, cwd, system=system) == folder / "config.yaml"
        (folder / "config.yaml").unlink()
    assert find_config(None, environ, cwd, system=system) is None


def test_a_missing_explicit_config_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        load(tmp_path / "none.yaml", HOME)
    assert caught.value.detail == f"{tmp_path}/none.yaml:1:1: the file cannot be read: No such file or directory."


def test_the_config_imports_nothing_that_is_slow_to_import() -> None:
    code = "import notifybot.config, sys; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"aiohttp", "alembic", "pydantic", "sqlmodel", "telegram", "asyncio"} & set(printed.split())


def test_a_channel_is_the_same_in_any_spelling(read: Load) -> None:
    assert read('alerts: {escalation_channel: "@Ops_Room"}').alerts.escalation_channel == "@ops_room"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("100MB", 100_000_000),
        ("100 MB", 100_000_000),
        ("500kB", 500_000),
        ("500KB", 500_000),
        ("2GB", 2_000_000_000),
        ("60000000", 60_000_000),
        ("60000000B", 60_000_000),
        ("0", None),
        ("10MiB", None),
        ("1.5GB", None),
        ("many", None),
        ("-1", None),
    ],
)
def test_a_size_is_a_number_of_bytes_with_or_without_a_unit(read: Load, text: str, size: int | None) -> None:
    written = f"callers: {{bytes_per_minute: {text}}}\nattachments: {{max_bytes: 1000}}\n"
    if size is None:
        with pytest.raises(ConfigInvalid, match=r"callers\.bytes_per_minute"):
            read(written)
    else:
        assert read(written).callers.bytes_per_minute == size


def test_a_file_of_the_largest_size_fits_into_a_callers_allowance(read: Load) -> None:
    with pytest.raises(ConfigInvalid, match="would never get through"):
        read("callers: {bytes_per_minute: 40MB}\n")
