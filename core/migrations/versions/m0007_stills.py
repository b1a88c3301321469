"""Frozen frames of consultations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "stills",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("consultation_id", sa.String(64), nullable=False),
        sa.Column("info", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["consultation_id"], ["consultations.id"], name="fk_stills_consultation_id"),
        sa.PrimaryKeyConstraint("id", name="pk_stills"),
    )
    op.create_index("ix_stills_consultation_id", "stills", ["consultation_id"])
