"""Actors: an account, a person in Telegram, or notifybot itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from notifybot.model.names import visible_name


@dataclass(frozen=True)
class Actor:
    """The one who did something: `name` is written to the timeline, `facts` to columns such as `acknowledged_by`."""

    name: str
    facts: dict[str, Any]


def by_account(account: str) -> Actor:
    return Actor(f"account:{account}", {"account": account})


def by_telegram(telegram_id: int, name: str | None, username: str | None) -> Actor:
    """Return the actor. A name that nobody can see is replaced by the username, then by the id."""
    shown = visible_name(name, username, str(telegram_id))
    return Actor(f"telegram:{telegram_id}", {"telegram_id": telegram_id, "name": shown, "username": username})


def name_of(who: Mapping[str, Any]) -> str:
    """Return the display name in an actor's `facts`."""
    if who.get("account"):
        return str(who["account"])
    name, username, telegram_id = (who.get(key) for key in ("name", "username", "telegram_id"))
    shown = visible_name(name, username, str(telegram_id or "somebody"))
    if not username:
        return shown
    return f"@{username}" if shown == username else f"{shown} (@{username})"


NOTIFYBOT = "notifybot"
"""The actor of everything that no person did."""
