"""People whom a host sent out of a consultation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "removed_people",
        sa.Column("consultation_id", sa.String(64), nullable=False),
        sa.Column("person", sa.String(100), nullable=False),
        sa.Column("removed_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["consultation_id"], ["consultations.id"], name="fk_removed_people_consultation_id"
        ),
        sa.PrimaryKeyConstraint("consultation_id", "person", name="pk_removed_people"),
    )
