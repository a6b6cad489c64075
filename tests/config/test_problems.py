"""Config problems: each with line and column, all at once, with a hint."""

# A problem is one line, however long.
# ruff: noqa: E501

from pathlib import Path

import pytest

from notifybot.config import load, load_default
from notifybot.config.problems import ConfigInvalid
from notifybot.errors import StartRefused

TOKEN = "123456789:AAHsecretsecretsecretsecretsecret12"


def problems(folder: Path, text: str | bytes, **environ: str) -> list[str]:
    """Return the lines of the error, without the file's name."""
    file = folder / "config.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigInvalid) as caught:
        load(file, {"HOME": "/home/anna"} | environ)
    lines = caught.value.detail.split("\n")
    assert all(line.startswith(f"{file}:") for line in lines)
    return [line.removeprefix(f"{file}:") for line in lines]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        # Keys
        ("alert: {}",
         "1:1: alert: unknown key. Did you mean 'alerts'?"),
        ("log: {colour: x}",
         "1:7: log.colour: unknown key. Known keys: level, format, file."),
        ("admins: []\nadmins: []",
         "2:1: admins: duplicate key, first set on line 1. Keep one of them."),
        ("? [a, b]\n: c",
         "1:3: a key must be a single value."),
        ("{}: c",
         "1:1: a key must be a single value."),
        ("log: {<<: {level: info}}",
         "1:7: log: merging with << is not supported. Write the keys out."),
        ("inbound: {a: {to: [subscribers]}}",
         "1:14: inbound.a.format: this key is required."),
        ("recipients: {a b: [c]}",
         "1:14: recipients: 'a b' is invalid: a name has 1 to 128 characters, no spaces or commas, and does not start with @, * or $."),
        ("recipients: {no: [c]}",
         '1:14: recipients: YAML reads \'no\' as true or false. Put it in quotes: "no".'),
        ("recipients: {subscribers: [c]}",
         "1:14: recipients: 'subscribers' is invalid: subscribers, * and numbers are reserved."),
        # Types
        ("- a",
         "1:1: must be a section, not a list."),
        ("just text",
         "1:1: must be a section, not a single value."),
        ("log: info",
         "1:6: log: must be a section, not a single value."),
        ("admins: alice",
         "1:9: admins: must be a list, not a single value. Use brackets: [one, two]."),
        ("data_dir: [a]",
         "1:11: data_dir: must be a single value, not a list."),
        ("recipients: {a: []}",
         "1:17: recipients.a: the list is empty. Add at least one entry."),
        ("delivery: {max_parts: many}",
         "1:23: delivery.max_parts: must be a whole number from 1 to 100, not 'many'."),
        ("delivery: {max_parts: '5'}",
         "1:23: delivery.max_parts: must be a whole number from 1 to 100, not '5'. Write it without quotes."),
        ("delivery: {max_parts: 0}",
         "1:23: delivery.max_parts: '0' is invalid: it must be a whole number from 1 to 100."),
        ("delivery: {max_parts: 2.5}",
         "1:23: delivery.max_parts: must be a whole number from 1 to 100, not '2.5'."),
        ("delivery: {max_parts: 0x5}",
         "1:23: delivery.max_parts: '0x5' is invalid: it must be a whole number from 1 to 100."),
        ("delivery: {max_parts: true}",
         "1:23: delivery.max_parts: must be a whole number from 1 to 100, not 'true'."),
        ("summary: {when_empty: 1}",
         "1:23: summary.when_empty: must be true or false, not '1'."),
        ("summary: {when_empty: 'yes'}",
         "1:23: summary.when_empty: must be true or false, not 'yes'. Write it without quotes."),
        ("telegram: {base_url: null}",
         "1:22: telegram.base_url: must be the URL of a Bot API server, but is empty. Set a value, or remove the key."),
        ("socket: {allow: null}",
         "1:17: socket.allow: must be a list, but is empty. Write [] for an empty list, or remove the key."),
        ("data_dir: !!python/object:os.system x",
         "1:11: data_dir: unknown YAML tag 'tag:yaml.org,2002:python/object:os.system'. Remove it."),
        ('data_dir: "\\ud800"',
         "1:11: data_dir: a lone surrogate is not a character. Remove the \\u escape."),
        # Types that YAML guesses
        ("summary: {time: 22:30}",
         '1:17: summary.time: YAML reads \'22:30\' as a whole number. Put it in quotes: "22:30".'),
        ("admins: [no]",
         '1:10: admins[0]: YAML reads \'no\' as true or false. Put it in quotes: "no".'),
        ("admins: [1.5]",
         "1:10: admins[0]: '1.5' is invalid: a chat is a numeric id like -1001234567890, or the @name of a public channel or group."),
        ("admins: [2026-01-31]",
         '1:10: admins[0]: YAML reads \'2026-01-31\' as a date. Put it in quotes: "2026-01-31".'),
        # Values
        ("alerts: {escalate_after: 15 minutes}",
         "1:26: alerts.escalate_after: '15 minutes' is invalid: a span is written like 30s, 15m, 1h30m or 1d, in seconds, or never."),
        ("alerts: {escalate_after: 1:30}",
         "1:26: alerts.escalate_after: '1:30' is invalid: a span is written like 30s, 15m, 1h30m or 1d, in seconds, or never."),
        ("alerts: {close_after: 400d}",
         "1:23: alerts.close_after: '400d' is invalid: a span is at least 1 second and at most 366 days."),
        ("delivery: {give_up_after: never}",
         "1:27: delivery.give_up_after: 'never' is invalid: this cannot be turned off; set a span of at least 1s."),
        ("summary: {time: '25:00'}",
         "1:17: summary.time: '25:00' is invalid: a time of day is written like 09:00 or 22:30."),
        ("summary: {time_zone: Europe/Berlln}",
         "1:22: summary.time_zone: 'Europe/Berlln' is invalid: this time zone is not known here. Did you mean Europe/Berlin?"),
        ("summary: {time_zone: ../../etc/passwd}",
         "1:22: summary.time_zone: '../../etc/passwd' is invalid: this time zone is not known here. Write it like Europe/Berlin."),
        ("alerts: {escalation_channel: ops}",
         "1:30: alerts.escalation_channel: 'ops' is invalid: a chat is a numeric id like -1001234567890, or the @name of a public channel or group."),
        ("alerts: {acknowledge_by: nobody}",
         "1:26: alerts.acknowledge_by: 'nobody' is invalid: it must be anyone or linked."),
        ("socket: {mode: 0060}",
         "1:16: socket.mode: '0060' is invalid: the daemon's user needs read and write access, as in 0660."),
        ("socket: {mode: rw}",
         '1:16: socket.mode: \'rw\' is invalid: a mode is three octal digits in quotes, like "0660".'),
        ("http: {listen: localhost}",
         "1:16: http.listen: 'localhost' is invalid: a listen address looks like 127.0.0.1:8000 or [::1]:8000."),
        ("http: {listen: 'a:70000'}",
         "1:16: http.listen: 'a:70000' is invalid: a listen address looks like 127.0.0.1:8000 or [::1]:8000."),
        ("http: {public_url: ftp://x}",
         "1:20: http.public_url: 'ftp://x' is invalid: a URL looks like https://example.org."),
        ("http: {public_url: 'http://[x'}",
         "1:20: http.public_url: 'http://[x' is invalid: this is not a URL."),
        ("http: {public_url: 'http://u:p@x'}",
         "1:20: http.public_url: 'http://u:p@x' is invalid: remove the user, password, ? and # from the URL."),
        ("http: {anonymous: [{networks: [10.0.0.1/8], paths: [/a], account: a}]}",
         "1:32: http.anonymous[0].networks[0]: '10.0.0.1/8' is invalid: host bits are set. Did you mean 10.0.0.0/8?"),
        ("http: {anonymous: [{networks: [ten], paths: [/a], account: a}]}",
         "1:32: http.anonymous[0].networks[0]: 'ten' is invalid: a network looks like 10.0.0.0/8, 127.0.0.1 or fd00::/8."),
        ("attachments: {types: [pdf]}",
         "1:23: attachments.types[0]: 'pdf' is invalid: a media type looks like image/png or image/*."),
        ("database: {url: 'sqlite:///'}",
         "1:17: database.url: the value is invalid: a SQLite URL names a file: sqlite:////var/lib/x.sqlite3, or sqlite:///./x.sqlite3 beside the config."),
        ("database: {url: mysql://x}",
         "1:17: database.url: the value is invalid: a database URL looks like sqlite:////path or postgresql://user@host/name."),
        ("database: {url: 'postgresql://u@h:port/n'}",
         "1:17: database.url: the value is invalid: a database URL looks like sqlite:////path or postgresql://user@host/name."),
        ("telegram: {token: 123:abc}",
         "1:19: telegram.token: the value is invalid: a bot token is digits, a colon and at least 30 characters, as @BotFather gives it."),
        ("telegram: {webhook: {secret_token: 'a b'}}",
         "1:36: telegram.webhook.secret_token: the value is invalid: it has 1 to 256 characters from A-Z a-z 0-9 _ -."),
        ("telegram: {webhook: {secret_token: 12345}}",
         "1:36: telegram.webhook.secret_token: must be a webhook secret, but YAML reads it as a whole number. Put it in quotes."),
        # Syntax
        ("log: {level: info",
         "1:18: invalid YAML: expected ',' or '}', but got '<stream end>'. Close the bracket, and quote text that contains brackets, commas or colons."),
        ("log:\n  level: a: b",
         "2:11: invalid YAML: mapping values are not allowed here. Quote text that contains a colon, and check the indentation."),
        ("log:\n\tlevel: info",
         "2:1: this line is indented with a tab. Indent with spaces."),
        ("log:\n  level: info\n \tformat: json",
         "3:1: this line is indented with a tab. Indent with spaces."),
        ("admins: [@ops]",
         "1:10: invalid YAML: found character '@' that cannot start any token. Quote text that starts with @."),
        ("socket: {allow: [*]}",
         "1:19: invalid YAML: expected alphabetic or numeric character, but found ']'. Quote text that starts with *."),
        ("a: *b",
         "1:4: invalid YAML: found undefined alias 'b'. Quote text that starts with *."),
        ("log: {}\n---\nlog: {}",
         "2:1: invalid YAML: but found another document. Remove the line with ---."),
        ("log: {}\n# ok\na: \x07",
         "3:4: the file contains a control character here. Remove it."),
        (b'log: {}\nadmins: [J\xfcrgen]',
         "2:11: the file is not UTF-8 text. Save the file as UTF-8."),
        ("log: {}".encode("utf-16"),
         "1:1: the file is not UTF-8 text. Save the file as UTF-8."),
        # Variables
        ("data_dir: /x/${NOPE}",
         "1:11: data_dir: the environment variable NOPE is not set. Set it, or write ${NOPE:-default}."),
        ("data_dir: ${A-b}",
         "1:11: data_dir: write a variable as ${NAME} or ${NAME:-default}, and a literal ${ as $${."),
        ("data_dir: ${A",
         "1:11: data_dir: write a variable as ${NAME} or ${NAME:-default}, and a literal ${ as $${."),
        ("data_dir: ${A:-${B}}",
         "1:11: data_dir: write a variable as ${NAME} or ${NAME:-default}, and a literal ${ as $${."),
        # Contradictions
        ("telegram: {mode: webhook}",
         "1:11: telegram.webhook.url: webhook mode needs the URL that Telegram calls. Set it, or set mode: polling."),
        ("telegram: {webhook: {url: http://x}}",
         "1:27: telegram.webhook.url: Telegram only calls https URLs. Start it with https://."),
        ("alerts: {snooze: [1h, 60m]}",
         "1:18: alerts.snooze: the same button is listed twice. Remove one."),
        ("alerts: {snooze: [1h, 2h, 3h, 4h, 5h, 6h, 7h, 8h, 9h]}",
         "1:18: alerts.snooze: at most 8 snooze buttons are allowed. Remove some."),
        ("http: {jwt: {}}",
         "1:13: http.jwt.secret: HS256 needs the secret that signs the tokens. Set it, or remove http.jwt."),
        ("http: {jwt: {secret: abc}}",
         "1:22: http.jwt.secret: a secret for HS256 needs at least 32 bytes."),
        ("http: {jwt: {algorithm: ES256}}",
         "1:13: http.jwt.public_key: ES256 needs the PEM file of the public key."),
        ("http: {tls: {certificate: /none.pem, key: /}}",
         "1:27: http.tls.certificate: the file /none.pem cannot be read: No such file or directory."),
        ("templates: /none",
         "1:12: templates: the folder /none cannot be read: No such file or directory."),
        ("accounts: {a: b, b: c}",
         "1:15: accounts.a: 'b' is itself an alias of 'c'. Use 'c' here."),
        ("accounts: {a: b}\nrecipients: {a: [c]}",
         "1:15: accounts.a: 'a' is also defined under recipients. Rename one of them."),
        ("accounts: {a: b}\nrotations: {a: {members: [b], start: 2026-01-01}}",
         "1:15: accounts.a: 'a' is also defined under rotations. Rename one of them."),
        ("recipients: {a: [b]}\nrotations: {a: {members: [b], start: 2026-01-01}}",
         "2:16: rotations.a: this name is also defined under recipients. Rename one of them."),
        ("recipients: {a: [x, a]}",
         "1:17: recipients.a: this name refers back to itself: a → a. Break the loop."),
        ("recipients: {a: [b]}\nrotations: {b: {members: [c], otherwise: [a], start: 2026-01-01}}",
         "1:17: recipients.a: this name refers back to itself: a → b → a. Break the loop."),
        ("rotations: {a: {members: [b], start: 2026-02-30}}",
         "1:38: rotations.a.start: '2026-02-30' is invalid: this day does not exist."),
        ("rotations: {a: {members: [b], start: 9999-12-31}}",
         "1:38: rotations.a.start: a rotation starts between 1970 and 2999. Use the day of the first shift."),
        ("rotations: {a: {members: [b], start: 2026-01-01, handover: '0 25 * * *'}}",
         "1:60: rotations.a.handover: '0 25 * * *' is invalid: '25' is not a valid hour (use 0-23, in ascending order)."),
        ("recipients: {oncall: [anna]}\nalerts: {policies: {p: {steps: [{after: 5m, to: [oncal]}]}}}",
         "2:50: alerts.policies.p.steps[0].to[0]: unknown recipient 'oncal'. Did you mean 'oncall'?"),
        ("alerts: {policies: {p: {steps: [{after: 5m, to: [bob]}]}}}",
         "1:50: alerts.policies.p.steps[0].to[0]: unknown recipient 'bob'. If it is an account, add it to accounts: {bob: bob}."),
        ("alerts: {policies: {p: {steps: [{after: 5m, to: ['1']}, {after: 5m, to: ['2']}]}}}",
         "1:65: alerts.policies.p.steps[1].after: each step must come after the previous one. Spans count from acceptance."),
        ("alerts: {policies: {p: {steps: [{after: 1h, to: ['-1']}]}}}",
         "1:41: alerts.policies.p.steps[0].after: the alert closes after 1h, before this step. Set a later close_after for the policy, or never."),
        ("inbound: {a: {format: json, to: [bob]}}",
         "1:34: inbound.a.to[0]: unknown recipient 'bob'. If it is an account, add it to accounts: {bob: bob}."),
        ("inbound: {a: {format: json, to: ['1'], policy: night}}",
         "1:48: inbound.a.policy: unknown policy 'night'. Add it under alerts.policies."),
        ("inbound: {a: {format: json, to: ['1'], fields: {titel: x}}}",
         "1:56: inbound.a.fields.titel: unknown part of a message 'titel'. Did you mean 'title'?"),
        ("inbound: {a: {format: text, to: ['1'], fields: {title: x}}}",
         "1:48: inbound.a.fields: the format text has its own fields. Remove this, or use the format json."),
        ("inbound: {a: {format: github, to: ['1']}}",
         "1:14: inbound.a.secret: GitHub requests are verified by their signature. Set the webhook's secret."),
        ("scripts: {run_command: [sudo, '{account}']}",
         "1:24: scripts.run_command: the command must contain {account} and {name}, and no other placeholder."),
    ],
)  # fmt: skip
def test_a_problem_says_where_it_is_and_what_to_do(tmp_path: Path, text: str | bytes, problem: str) -> None:
    assert problem in problems(tmp_path, text)


def test_all_problems_are_reported_at_once_in_file_order(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """\
telegram: {token: x, mode: carrier pigeon}
http: {jwt: {secret: short}}
recipients: {a: [a]}
summary: {time: 22:30, colour: red}
delivery: {max_parts: "${PARTS}"}
""",
    )
    assert [line.split(": ")[:2] for line in found] == [
        ["1:19", "telegram.token"],
        ["1:28", "telegram.mode"],
        ["2:22", "http.jwt.secret"],
        ["3:17", "recipients.a"],
        ["4:17", "summary.time"],
        ["4:24", "summary.colour"],
        ["5:23", "delivery.max_parts"],
    ]


def test_a_key_with_a_problem_gets_no_contradiction_as_well(tmp_path: Path) -> None:
    found = problems(tmp_path, "http: {jwt: {secret: 5}}\nalerts: {policies: {p: {steps: [{after: x, to: [y]}]}}}")
    assert [line.split(": ")[1] for line in found] == ["http.jwt.secret", "alerts.policies.p.steps[0].after"]
    found = problems(tmp_path, "http: {jwt: {secret_file: /none}}\nrecipients: {a: [a, no]}")
    assert [line.split(": ")[1] for line in found] == ["http.jwt.secret_file", "recipients.a[1]"]


def test_a_broken_config_stops_the_start_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(StartRefused) as caught:
        load(tmp_path, {})
    assert caught.value.detail == f"{tmp_path}:1:1: the file cannot be read: Is a directory."
    assert caught.value.hint == "Fix this, then run: notifybot config check"


def test_the_path_of_an_odd_key_fits_on_one_line(tmp_path: Path) -> None:
    assert len(problems(tmp_path, f'log: {{"a\\nb\\u2028{"x" * 500}": 1}}')) == 1
    assert len(problems(tmp_path, f'log: {{"a\\nb\\u2028{"x" * 500}": 1}}')[0]) < 200


# Limits


def test_aliases_cannot_blow_up(tmp_path: Path) -> None:
    levels = "\n".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, 15))
    found = problems(tmp_path, f"x0: &x0 lol\n{levels}")
    assert found == ["1:1: the file is too large once its aliases (*name) are expanded. Write the values out."]


def test_an_alias_cannot_contain_itself(tmp_path: Path) -> None:
    assert "aliases" in problems(tmp_path, "recipients: &a {x: *a}")[0]


@pytest.mark.parametrize("text", ["[" * 100_000, "a: " + "{b: " * 500, "".join(" " * n + "-\n" for n in range(300))])
def test_deep_nesting_is_refused(tmp_path: Path, text: str) -> None:
    found = problems(tmp_path, text)
    assert len(found) == 1
    assert found[0].endswith("invalid YAML: nesting is too deep.")


MANY = (
    "[" + "a, " * 200_000 + "]",
    "- a\n" * 200_000,
    "{" + "a: 1, " * 100_000 + "}",
    "? a\n" * 200_000,
    "[" * 9 + "a," * 300_000,
)


@pytest.mark.parametrize("text", MANY, ids=["flow", "block", "section", "keys", "nested"])
def test_a_file_of_many_values_is_refused_before_it_is_read_as_a_whole(tmp_path: Path, text: str) -> None:
    found = problems(tmp_path, text)

    assert len(found) == 1
    assert found[0].endswith("invalid YAML: the file has too many values.")
    assert 9_999 < max(map(int, found[0].split(":")[:2])) < 80_000


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    assert problems(tmp_path, "#" * 1_000_001) == ["1:1: the file is larger than 1,000,000 bytes."]


def test_a_number_of_ten_thousand_digits_does_not_crash(tmp_path: Path) -> None:
    digits = "9" * 10_000
    assert (
        len(problems(tmp_path, f"delivery: {{max_parts: {digits}}}\nadmins: [{digits}]\nsocket: {{mode: {digits}}}"))
        == 3
    )


# Secrets


@pytest.mark.parametrize(
    "text",
    [
        "telegram: {token: '%s x'}",
        "telegram: {token: ['%s']}",
        "telegram: {tocken: '%s'}",
        "telegram: {base_url: 'https://api.telegram.org/bot%s'}",
        "telegram: {mode: '%s'}",
        "telegram: '%s'",
        "'%s': 1",
        "recipients: {'%s': 1}",
        "data_dir: ${%s}",
        "alerts: {policies: {p: {steps: [{after: 5m, to: ['x%s']}]}}}",
        "inbound: {a: {format: json, to: ['1'], policy: 'x%s'}}",
        "accounts: {'a%s': b, b: 'c%s'}",
        "templates: '/%s'",
        "telegram: {token_file: '/%s'}",
        "a: *%s",
        "%%%s",
    ],
)
def test_a_token_in_the_wrong_place_is_never_shown(tmp_path: Path, text: str) -> None:
    assert "secretsecret" not in "".join(problems(tmp_path, text.replace("%s", TOKEN)))


@pytest.mark.parametrize(
    "text",
    [
        "telegram: {webhook: {secret_token: 'hidden text'}}",
        "telegram: {webhook: {path: 'hidden'}}",
        "telegram: {webhook: 'hidden'}",
        "database: {url: 'mysql://u:hidden@h'}",
        "database: {url: '${URL:-hidden}'}",
        "http: {jwt: {secret: hidden}}",
        "http: {jwt: hidden}",
        "inbound: {a: {format: github, to: ['1'], secret: \"hidden\\n\"}}",
    ],
)
def test_a_secret_that_is_refused_is_never_shown(tmp_path: Path, text: str) -> None:
    assert "hidden" not in "".join(problems(tmp_path, text))


def test_an_invalid_variable_is_named_but_its_value_is_not_shown(tmp_path: Path) -> None:
    found = problems(tmp_path, "alerts: {close_after: '${SPAN}'}", SPAN="hidden", TELEGRAM_BOT_TOKEN="hidden")
    assert found[0].startswith("1:1: telegram.token: the value of ${TELEGRAM_BOT_TOKEN} is invalid: a bot token is")
    assert found[1].startswith("1:23: alerts.close_after: '${SPAN}' is invalid: a span is written like")
    assert "hidden" not in "".join(found)


def test_the_shipped_file_names_an_invalid_variable() -> None:
    with pytest.raises(ConfigInvalid, match=r"telegram.token: the value of \$\{TELEGRAM_BOT_TOKEN\} is invalid"):
        load_default({"TELEGRAM_BOT_TOKEN": "hidden"})


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None,
         "1:24: telegram.token_file: /FOLDER/token cannot be read: No such file or directory."),
        (b'',
         "1:24: telegram.token_file: /FOLDER/token is empty."),
        (b'\n \n',
         "1:24: telegram.token_file: /FOLDER/token is empty."),
        (b'\xff\xfe',
         "1:24: telegram.token_file: /FOLDER/token is not UTF-8 text."),
        (b"x" * 70000,
         "1:24: telegram.token_file: /FOLDER/token is larger than 64,000 bytes."),
        (b'hidden',
         "1:24: telegram.token_file: the content of /FOLDER/token is invalid: a bot token is digits, a colon and at least 30 characters, as @BotFather gives it."),
    ],
)  # fmt: skip
def test_an_unusable_token_file_is_a_problem(tmp_path: Path, content: bytes | None, problem: str) -> None:
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    assert problems(tmp_path, "telegram: {token_file: token}") == [problem.replace("/FOLDER", str(tmp_path))]


def test_an_unusable_credential_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "telegram_token").write_text("hidden")
    found = problems(tmp_path, "", CREDENTIALS_DIRECTORY=str(tmp_path))
    assert found[0].startswith("1:1: telegram.token: the content of the credential telegram_token is invalid: ")


def test_a_secret_given_twice_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    found = problems(tmp_path, "telegram: {token: '${T}', token_file: token}", T=TOKEN)
    assert found == ["1:39: telegram.token_file: 'token' and 'token_file' are both set. Keep one of them."]


def test_a_variable_that_is_no_text_is_a_problem(tmp_path: Path) -> None:
    found = problems(tmp_path, "data_dir: ${DIR}", DIR="/x/\udcff")
    assert found == ["1:11: data_dir: the environment variable DIR is not UTF-8 text."]


def test_the_path_of_a_socket_fits_into_an_address(tmp_path: Path) -> None:
    found = problems(tmp_path, f"socket: {{path: /run/{'x' * 103}}}")
    assert found == ["1:16: socket.path: a socket path can have at most 107 bytes. Choose a shorter one."]
