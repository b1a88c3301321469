"""The consultation room: devices, invitations, chat, consent, a second factor."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _extend_consultations()
    _extend_users()
    _create_devices()
    _create_invitations()
    _create_chat()


def _text(name: str, length: int | None = None) -> sa.Column[str]:
    """A text column whose older rows read empty."""
    kind = sa.Text() if length is None else sa.String(length)
    return sa.Column(name, kind, nullable=False, server_default="")


def _extend_consultations() -> None:
    for column in (
        _text("opened_by", 64),
        _text("specialty", 100),
        _text("question"),
        sa.Column("consent_consult", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("consent_record", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("consent_withdrawn_us", sa.BigInteger(), nullable=True),
        _text("record_reason", 500),
        sa.Column("paused", sa.Boolean(), nullable=False, server_default=sa.false()),
    ):
        op.add_column("consultations", column)


def _extend_users() -> None:
    op.add_column("users", sa.Column("totp_secret", sa.String(64), nullable=True))
    op.add_column("users", sa.Column("totp_last_step", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("users", _text("guest_organisation", 200))
    # In one statement, as both databases take it: SQLite adds no constraint to a table that is there, and
    # making the table anew would drop one that others refer to.
    op.execute(
        "ALTER TABLE users ADD COLUMN guest_of VARCHAR(64) "
        "CONSTRAINT fk_users_guest_of REFERENCES consultations (id)"
    )


def _create_devices() -> None:
    op.create_table(
        "devices",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("organisation_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("feeds", sa.Text(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_devices"),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name="fk_devices_organisation_id"),
    )
    op.create_table(
        "attached_devices",
        sa.Column("consultation_id", sa.String(64), nullable=False),
        sa.Column("device_id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("consultation_id", "device_id", name="pk_attached_devices"),
        sa.ForeignKeyConstraint(
            ["consultation_id"], ["consultations.id"], name="fk_attached_devices_consultation_id"
        ),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name="fk_attached_devices_device_id"),
    )


def _create_invitations() -> None:
    op.create_table(
        "invitations",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("consultation_id", sa.String(64), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("organisation", sa.String(200), nullable=False),
        sa.Column("lobby", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("used_us", sa.BigInteger(), nullable=True),
        sa.Column("revoked_us", sa.BigInteger(), nullable=True),
        sa.Column("admitted_us", sa.BigInteger(), nullable=True),
        sa.Column("guest_id", sa.String(64), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_invitations"),
        sa.UniqueConstraint("token_hash", name="uq_invitations_token_hash"),
        sa.ForeignKeyConstraint(
            ["consultation_id"], ["consultations.id"], name="fk_invitations_consultation_id"
        ),
        sa.ForeignKeyConstraint(["guest_id"], ["users.id"], name="fk_invitations_guest_id"),
    )
    op.create_index("ix_invitations_consultation_id", "invitations", ["consultation_id"])


def _create_chat() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "chat",
        sa.Column("id", number, nullable=False, autoincrement=True),
        sa.Column("consultation_id", sa.String(64), nullable=False),
        sa.Column("person", sa.String(100), nullable=False),
        sa.Column("ref", sa.String(64), nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_chat"),
        sa.ForeignKeyConstraint(["consultation_id"], ["consultations.id"], name="fk_chat_consultation_id"),
    )
    op.create_index("uq_chat_ref", "chat", ["consultation_id", "person", "ref"], unique=True)
    op.create_table(
        "files",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("consultation_id", sa.String(64), nullable=False),
        sa.Column("person", sa.String(100), nullable=False),
        sa.Column("info", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_files"),
        sa.ForeignKeyConstraint(["consultation_id"], ["consultations.id"], name="fk_files_consultation_id"),
    )
    op.create_index("ix_files_consultation_id", "files", ["consultation_id"])
