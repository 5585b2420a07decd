"""The shop: customers, orders, payments, shipments and the refunds ledger with its guards.

Only added to while older programs may run beside newer ones: expand first, contract in a later release.
"""

import sqlalchemy as sa
from alembic import op

from tools.shop.migrations.guards import POSTGRES_GUARDS, SQLITE_GUARDS

revision = "0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    create_orders()
    create_shipments()
    create_ledger()
    guards = POSTGRES_GUARDS if op.get_bind().dialect.name == "postgresql" else SQLITE_GUARDS
    for guard in guards:
        op.execute(guard)


def create_orders() -> None:
    op.create_table(
        "customers",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("subject", sa.String(200), nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("customer_id", sa.Integer, sa.ForeignKey("customers.id"), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("placed_at", MOMENT, nullable=False),
        sa.Column("delivered_at", MOMENT),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("paid", sa.BigInteger, nullable=False),
        sa.Column("refunded", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        sa.Column("note", sa.Text, nullable=False, server_default=""),
        sa.UniqueConstraint("id", "currency", name="orders_id_currency"),
        sa.CheckConstraint("refunded >= 0 AND refunded <= paid", name="refunded_within_paid"),
        sa.CheckConstraint(
            "status IN ('unpaid', 'paid', 'shipped', 'delivered', 'cancelled')", name="order_status"
        ),
        sa.CheckConstraint("status <> 'unpaid' OR paid = 0", name="unpaid_has_no_money"),
    )
    op.create_index("orders_by_customer", "orders", ["customer_id", "placed_at"])
    op.create_table(
        "order_items",
        sa.Column("order_id", sa.String(32), sa.ForeignKey("orders.id"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sku", sa.String(64), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("price", sa.BigInteger, nullable=False),
        sa.CheckConstraint("quantity > 0 AND price >= 0", name="item_figures"),
    )
    op.create_table(
        "payments",
        sa.Column("order_id", sa.String(32), sa.ForeignKey("orders.id"), primary_key=True),
        sa.Column("reference", sa.String(64), nullable=False, unique=True),
        sa.Column("method", sa.String(32), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("paid_at", MOMENT, nullable=False),
    )


def create_shipments() -> None:
    op.create_table(
        "shipments",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("order_id", sa.String(32), sa.ForeignKey("orders.id"), nullable=False, index=True),
        sa.Column("carrier", sa.String(64), nullable=False),
        sa.Column("tracking_no", sa.String(64), nullable=False, unique=True),
        sa.Column("status", sa.String(16), nullable=False),
    )
    op.create_table(
        "shipment_events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("shipment_id", sa.Integer, sa.ForeignKey("shipments.id"), nullable=False, index=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )


def create_ledger() -> None:
    op.create_table(
        "refunds",
        sa.Column("request_id", sa.String(128), primary_key=True),
        sa.Column("order_id", sa.String(32), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column(
            "held",
            sa.BigInteger,
            sa.Computed("CASE WHEN status IN ('failed', 'rejected') THEN 0 ELSE amount END", persisted=True),
        ),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("order_version", sa.Integer, nullable=False),
        sa.Column("payee", sa.Text, nullable=False),
        sa.Column("payee_hash", sa.String(64), nullable=False),
        sa.Column("decided_by", sa.JSON, nullable=False),
        sa.Column("decided_at", MOMENT, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("provider", sa.String(32)),
        sa.Column("provider_reference", sa.String(128)),
        sa.Column("failure", sa.Text),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id", "currency"], ["orders.id", "orders.currency"], name="refund_of_order"
        ),
        sa.CheckConstraint("amount > 0", name="refund_amount"),
        sa.CheckConstraint(
            "status IN ('requested', 'submitted', 'settled', 'failed', 'unknown', 'rejected')",
            name="refund_status",
        ),
    )
    op.create_index("refunds_by_order", "refunds", ["order_id", "created_at"])
