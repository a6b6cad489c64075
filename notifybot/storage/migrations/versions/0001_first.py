"""The first tables."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_bot()
    _create_clock()
    _create_chats()
    _create_turns()
    _create_chat_troubles()
    _create_inbox()
    _create_job_runs()
    _create_job_troubles()
    _create_deaths()
    _create_schedules()
    _create_messages()
    _create_client_ids()
    _create_people()
    _create_posts()
    _create_timeline()
    _create_deliveries()
    _create_attachments()
    _create_dedup_keys()
    _create_link_secrets()
    _create_link_guesses()
    _create_api_tokens()
    _create_on_call()
    _create_summary_plans()


def _create_bot() -> None:
    op.create_table(
        "bot",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("term", sa.Integer(), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.Column("held_until", UTCDateTime(), nullable=True),
        sa.Column("pace", UTCDateTime(), nullable=True),
        sa.Column("floods", sa.Integer(), nullable=False),
        sa.Column("network_errors", sa.Integer(), nullable=False),
        sa.Column("identity", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("former_identity", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("replaced_at", UTCDateTime(), nullable=True),
        sa.Column("probe_at", UTCDateTime(), nullable=True),
        sa.Column("reported_zones", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("reported_names", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )


def _create_clock() -> None:
    op.create_table(
        "clock",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("boot_id", AutoString(), nullable=False),
        sa.Column("booted_at", UTCDateTime(), nullable=False),
        sa.Column("seen_at", UTCDateTime(), nullable=False),
        sa.Column("ahead_of_telegram_s", sa.Float(), nullable=True),
        sa.Column("stepped_at", UTCDateTime(), nullable=True),
        sa.Column("step_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _create_chats() -> None:
    op.create_table(
        "chats",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("kind", AutoString(), nullable=True),
        sa.Column("title", AutoString(), nullable=True),
        sa.Column("moved_to", AutoString(), nullable=True),
        sa.Column("unreachable", AutoString(), nullable=True),
        sa.Column("held_until", UTCDateTime(), nullable=True),
        sa.Column("pace", UTCDateTime(), nullable=True),
        sa.Column("group_pace", UTCDateTime(), nullable=True),
        sa.Column("quiet_pace", UTCDateTime(), nullable=True),
        sa.Column("is_new", sa.Boolean(), nullable=False),
        sa.Column("last_caller", AutoString(), nullable=False),
        sa.Column("claimed_post", AutoString(), nullable=True),
        sa.Column("claim_term", sa.Integer(), nullable=True),
        sa.Column("claim_until", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    index("chats_claimed", "chats", ["claim_term"], "claimed_post IS NOT NULL")
    index("chats_held", "chats", ["held_until"], "held_until IS NOT NULL")


def _create_turns() -> None:
    op.create_table(
        "turns",
        sa.Column("chat_id", AutoString(), nullable=False),
        sa.Column("urgency", sa.Integer(), nullable=False),
        sa.Column("caller", AutoString(), nullable=False),
        sa.Column("is_new", sa.Boolean(), nullable=False),
        sa.Column("next_at", UTCDateTime(), nullable=False),
        sa.Column("since", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("chat_id", "urgency", "caller"),
    )
    index("turns_by_time", "turns", ["next_at"])
    index("turns_next", "turns", ["urgency", "is_new", "caller", "next_at"])


def _create_chat_troubles() -> None:
    op.create_table(
        "chat_troubles",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("chat_id", AutoString(), nullable=False),
        sa.Column("thread_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", AutoString(), nullable=False),
        sa.Column("since", UTCDateTime(), nullable=False),
        sa.Column("until", UTCDateTime(), nullable=False),
        sa.Column("tell_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    index("chat_troubles_of", "chat_troubles", ["chat_id"])
    index("chat_troubles_untold", "chat_troubles", ["tell_at"], "tell_at IS NOT NULL")


def _create_inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("update_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("received_at", UTCDateTime(), nullable=False),
        sa.Column("handled_at", UTCDateTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", AutoString(), nullable=True),
        sa.PrimaryKeyConstraint("update_id"),
    )
    index("inbox_waiting", "inbox", ["update_id"], "handled_at IS NULL")


def _create_job_runs() -> None:
    op.create_table(
        "job_runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job", AutoString(), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("is_manual", sa.Boolean(), nullable=False),
        sa.Column("error", AutoString(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    index("job_runs_of", "job_runs", ["job", "id"])


def _create_job_troubles() -> None:
    op.create_table(
        "job_troubles",
        sa.Column("job", AutoString(), nullable=False),
        sa.Column("row_key", AutoString(), nullable=False),
        sa.Column("error", AutoString(), nullable=False),
        sa.Column("since", UTCDateTime(), nullable=False),
        sa.Column("last_at", UTCDateTime(), nullable=False),
        sa.Column("until", UTCDateTime(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("told_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("job", "row_key"),
    )


def _create_people() -> None:
    op.create_table(
        "people",
        sa.Column("user_id", AutoString(), nullable=False),
        sa.Column("account", AutoString(), nullable=True),
        sa.Column("chat_id", AutoString(), nullable=False),
        sa.Column("chat_name", AutoString(), nullable=False),
        sa.Column("is_renamed", sa.Boolean(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("linked_at", UTCDateTime(), nullable=True),
        sa.Column("linked_by", AutoString(), nullable=True),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("muted_until", UTCDateTime(), nullable=True),
        sa.Column("time_zone", AutoString(), nullable=True),
        sa.Column("summary_time", AutoString(), nullable=True),
        sa.Column("quiet_from", AutoString(), nullable=True),
        sa.Column("quiet_until", AutoString(), nullable=True),
        sa.ForeignKeyConstraint(
            ["chat_id"],
            ["chats.id"],
        ),
        sa.PrimaryKeyConstraint("user_id"),
        sa.UniqueConstraint("account"),
        sa.UniqueConstraint("chat_id"),
    )
    index("ix_people_time_zone", "people", ["time_zone"])


def _create_link_secrets() -> None:
    op.create_table(
        "link_secrets",
        sa.Column("digest", AutoString(), nullable=False),
        sa.Column("chat_id", AutoString(), nullable=True),
        sa.Column("account", AutoString(), nullable=True),
        sa.Column("actor", AutoString(), nullable=True),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("used_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("digest"),
    )
    for column in ("account", "chat_id", "expires_at"):
        index(f"ix_link_secrets_{column}", "link_secrets", [column])


def _create_link_guesses() -> None:
    op.create_table(
        "link_guesses",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account", AutoString(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    for column in ("account", "at"):
        index(f"ix_link_guesses_{column}", "link_guesses", [column])


def _create_api_tokens() -> None:
    op.create_table(
        "api_tokens",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("name", AutoString(), nullable=False),
        sa.Column("account", AutoString(), nullable=False),
        sa.Column("digest", AutoString(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("recipients", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("created_by", AutoString(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=True),
        sa.Column("last_used_at", UTCDateTime(), nullable=True),
        sa.Column("revoked_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
        sa.UniqueConstraint("name"),
    )


def _create_on_call() -> None:
    op.create_table(
        "on_call_overrides",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("rotation", AutoString(), nullable=False),
        sa.Column("member", AutoString(), nullable=False),
        sa.Column("starts_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("created_by", AutoString(), nullable=False),
        sa.Column("cancelled_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    index("ix_on_call_overrides_ends_at", "on_call_overrides", ["ends_at"])
    op.create_table(
        "on_call_turns",
        sa.Column("rotation", AutoString(), nullable=False),
        sa.Column("members", sa.JSON(), nullable=False),
        sa.Column("since", UTCDateTime(), nullable=False),
        sa.Column("look_at", UTCDateTime(), nullable=True),
        sa.Column("rota", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("rotation"),
    )
    index("ix_on_call_turns_look_at", "on_call_turns", ["look_at"])


def _create_summary_plans() -> None:
    op.create_table(
        "summary_plans",
        sa.Column("reader", AutoString(), nullable=False),
        sa.Column("daily", AutoString(), nullable=True),
        sa.Column("next_at", UTCDateTime(), nullable=True),
        sa.Column("last_date", AutoString(), nullable=True),
        sa.Column("told_until", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("reader"),
    )
    index("summary_plans_due", "summary_plans", ["next_at"], "next_at IS NOT NULL")


def index(name: str, table: str, columns: list[str], condition: str | None = None, *, is_unique: bool = False) -> None:
    only = None if condition is None else sa.text(condition)
    op.create_index(name, table, columns, unique=is_unique, sqlite_where=only, postgresql_where=only)


def _create_deaths() -> None:
    op.create_table(
        "deaths",
        sa.Column("kind", AutoString(), nullable=False),
        sa.Column("key", AutoString(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("process", AutoString(), nullable=False),
        sa.Column("version", AutoString(), nullable=False),
        sa.Column("last_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key"),
    )


def _create_schedules() -> None:
    op.create_table(
        "schedules",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("account", AutoString(), nullable=False),
        sa.Column("repeat", AutoString(), nullable=False),
        sa.Column("time_zone", AutoString(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("begins_at", UTCDateTime(), nullable=False),
        sa.Column("paused_at", UTCDateTime(), nullable=True),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("last_at", UTCDateTime(), nullable=True),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.Column("settled_until", UTCDateTime(), nullable=True),
        sa.Column("skipped_until", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    index("ix_schedules_account", "schedules", ["account"])
    index("ix_schedules_ended_at", "schedules", ["ended_at"])
    index("ix_schedules_settled_until", "schedules", ["settled_until"])


def _create_messages() -> None:
    op.create_table(
        "messages",
        *_what_is_to_happen(),
        *_what_happened(),
        sa.ForeignKeyConstraint(["schedule_id"], ["schedules.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    _index_messages()


def _what_is_to_happen() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("is_alert", sa.Boolean(), nullable=False),
        sa.Column("title", AutoString(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("recipients", sa.JSON(), nullable=False),
        sa.Column("source", AutoString(), nullable=False),
        sa.Column("account", AutoString(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("send_at", UTCDateTime(), nullable=True),
        sa.Column("release_at", UTCDateTime(), nullable=True),
        sa.Column("schedule_id", AutoString(), nullable=True),
        sa.Column("event", AutoString(), nullable=True),
        sa.Column("policy", AutoString(), nullable=True),
        sa.Column("plan", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("steps_left", sa.Integer(), nullable=False),
        sa.Column("escalate_at", UTCDateTime(), nullable=True),
        sa.Column("close_at", UTCDateTime(), nullable=True),
        sa.Column("remind_every_s", sa.Integer(), nullable=True),
        sa.Column("remind_at", UTCDateTime(), nullable=True),
    )


def _what_happened() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("may_expire", sa.Boolean(), nullable=False),
        sa.Column("sent_at", UTCDateTime(), nullable=True),
        sa.Column("escalated_at", UTCDateTime(), nullable=True),
        sa.Column("acknowledged_at", UTCDateTime(), nullable=True),
        sa.Column("acknowledged_by", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("closed_at", UTCDateTime(), nullable=True),
        sa.Column("resolved_at", UTCDateTime(), nullable=True),
        sa.Column("look", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("data", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("file_count", sa.Integer(), nullable=False),
        sa.Column("dedup_key", AutoString(), nullable=True),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.Column("repeated_at", UTCDateTime(), nullable=True),
        sa.Column("snoozed_until", UTCDateTime(), nullable=True),
        sa.Column("is_snoozed_by_clock", sa.Boolean(), nullable=False),
        sa.Column("snoozed_by", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("counts_from", UTCDateTime(), nullable=True),
        sa.Column("unacknowledged_at", UTCDateTime(), nullable=True),
        sa.Column("unacknowledged_by", sa.JSON(none_as_null=True), nullable=True),
    )


def _index_messages() -> None:
    index("messages_by_account", "messages", ["account", "id"])
    index("messages_by_source", "messages", ["source", "id"])
    index("messages_by_state", "messages", ["state", "id"])
    unfinished = "state NOT IN ('scheduled', 'closed', 'cancelled')"
    unanswered = "steps_left > 0 AND state NOT IN ('scheduled', 'acknowledged', 'closed', 'cancelled')"
    index("messages_close", "messages", ["close_at"], f"close_at IS NOT NULL AND may_expire AND {unfinished}")
    index("messages_open", "messages", ["id"], f"is_alert AND {unfinished}")
    index("messages_sent_later", "messages", ["send_at"], "send_at IS NOT NULL")
    index("messages_answered", "messages", ["acknowledged_at"], "acknowledged_at IS NOT NULL")
    index("messages_escalate", "messages", ["escalate_at"], f"escalate_at IS NOT NULL AND {unanswered}")
    waits = "state NOT IN ('initiated', 'sent', 'escalated', 'acknowledged', 'closed', 'failed', 'cancelled')"
    index("messages_release", "messages", ["release_at"], f"release_at IS NOT NULL AND {waits}")
    index("messages_remind", "messages", ["remind_at"], f"remind_at IS NOT NULL AND {unfinished}")
    index("messages_of_schedules", "messages", ["schedule_id", "id"], "schedule_id IS NOT NULL")
    is_next = "schedule_id IS NOT NULL AND state = 'scheduled'"
    index("messages_next", "messages", ["schedule_id"], is_next, is_unique=True)


def _create_client_ids() -> None:
    op.create_table(
        "client_ids",
        sa.Column("account", AutoString(), nullable=False),
        sa.Column("client_id", AutoString(), nullable=False),
        sa.Column("message_id", AutoString(), nullable=False),
        sa.Column("fingerprint", AutoString(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["messages.id"],
        ),
        sa.PrimaryKeyConstraint("account", "client_id"),
    )
    index("ix_client_ids_expires_at", "client_ids", ["expires_at"])
    index("ix_client_ids_message_id", "client_ids", ["message_id"])


def _create_posts() -> None:
    op.create_table(
        "posts",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("chat_id", AutoString(), nullable=False),
        sa.Column("urgency", sa.Integer(), nullable=False),
        sa.Column("caller", AutoString(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("shown_version", sa.Integer(), nullable=False),
        sa.Column("not_before", UTCDateTime(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("tried_for_s", sa.Float(), nullable=False),
        sa.Column("failure", AutoString(), nullable=True),
        sa.Column("withdrawn_at", UTCDateTime(), nullable=True),
        sa.Column("is_silent", sa.Boolean(), nullable=False),
        sa.Column("is_reminder", sa.Boolean(), nullable=False),
        sa.Column("superseded_at", UTCDateTime(), nullable=True),
        sa.Column("thread_id", sa.BigInteger(), nullable=True),
        sa.Column("reply", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("as_text", sa.Integer(), nullable=False),
        sa.Column("reposted_version", sa.Integer(), nullable=False),
        sa.Column("files_follow", sa.Boolean(), nullable=False),
        sa.Column("parts_shown", sa.Integer(), nullable=False),
        sa.Column("shown", sa.JSON(), nullable=False),
        sa.Column("uncertain", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["chat_id"],
            ["chats.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    index("posts_of_names", "posts", ["chat_id"], "substr(chat_id, 1, 1) = '@'")
    index(
        "posts_due",
        "posts",
        ["chat_id", "urgency", "caller", "not_before", "id"],
        "withdrawn_at IS NULL AND failure IS NULL AND shown_version < version",
    )
    index(
        "posts_in_trouble",
        "posts",
        ["chat_id"],
        "errors > 0 AND withdrawn_at IS NULL AND failure IS NULL AND shown_version < version",
    )
    index("posts_of_replies", "posts", ["not_before"], "reply IS NOT NULL")
    index("posts_uncertain", "posts", ["uncertain"], "uncertain > 0")


def _create_timeline() -> None:
    op.create_table(
        "timeline",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message_id", AutoString(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column(
            "event",
            sa.String(16),
            nullable=False,
        ),
        sa.Column("actor", AutoString(), nullable=False),
        sa.Column("detail", AutoString(), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["messages.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    index("ix_timeline_message_id", "timeline", ["message_id"])


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message_id", AutoString(), nullable=False),
        sa.Column("post_id", AutoString(), nullable=False),
        sa.Column("chat_id", AutoString(), nullable=False),
        sa.Column("recipient", AutoString(), nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column(
            "status",
            sa.String(16),
            nullable=False,
        ),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", AutoString(), nullable=True),
        sa.Column("shown_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["messages.id"],
        ),
        sa.ForeignKeyConstraint(
            ["post_id"],
            ["posts.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    index("deliveries_of_names", "deliveries", ["chat_id"], "substr(chat_id, 1, 1) = '@'")
    index("deliveries_waiting", "deliveries", ["message_id", "purpose"], "status = 'waiting'")
    index("ix_deliveries_message_id", "deliveries", ["message_id"])
    index("ix_deliveries_post_id", "deliveries", ["post_id"])


def _create_attachments() -> None:
    op.create_table(
        "attachments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message_id", AutoString(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", AutoString(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("is_refused", sa.Boolean(), nullable=False),
        sa.Column("sha256", AutoString(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("media_type", AutoString(), nullable=True),
        sa.Column("file_id", AutoString(), nullable=True),
        sa.Column("problem", AutoString(), nullable=True),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    index("ix_attachments_message_id", "attachments", ["message_id"])
    index("attachments_stored", "attachments", ["sha256", "id"], "sha256 IS NOT NULL")
    index("attachments_known", "attachments", ["sha256", "kind", "name"], "file_id IS NOT NULL")


def _create_dedup_keys() -> None:
    op.create_table(
        "dedup_keys",
        sa.Column("account", AutoString(), nullable=False),
        sa.Column("recipients", AutoString(), nullable=False),
        sa.Column("dedup_key", AutoString(), nullable=False),
        sa.Column("message_id", AutoString(), nullable=False),
        sa.Column("bound_until", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"]),
        sa.PrimaryKeyConstraint("account", "recipients", "dedup_key"),
    )
    index("ix_dedup_keys_message_id", "dedup_keys", ["message_id"])
