"""Actors: an account, a person in Telegram, or notifybot itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Actor:
    """The one who did something: `name` is written to the timeline, `facts` to columns such as `acknowledged_by`."""

    name: str
    facts: dict[str, Any]


def by_account(account: str) -> Actor:
    return Actor(f"account:{account}", {"account": account})


def by_telegram(telegram_id: int, name: str, username: str | None) -> Actor:
    return Actor(f"telegram:{telegram_id}", {"telegram_id": telegram_id, "name": name, "username": username})


def name_of(who: Mapping[str, Any]) -> str:
    """Return the display name in an actor's `facts`."""
    if "account" in who:
        return str(who["account"])
    return f"{who['name']} (@{who['username']})" if who.get("username") else str(who["name"])


NOTIFYBOT = "notifybot"
"""The actor of everything that no person did."""
