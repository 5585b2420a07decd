"""Which conversation hears what became of a refund, and whether it has yet to hear it.

Only adds; programs of earlier revisions write neither.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

TO_TELL = sa.text("to_tell")


def upgrade() -> None:
    op.add_column("refund_requests", sa.Column("thread_id", sa.String(64)))
    op.add_column("refunds", sa.Column("to_tell", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index(
        "refunds_to_tell", "refunds", ["updated_at"], sqlite_where=TO_TELL, postgresql_where=TO_TELL
    )
