"""Invitations: whoever used one, and lost the answer, may ask again for a moment."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("invitations", sa.Column("client_hash", sa.String(64), nullable=True))
