"""The first tables."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

from notifybot.migrations import tables_of_messages
from notifybot.migrations.tables_of_messages import index

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_bot()
    _create_chats()
    _create_inbox()
    _create_job_runs()
    _create_job_troubles()
    tables_of_messages.create_schedules()
    tables_of_messages.create_messages()
    tables_of_messages.create_client_ids()
    _create_people()
    tables_of_messages.create_posts()
    tables_of_messages.create_timeline()
    tables_of_messages.create_deliveries()
    tables_of_messages.create_attachments()
    tables_of_messages.create_dedup_keys()
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
        sa.Column("probe_at", UTCDateTime(), nullable=True),
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
        sa.Column("urgency", sa.Integer(), nullable=True),
        sa.Column("next_at", UTCDateTime(), nullable=True),
        sa.Column("claimed_post", AutoString(), nullable=True),
        sa.Column("claim_term", sa.Integer(), nullable=True),
        sa.Column("claim_until", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    index("chats_claimed", "chats", ["claim_term"], "claimed_post IS NOT NULL")
    index("chats_held", "chats", ["held_until"], "held_until IS NOT NULL")
    index("chats_next", "chats", ["urgency", "next_at"], "next_at IS NOT NULL")
    index("chats_oldest", "chats", ["next_at"], "next_at IS NOT NULL")


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
