"""Refund requests: what people were asked to decide on, and each row of the ledger by its request.

Only adds: programs of revision 0001 go on beside this and leave `refunds.asked` empty. A later release, when
none of them is left, may ask for it.
"""

import sqlalchemy as sa
from alembic import op

from tools.shop.migrations.request_guards import POSTGRES_GUARDS, SQLITE_GUARDS

revision = "0002"
down_revision = "0001"

MOMENT = sa.DateTime(timezone=True)

# SQLite adds a column with its constraints in one statement only, which Alembic does not write.
ASKED = """ALTER TABLE refunds ADD COLUMN asked VARCHAR(128)
    CONSTRAINT refund_of_request REFERENCES refund_requests (request_id)
    CONSTRAINT asked_under_its_id CHECK (asked = request_id)"""


def upgrade() -> None:
    create_requests()
    op.execute(ASKED)
    guards = POSTGRES_GUARDS if op.get_bind().dialect.name == "postgresql" else SQLITE_GUARDS
    for guard in guards:
        op.execute(guard)


def create_requests() -> None:
    op.create_table(
        "refund_requests",
        sa.Column("request_id", sa.String(128), primary_key=True),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("order_id", sa.String(32), nullable=False),
        sa.Column("order_version", sa.Integer, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("paid", sa.BigInteger, nullable=False),
        sa.Column("refunded", sa.BigInteger, nullable=False),
        sa.Column("payee", sa.Text, nullable=False),
        sa.Column("payee_hash", sa.String(64), nullable=False),
        sa.Column("items", sa.JSON, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("whole", sa.Boolean, nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("tier", sa.String(32), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT),
        sa.Column(
            "supersedes",
            sa.String(128),
            sa.ForeignKey("refund_requests.request_id", name="request_superseded"),
            unique=True,
        ),
        sa.ForeignKeyConstraint(
            ["order_id", "currency"], ["orders.id", "orders.currency"], name="request_of_order"
        ),
        sa.CheckConstraint("amount > 0 AND amount <= paid - refunded", name="request_amount"),
    )
    op.create_index("refund_requests_by_order", "refund_requests", ["order_id"])
