"""Link codes and tokens: each links a chat once, within ten minutes, and cannot be guessed."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlmodel import Session, select

from notifybot.errors import NotFound, NotifybotError, TooManyRequests
from notifybot.model.actors import by_account, by_telegram
from notifybot.model.chats import Post
from notifybot.model.people import LinkGuess, LinkSecret, Person
from notifybot.people import code_limits, linking, people
from notifybot.people.link_texts import AccountLink
from notifybot.people.linking import LinkRefusal
from notifybot.storage.database import Database
from notifybot.system.secret_key import SecretKey

NOW = datetime(2026, 6, 1, tzinfo=UTC)
KEY = SecretKey(bytes(32))
MINUTE = timedelta(minutes=1)
ALICE, ROOT = by_account("alice"), by_account("root")


def person(session: Session, chat_id: str) -> Person:
    return people.subscribe(session, chat_id, f"chat {chat_id}", now=NOW)[0]


def code_of(session: Session, chat_id: str, *, at: datetime = NOW) -> str:
    person(session, chat_id)
    return linking.new_code(session, KEY, chat_id, now=at)


def wrong_code(session: Session) -> str:
    """A code that no chat has."""
    taken = set(session.exec(select(LinkSecret.digest)))
    return next(code for code in (f"{n:06d}" for n in range(1000)) if KEY.digest("code", code) not in taken)


def verify(session: Session, code: str, account: str = "alice", *, at: datetime = NOW) -> AccountLink | NotifybotError:
    found = linking.verify(session, KEY, code, account, by_account(account), now=at)
    return found.error if isinstance(found, LinkRefusal) else found


def told(session: Session, chat_id: str) -> list[str]:
    posts = session.exec(select(Post).where(Post.chat_id == chat_id))
    return [post.reply["text"] for post in posts if post.reply is not None]


@pytest.mark.both_databases
async def test_a_code_links_its_chat_once(database: Database) -> None:
    def check(session: Session) -> None:
        code = code_of(session, "7")
        link = verify(session, code)
        assert isinstance(link, AccountLink)
        assert (link.person.account, link.person.linked_at, link.person.linked_by) == ("alice", NOW, "account:alice")
        again = verify(session, code)
        assert isinstance(again, NotifybotError) and again.detail == linking.WRONG_CODE
        assert len(told(session, "7")) == 1

    await database.write(check)


async def test_a_code_has_six_digits_and_is_stored_as_a_keyed_hash(database: Database) -> None:
    def check(session: Session) -> None:
        code = code_of(session, "7")
        (secret,) = session.exec(select(LinkSecret)).all()
        assert len(code) == 6 and code.isdigit()
        assert secret.digest == KEY.digest("code", code)

    await database.write(check)


@pytest.mark.parametrize(("after", "is_valid"), [(10 * MINUTE - timedelta(milliseconds=1), True), (10 * MINUTE, False)])
async def test_a_code_is_valid_for_ten_minutes(database: Database, after: timedelta, is_valid: bool) -> None:
    def check(session: Session) -> None:
        code = code_of(session, "7")
        assert isinstance(verify(session, code, at=NOW + after), AccountLink) is is_valid

    await database.write(check)


async def test_a_new_code_voids_only_that_chats_earlier_codes(database: Database) -> None:
    def check(session: Session) -> None:
        first, others, second = code_of(session, "7"), code_of(session, "8"), code_of(session, "7")
        assert isinstance(verify(session, first, "bob"), NotifybotError)
        assert isinstance(verify(session, second, "bob"), AccountLink)
        assert isinstance(verify(session, others, "carol"), AccountLink)

    await database.write(check)


async def test_two_chats_never_have_the_same_code_at_once(database: Database) -> None:
    def check(session: Session) -> None:
        add = partial(linking.add_code, session, KEY, "000001", expires_at=NOW + MINUTE)
        assert add(chat_id="7", now=NOW)
        assert not add(chat_id="8", now=NOW)
        assert linking.add_code(session, KEY, "000001", "8", expires_at=NOW + 3 * MINUTE, now=NOW + 2 * MINUTE)

    await database.write(check)


async def test_five_wrong_codes_block_an_account_even_with_the_right_one(database: Database) -> None:
    def check(session: Session) -> None:
        code = code_of(session, "7")
        for minute in range(5):
            assert not isinstance(verify(session, wrong_code(session), at=NOW + minute * MINUTE), TooManyRequests)
        refusal = verify(session, code, at=NOW + 5 * MINUTE)
        assert isinstance(refusal, TooManyRequests)
        assert refusal.retry_after_s == 5 * 60
        assert isinstance(verify(session, code, "bob", at=NOW + 5 * MINUTE), AccountLink)

    await database.write(check)


async def test_the_account_may_try_again_once_its_first_wrong_code_is_ten_minutes_old(database: Database) -> None:
    def check(session: Session) -> None:
        for minute in range(5):
            verify(session, wrong_code(session), at=NOW + minute * MINUTE)
        code = code_of(session, "7", at=NOW + 9 * MINUTE)
        assert isinstance(verify(session, code, at=NOW + 10 * MINUTE - timedelta(seconds=1)), TooManyRequests)
        assert isinstance(verify(session, code, at=NOW + 10 * MINUTE), AccountLink)

    await database.write(check)


async def test_attempts_while_blocked_do_not_prolong_the_block(database: Database) -> None:
    def check(session: Session) -> None:
        for _ in range(50):
            verify(session, wrong_code(session))
        assert len(session.exec(select(LinkGuess)).all()) == 5

    await database.write(check)


async def test_many_accounts_together_get_twenty_guesses_in_ten_minutes(database: Database) -> None:
    def check(session: Session) -> None:
        answers = [verify(session, wrong_code(session), f"user{n}") for n in range(21)]
        assert [isinstance(answer, TooManyRequests) for answer in answers] == [False] * 20 + [True]
        assert "all callers together" in str(answers[-1])
        assert isinstance(verify(session, code_of(session, "7"), at=NOW + 9 * MINUTE), TooManyRequests)
        assert isinstance(verify(session, code_of(session, "7"), at=NOW + 10 * MINUTE), NotifybotError | AccountLink)

    await database.write(check)


async def test_a_day_of_brute_force_gets_a_hundred_guesses_and_one_account_twenty(
    database: Database,
) -> None:
    def check(session: Session) -> None:
        def counted(accounts: list[str]) -> int:
            before = len(session.exec(select(LinkGuess)).all())
            for minute in range(0, 24 * 60 - 1, 10):
                for account in accounts:
                    linking.verify(session, KEY, "none", account, ROOT, now=NOW + minute * MINUTE)
            return len(session.exec(select(LinkGuess)).all()) - before

        assert counted(["alice"]) == 20
        assert counted([f"user{n}" for n in range(5)]) == 80

    await database.write(check)


def test_the_limits_match_the_documented_odds() -> None:
    (account, _), (everybody, daily) = code_limits.ACCOUNT_LIMITS, code_limits.OVERALL_LIMITS

    assert account.span == everybody.span == linking.VALID_FOR
    assert account.most / linking.CODES == 5 / 1_000_000
    assert everybody.most / linking.CODES == 20 / 1_000_000
    assert linking.CODES / daily.most == 10_000
    assert daily.span == timedelta(days=1)


async def test_a_deep_link_links_once_and_names_who_requested_it(database: Database) -> None:
    def check(session: Session) -> None:
        made = linking.new_token(session, KEY, "alice", ROOT, now=NOW)
        assert linking.token_used_at(session, KEY, made.token, "alice", now=NOW) is None
        anna, bert = person(session, "7"), person(session, "8")
        link = linking.use_token(session, KEY, made.token, anna, now=NOW + MINUTE)
        assert link is not None and (anna.account, anna.linked_by) == ("alice", "account:root")
        assert linking.use_token(session, KEY, made.token, bert, now=NOW + MINUTE) is None
        assert linking.token_used_at(session, KEY, made.token, "alice", now=NOW + 20 * MINUTE) == NOW + MINUTE
        assert "It was linked by root" in told(session, "7")[0]

    await database.write(check)


async def test_a_deep_link_is_void_after_ten_minutes(database: Database) -> None:
    def check(session: Session) -> None:
        made = linking.new_token(session, KEY, "alice", ALICE, now=NOW)
        assert linking.use_token(session, KEY, made.token, person(session, "7"), now=NOW + 10 * MINUTE) is None
        with pytest.raises(NotFound):
            linking.token_used_at(session, KEY, made.token, "alice", now=NOW + 10 * MINUTE)

    await database.write(check)


@pytest.mark.parametrize("token", ["", "x", "y" * 65, "ein Wort", "\ud800", "../..", "'; DROP TABLE people; --"])
async def test_malformed_tokens_link_nothing(database: Database, token: str) -> None:
    def check(session: Session) -> None:
        assert linking.use_token(session, KEY, token, person(session, "7"), now=NOW) is None

    await database.write(check)


async def test_codes_and_tokens_are_not_interchangeable(database: Database) -> None:
    def check(session: Session) -> None:
        code, made = code_of(session, "7"), linking.new_token(session, KEY, "alice", ALICE, now=NOW)
        assert linking.use_token(session, KEY, code, person(session, "8"), now=NOW) is None
        assert isinstance(verify(session, made.token), NotifybotError)
        with pytest.raises(NotFound):
            linking.token_used_at(session, KEY, code, "alice", now=NOW)

    await database.write(check)


async def test_only_the_owner_of_a_token_sees_its_status(database: Database) -> None:
    def check(session: Session) -> None:
        made = linking.new_token(session, KEY, "alice", ALICE, now=NOW)
        with pytest.raises(NotFound):
            linking.token_used_at(session, KEY, made.token, "bob", now=NOW)

    await database.write(check)


async def test_an_accounts_newest_ten_tokens_are_valid(database: Database) -> None:
    def check(session: Session) -> None:
        made = [linking.new_token(session, KEY, "alice", ALICE, now=NOW + n * MINUTE / 60) for n in range(11)]
        anna = person(session, "7")
        assert linking.use_token(session, KEY, made[0].token, anna, now=NOW + MINUTE) is None
        assert linking.use_token(session, KEY, made[1].token, anna, now=NOW + MINUTE) is not None

    await database.write(check)


async def test_linking_an_account_again_moves_it_and_notifies_both_chats(database: Database) -> None:
    def check(session: Session) -> None:
        verify(session, code_of(session, "7"))
        link = verify(session, code_of(session, "8"), at=NOW + MINUTE)
        assert isinstance(link, AccountLink) and link.previous_person is not None
        assert (person(session, "7").account, person(session, "8").account) == (None, "alice")
        assert "is now linked to another chat (chat 8)" in told(session, "7")[-1]
        assert "(chat 7) is notified" in told(session, "8")[-1]

    await database.write(check)


async def test_linking_a_chat_to_another_account_unlinks_the_first(database: Database) -> None:
    def check(session: Session) -> None:
        verify(session, code_of(session, "7"), "bob")
        link = verify(session, code_of(session, "7"), "alice", at=NOW + MINUTE)
        assert isinstance(link, AccountLink) and link.left_account == "bob"
        assert linking.person_of(session, "bob") is None
        assert "It was linked to bob before; that account has no chat now." in told(session, "7")[-1]

    await database.write(check)


@pytest.mark.both_databases
async def test_an_undone_link_counts_as_not_linked(database: Database) -> None:
    def check(session: Session) -> None:
        made = linking.new_token(session, KEY, "alice", ALICE, now=NOW)
        linking.use_token(session, KEY, made.token, person(session, "7"), now=NOW)
        owner = by_telegram(7, "Anna", None)
        assert linking.unlink(session, chat_id="7", actor=owner, now=NOW) == "alice"
        assert linking.unlink(session, chat_id="7", actor=owner, now=NOW) is None
        assert linking.token_used_at(session, KEY, made.token, "alice", now=NOW) is None
        assert person(session, "7").user_id  # it stays subscribed
        assert len(told(session, "7")) == 1  # the person who did it gets a reply here

    await database.write(check)


async def test_unlinking_by_a_caller_names_the_caller_in_the_chat(database: Database) -> None:
    def check(session: Session) -> None:
        verify(session, code_of(session, "7"))
        assert linking.unlink_account(session, "alice", ROOT, now=NOW)
        assert not linking.unlink_account(session, "alice", ROOT, now=NOW)
        assert "It was unlinked by root. You stay subscribed;" in told(session, "7")[-1]

    await database.write(check)


async def test_secrets_are_deleted_a_day_after_they_expire(database: Database) -> None:
    def check(session: Session) -> None:
        code_of(session, "7")
        assert linking.forget_old(session, now=NOW + timedelta(days=1)) == 0
        assert linking.forget_old(session, now=NOW + timedelta(days=1, minutes=11)) == 1

    await database.write(check)
