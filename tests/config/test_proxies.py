"""The proxy to Telegram: `telegram.proxy`, and the variables of the environment."""

from pathlib import Path

import pytest

from notifybot.config import load
from notifybot.config.problems import ConfigInvalid
from notifybot.config.proxies import DIRECT, Proxy, parse_proxy, proxy_to

SERVER = "https://api.telegram.org"
GOOD = {
    "socks5://proxy.example:1080": Proxy("socks5", "proxy.example", 1080),
    "socks5h://proxy.example": Proxy("socks5h", "proxy.example", 1080),
    "socks5://anna:pass%40word@10.0.0.1:9050": Proxy("socks5", "10.0.0.1", 9050, "anna", "pass@word"),
    "http://proxy.example:3128": Proxy("http", "proxy.example", 3128),
    "http://proxy.example": Proxy("http", "proxy.example", 80),
    "https://proxy.example/": Proxy("https", "proxy.example", 443),
    "proxy.example:3128": Proxy("http", "proxy.example", 3128),
    "http://anna@proxy.example:3128": Proxy("http", "proxy.example", 3128, "anna"),
    "http://anna:@proxy.example:3128": Proxy("http", "proxy.example", 3128, "anna", ""),
    "HTTP://Proxy.Example:3128": Proxy("http", "proxy.example", 3128),
    "socks5://[fd00::1]:1080": Proxy("socks5", "fd00::1", 1080),
    "direct": Proxy(DIRECT, "", 0),
}
BAD = (
    "socks4://proxy.example:1080",
    "socks://proxy.example:1080",
    "ftp://proxy.example",
    "socks5://",
    "http://proxy.example:0",
    "http://proxy.example:99999",
    "http://proxy.example:port",
    "http://proxy.example/path",
    "http://proxy.example?x=1",
    "http://proxy.example:3128#x",
    "http://proxy example",
    "http://[fd00::1",
    f"socks5://{'u' * 256}:p@proxy.example",
    f"socks5://u:{'ü' * 128}@proxy.example",
    "http://anna:₤@proxy.example",
    "http://anna:\udcff@proxy.example",
    *(f"socks5://{user}@proxy.example" for user in ("\udcff", "anna:\ud800", "\udfff:x", f"{'u' * 255}:\udcff")),
    "",
)
FROM_ENVIRONMENT: dict[str, tuple[str, dict[str, str], str | None]] = {
    "nothing set": (SERVER, {}, None),
    "https": (SERVER, {"HTTPS_PROXY": "http://a:1"}, "http://a:1 (HTTPS_PROXY)"),
    "lower case first": (
        SERVER,
        {"https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:1"},
        "http://a:1 (https_proxy)",
    ),
    "all": (SERVER, {"ALL_PROXY": "socks5://a:1"}, "socks5://a:1 (ALL_PROXY)"),
    "https before all": (SERVER, {"ALL_PROXY": "socks5://a:1", "HTTPS_PROXY": "b:1"}, "http://b:1 (HTTPS_PROXY)"),
    "an empty variable": (SERVER, {"HTTPS_PROXY": "", "all_proxy": "socks5://a:1"}, "socks5://a:1 (all_proxy)"),
    "http is for http servers": (SERVER, {"HTTP_PROXY": "http://a:1"}, None),
    "an http server": ("http://bots.example:8081", {"HTTP_PROXY": "http://a:1"}, "http://a:1 (HTTP_PROXY)"),
    "an exception": (SERVER, {"HTTPS_PROXY": "http://a:1", "NO_PROXY": "x.org, api.telegram.org"}, None),
    "an exception for a domain": (SERVER, {"HTTPS_PROXY": "http://a:1", "no_proxy": ".telegram.org"}, None),
    "another exception": (SERVER, {"HTTPS_PROXY": "http://a:1", "NO_PROXY": "gram.org"}, "http://a:1 (HTTPS_PROXY)"),
    "no proxy at all": (SERVER, {"ALL_PROXY": "http://a:1", "NO_PROXY": "*"}, None),
    "this machine": ("http://127.0.0.1:8081", {"ALL_PROXY": "http://a:1"}, None),
    "this machine by name": ("http://localhost:8081", {"ALL_PROXY": "http://a:1"}, None),
    "credentials are not shown": (SERVER, {"HTTPS_PROXY": "http://anna:secret@a:1"}, "http://a:1 (HTTPS_PROXY)"),
}


@pytest.mark.parametrize(("text", "proxy"), GOOD.items())
def test_a_proxy_is_read(text: str, proxy: Proxy) -> None:
    assert parse_proxy(text) == proxy


@pytest.mark.parametrize("text", BAD)
def test_a_wrong_proxy_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_proxy(text)


@pytest.mark.parametrize("name", FROM_ENVIRONMENT)
def test_the_environment_names_the_proxy(name: str) -> None:
    server, environ, expected = FROM_ENVIRONMENT[name]
    found = proxy_to(server, None, environ)
    assert (None if found is None else str(found)) == expected


def read(folder: Path, telegram: str, **environ: str) -> Proxy | None:
    file = folder / "config.yaml"
    file.write_text(f"telegram: {{{telegram}}}\n")
    return load(file, environ).telegram.proxy


def test_the_config_wins_over_the_environment(tmp_path: Path) -> None:
    everything = {"HTTPS_PROXY": "http://b:1", "NO_PROXY": "*"}
    assert str(read(tmp_path, "proxy: 'socks5://a:1'", **everything)) == "socks5://a:1 (telegram.proxy)"
    assert read(tmp_path, "proxy: direct", HTTPS_PROXY="http://b:1") is None
    assert str(read(tmp_path, "proxy: null", HTTPS_PROXY="http://b:1")) == "http://b:1 (HTTPS_PROXY)"
    assert str(read(tmp_path, "proxy: '${OURS:-}'", HTTPS_PROXY="http://b:1")) == "http://b:1 (HTTPS_PROXY)"
    assert str(read(tmp_path, "mode: polling", HTTPS_PROXY="http://b:1")) == "http://b:1 (HTTPS_PROXY)"


def test_a_proxy_set_in_the_config_serves_this_machine_too(tmp_path: Path) -> None:
    assert read(tmp_path, "base_url: 'http://127.0.0.1:8081', proxy: 'socks5://a:1'") is not None


def test_the_password_may_come_from_a_file_or_a_variable(tmp_path: Path) -> None:
    (tmp_path / "way").write_text("socks5://anna:secret@a:1\n")
    for found in (
        read(tmp_path, "proxy_file: way"),
        read(tmp_path, "proxy: 'socks5://anna:${WORD}@a:1'", WORD="secret"),
    ):
        assert found == Proxy("socks5", "a", 1, "anna", "secret")
        assert "secret" not in f"{found} {found!r}"


@pytest.mark.parametrize(
    ("telegram", "environ", "says"),
    [
        ("proxy: 'socks4://anna:secret@a:1'", {}, "telegram.proxy: the value is invalid: the scheme must be socks5"),
        ("proxy: 1080", {}, "telegram.proxy: must be the URL of a proxy"),
        ("mode: polling", {"ALL_PROXY": "socks4://anna:secret@a:1"}, "the variable ALL_PROXY is invalid"),
        ("mode: polling", {"HTTPS_PROXY": "http://anna:secret@a:port"}, "the variable HTTPS_PROXY is invalid"),
    ],
)
def test_a_wrong_proxy_refuses_the_start_and_is_not_shown(
    tmp_path: Path, telegram: str, environ: dict[str, str], says: str
) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        read(tmp_path, telegram, **environ)
    assert says in refused.value.detail
    assert "secret" not in refused.value.detail
