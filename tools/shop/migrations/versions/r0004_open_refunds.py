"""Finds the refunds whose outcome is not known without reading the whole ledger."""

from alembic import op
from sqlalchemy import text

revision = "0004"
down_revision = "0003"

OPEN = text("status IN ('submitted', 'unknown')")


def upgrade() -> None:
    op.create_index("refunds_open", "refunds", ["updated_at"], sqlite_where=OPEN, postgresql_where=OPEN)
