"""The written opinion of a specialist."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "opinions",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            nullable=False,
            autoincrement=True,
        ),
        sa.Column("consultation_id", sa.String(64), nullable=False),
        sa.Column("person", sa.String(100), nullable=False),
        sa.Column("ref", sa.String(64), nullable=False),
        sa.Column("opinion", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["consultation_id"], ["consultations.id"], name="fk_opinions_consultation_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_opinions"),
    )
    op.create_index("uq_opinions_ref", "opinions", ["consultation_id", "person", "ref"], unique=True)
