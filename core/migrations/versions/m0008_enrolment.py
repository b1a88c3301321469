"""Boxes that enrol themselves: one-time codes, and the keys they registered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("devices", sa.Column("public_key", sa.String(64), nullable=True))
    op.add_column("devices", sa.Column("enrolled_us", sa.BigInteger(), nullable=True))
    op.add_column("devices", sa.Column("revoked_us", sa.BigInteger(), nullable=True))
    op.create_table(
        "enrolments",
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("device_id", sa.String(64), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("used_us", sa.BigInteger(), nullable=True),
        sa.Column("used_key", sa.String(64), nullable=True),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name="fk_enrolments_device_id"),
        sa.PrimaryKeyConstraint("code_hash", name="pk_enrolments"),
    )
    op.create_index("ix_enrolments_device_id", "enrolments", ["device_id"])
