"""API tokens, with a simulated clock, on both databases."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlmodel import Session

from notifybot.auth import tokens
from notifybot.auth.permissions import Scope
from notifybot.auth.tokens import USE_RECORDED_EVERY, NewToken
from notifybot.errors import Conflict, NotFound
from notifybot.model.people import ApiToken
from notifybot.storage.database import Database

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def new(name: str = "ci", *, lasts: timedelta | None = None) -> NewToken:
    return NewToken(name, name, frozenset({Scope.SEND, Scope.READ}), lasts=lasts)


async def make(database: Database, wanted: NewToken, *, at: datetime = NOW) -> str:
    def work(session: Session) -> str:
        return tokens.create(session, wanted, actor="account:root", now=at)[1]

    return await database.write(work)


async def name_of(database: Database, secret: str, *, at: datetime = NOW) -> str | None:
    """Return the name of the token, or None if it is not valid."""
    found = await database.read(partial(tokens.find, secret=secret))
    return None if found is None or not tokens.is_valid(found, at) else found.name


async def test_a_token_is_valid_until_just_before_its_expiry(database: Database) -> None:
    secret = await make(database, new(lasts=DAY))
    assert await name_of(database, secret, at=NOW + DAY - SECOND) == "ci"
    assert await name_of(database, secret, at=NOW + DAY) is None


async def test_a_token_without_expiry_never_expires(database: Database) -> None:
    secret = await make(database, new())
    assert await name_of(database, secret, at=NOW + 10_000 * DAY) == "ci"


@pytest.mark.parametrize("changed", ["", " ", "x", "nb_"])
async def test_only_the_whole_secret_holds(database: Database, changed: str) -> None:
    secret = await make(database, new())
    for guess in (secret[:-1] + changed, secret + changed, changed, secret.lower(), secret.removeprefix("nb_")):
        assert await name_of(database, guess) == ("ci" if guess == secret else None)


@pytest.mark.both_databases
async def test_an_expired_name_can_be_given_again(database: Database) -> None:
    old = await make(database, new(lasts=DAY))
    with pytest.raises(Conflict):
        await make(database, new(), at=NOW + DAY - SECOND)
    fresh = await make(database, new(), at=NOW + DAY)
    assert await name_of(database, fresh, at=NOW + DAY) == "ci"
    assert await name_of(database, old, at=NOW) is None


async def test_a_second_revocation_keeps_the_first_timestamp(database: Database) -> None:
    secret = await make(database, new())
    for at in (NOW, NOW + DAY):
        token = await database.write(partial(tokens.revoke, name="ci", now=at))
        assert token.revoked_at == NOW
    assert await name_of(database, secret) is None


async def test_an_unknown_name_is_refused_with_a_suggestion(database: Database) -> None:
    await make(database, new("backup"))
    with pytest.raises(NotFound) as refused:
        await database.write(partial(tokens.revoke, name="bakup", now=NOW))
    assert "backup" in (refused.value.hint or "")


def test_a_use_is_worth_a_write_once_a_minute() -> None:
    token = ApiToken(
        id="x", name="x", account="x", digest="x", scopes=[], created_at=NOW, created_by="x", last_used_at=None
    )
    assert tokens.is_use_worth_recording(token, NOW)
    token.last_used_at = NOW
    assert not tokens.is_use_worth_recording(token, NOW + USE_RECORDED_EVERY - SECOND)
    assert tokens.is_use_worth_recording(token, NOW + USE_RECORDED_EVERY)
