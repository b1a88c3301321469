"""How long archives are kept, and what two people decide about them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column(
        "consultations", sa.Column("retention_class", sa.String(40), nullable=False, server_default="")
    )
    op.add_column("consultations", sa.Column("shredded_us", sa.BigInteger(), nullable=True))
    op.add_column(
        "consultations", sa.Column("decisions_logged", sa.Integer(), nullable=False, server_default="0")
    )
    op.create_table(
        "retention_classes",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("organisation_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("remove_objects", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("proposed_by", sa.String(64), nullable=False),
        sa.Column("proposed_us", sa.BigInteger(), nullable=False),
        sa.Column("approved_by", sa.String(64), nullable=True),
        sa.Column("approved_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_retention_classes_organisation_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_retention_classes"),
    )
    op.create_index(
        "uq_retention_classes_active",
        "retention_classes",
        ["organisation_id", "name"],
        unique=True,
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_table(
        "archive_requests",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("consultation_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.String(64), nullable=False),
        sa.Column("requested_us", sa.BigInteger(), nullable=False),
        sa.Column("approved_by", sa.String(64), nullable=True),
        sa.Column("approved_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["consultation_id"], ["consultations.id"], name="fk_archive_requests_consultation_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_archive_requests"),
    )
    op.create_index("ix_archive_requests_consultation_id", "archive_requests", ["consultation_id"])
