"""A right credential is always let in, whatever others at the same address send; only guesses are slowed."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from notifybot.auth.throttle import BURST
from tests.support.keys import SECRET, forged, in_seconds, signed
from tests.support.remote import Wire, wire

JWT = f"jwt: {{secret: '{SECRET}', issuer: dash, audience: notifybot}}"
RIGHT = {"iss": "dash", "aud": "notifybot"}
CLAIMS = {"sub": "alice", "exp": 2**40, **RIGHT}
TRIES = BURST + 10


async def a_revoked_token(line: Wire) -> str:
    secret = await line.token("revoked", scopes=["read"])
    await line.socket.ask("DELETE", "/api/admin/tokens/revoked")
    return secret


def always(credential: str) -> Callable[[Wire], Awaitable[str]]:
    async def give(_: Wire) -> str:
        return credential

    return give


LAPSED = {
    "an expired JWT": always(signed(**RIGHT, exp=in_seconds(-600))),
    "a JWT of tomorrow": always(signed(**RIGHT, nbf=in_seconds(86400))),
    "a JWT without an end": always(signed(**RIGHT, exp=None)),
    "a JWT for another audience": always(signed(iss="dash", aud="billing")),
    "a JWT of another issuer": always(signed(iss="other", aud="notifybot")),
    "a JWT without a subject": always(signed(**RIGHT, sub=None)),
    "a JWT whose subject is no account": always(signed(**RIGHT, sub="alice\nadmin")),
    "a revoked token": a_revoked_token,
}
GUESSES = {
    "an unknown token": always("nb_" + "x" * 43),
    "another key": always(signed("another secret, just as long as it", **RIGHT)),
    "no signature": always(forged({"alg": "none"}, CLAIMS)),
    "another algorithm": always(forged({"alg": "HS512"}, CLAIMS, SECRET.encode())),
    "a torn JWT": always(signed(**RIGHT)[:-5]),
    "a bot token": always("123456:" + "A" * 35),
}
CASES = [(name, give, False) for name, give in LAPSED.items()] + [(name, give, True) for name, give in GUESSES.items()]


@pytest.mark.parametrize(("give", "is_guess"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_the_right_are_let_in_next_to_the_wrong(
    folder: Path, give: Callable[[Wire], Awaitable[str]], is_guess: bool
) -> None:
    async with wire(folder, JWT) as line:
        wrong, token = await give(line), await line.token("right", scopes=["read"])

        refused = [(await line.bearing(wrong, "GET", "/api/messages")).status for _ in range(TRIES)]

        assert refused == [401] * BURST + [429] * 10 if is_guess else [401] * TRIES
        for right in (token, signed(**RIGHT), signed(**RIGHT, exp=in_seconds(60))):
            assert (await line.bearing(right, "GET", "/api/messages")).status == 200
