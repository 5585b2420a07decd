"""The shop's tables and every statement run on them, so that the database can be read in one place.

Migrations build the tables (and the triggers that guard the ledger); a test holds the two together.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    and_,
    bindparam,
    case,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    true,
    update,
)

Record = Row[*tuple[Any, ...]]


class UtcTime(TypeDecorator[datetime]):
    """Aware datetimes in and out; SQLite keeps no zone, so UTC is what is stored."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData()

customers = Table(
    "customers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("subject", String(200), nullable=False, unique=True),
    Column("name", Text, nullable=False),
)

orders = Table(
    "orders",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False),
    Column("status", String(16), nullable=False),
    Column("placed_at", UtcTime, nullable=False),
    Column("delivered_at", UtcTime),
    Column("currency", String(3), nullable=False),
    Column("paid", BigInteger, nullable=False),
    Column("refunded", BigInteger, nullable=False, server_default="0"),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("note", Text, nullable=False, server_default=""),
    UniqueConstraint("id", "currency", name="orders_id_currency"),
    CheckConstraint("refunded >= 0 AND refunded <= paid", name="refunded_within_paid"),
    CheckConstraint("status IN ('unpaid', 'paid', 'shipped', 'delivered', 'cancelled')", name="order_status"),
    CheckConstraint("status <> 'unpaid' OR paid = 0", name="unpaid_has_no_money"),
    Index("orders_by_customer", "customer_id", "placed_at"),
)

order_items = Table(
    "order_items",
    metadata,
    Column("order_id", ForeignKey("orders.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("sku", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("price", BigInteger, nullable=False),
    CheckConstraint("quantity > 0 AND price >= 0", name="item_figures"),
)

# One payment an order; its sum is orders.paid. `account` is where the money came from and goes back to.
payments = Table(
    "payments",
    metadata,
    Column("order_id", ForeignKey("orders.id"), primary_key=True),
    Column("reference", String(64), nullable=False, unique=True),
    Column("method", String(32), nullable=False),
    Column("account", String(64), nullable=False),
    Column("paid_at", UtcTime, nullable=False),
)

shipments = Table(
    "shipments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("order_id", ForeignKey("orders.id"), nullable=False, index=True),
    Column("carrier", String(64), nullable=False),
    Column("tracking_no", String(64), nullable=False, unique=True),
    Column("status", String(16), nullable=False),
)

shipment_events = Table(
    "shipment_events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("shipment_id", ForeignKey("shipments.id"), nullable=False, index=True),
    Column("at", UtcTime, nullable=False),
    Column("place", Text, nullable=False),
    Column("text", Text, nullable=False),
)

# What people were asked to decide on. Rows are never deleted and their facts never change (triggers). No
# request is superseded twice, so those that took each other's place are a chain. `reason` is the customer's
# words and `reason_code` the policy's for them; `pieces` are [sku, quantity] where items were asked for;
# `because` is why it is this tier's to decide; `thread_id` the conversation that hears what becomes of it.
refund_requests = Table(
    "refund_requests",
    metadata,
    Column("request_id", String(128), primary_key=True),
    Column("subject", String(200), nullable=False),
    Column("order_id", String(32), nullable=False),
    Column("order_version", Integer, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("paid", BigInteger, nullable=False),
    Column("refunded", BigInteger, nullable=False),
    Column("payee", Text, nullable=False),
    Column("payee_hash", String(64), nullable=False),
    Column("items", JSON, nullable=False),
    Column("reason", Text, nullable=False),
    Column("reason_code", String(32), nullable=False, server_default="unstated"),
    Column("pieces", JSON(none_as_null=True)),
    Column("whole", Boolean, nullable=False),
    Column("language", String(8), nullable=False),
    Column("thread_id", String(64)),
    Column("tier", String(32), nullable=False),
    Column("because", String(32), nullable=False, server_default="customer_confirms"),
    Column("policy_version", Integer, nullable=False, server_default="1"),
    Column("asked_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column(
        "supersedes",
        ForeignKey("refund_requests.request_id", name="request_superseded"),
        unique=True,
    ),
    ForeignKeyConstraint(["order_id", "currency"], ["orders.id", "orders.currency"], name="request_of_order"),
    CheckConstraint("amount > 0 AND amount <= paid - refunded", name="request_amount"),
    Index("refund_requests_by_order", "order_id"),
)

# The ledger. Rows are never deleted and their facts never change (triggers); `held` is what a row takes from
# its order, and triggers keep orders.refunded equal to the sum of it.
refunds = Table(
    "refunds",
    metadata,
    Column("request_id", String(128), primary_key=True),
    Column("order_id", String(32), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("status", String(16), nullable=False),
    Column(
        "held",
        BigInteger,
        Computed("CASE WHEN status IN ('failed', 'rejected') THEN 0 ELSE amount END", persisted=True),
    ),
    Column("reason", Text, nullable=False),
    Column("order_version", Integer, nullable=False),
    Column("payee", Text, nullable=False),
    Column("payee_hash", String(64), nullable=False),
    Column("decided_by", JSON, nullable=False),
    Column("decided_at", UtcTime, nullable=False),
    Column("message", Text, nullable=False),
    Column("provider", String(32)),
    Column("provider_reference", String(128)),
    Column("failure", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    # Empty in rows of programs that did not write requests down yet.
    Column("asked", ForeignKey("refund_requests.request_id", name="refund_of_request")),
    # Its outcome was looked for apart from its conversation, which has not heard of it yet.
    Column("to_tell", Boolean, nullable=False, server_default=false()),
    ForeignKeyConstraint(["order_id", "currency"], ["orders.id", "orders.currency"], name="refund_of_order"),
    CheckConstraint("asked = request_id", name="asked_under_its_id"),
    CheckConstraint("amount > 0", name="refund_amount"),
    CheckConstraint(
        "status IN ('requested', 'submitted', 'settled', 'failed', 'unknown', 'rejected')",
        name="refund_status",
    ),
    Index("refunds_by_order", "order_id", "created_at"),
    Index(
        "refunds_open",
        "updated_at",
        sqlite_where=text("status IN ('submitted', 'unknown')"),
        postgresql_where=text("status IN ('submitted', 'unknown')"),
    ),
    Index("refunds_to_tell", "updated_at", sqlite_where=text("to_tell"), postgresql_where=text("to_tell")),
)

_orders_of_subject = (
    select(
        orders,
        payments.c.reference.label("payment_reference"),
        payments.c.method,
        payments.c.account,
    )
    .select_from(orders.join(customers).outerjoin(payments))
    .where(customers.c.subject == bindparam("subject"))
)
ORDER = _orders_of_subject.where(orders.c.id == bindparam("order_id"))
ORDER_LOCKED = ORDER.with_for_update(of=orders)
# Taken before any order: what one customer is refunded in a day is counted by one writer at a time.
CUSTOMER_LOCKED = select(customers.c.id).where(customers.c.subject == bindparam("subject")).with_for_update()
NEWEST_ORDERS = _orders_of_subject.order_by(orders.c.placed_at.desc(), orders.c.id.desc()).limit(
    bindparam("count", type_=Integer)
)
ITEMS = (
    select(order_items)
    .where(order_items.c.order_id.in_(bindparam("order_ids", expanding=True)))
    .order_by(order_items.c.order_id, order_items.c.position)
)
TRACKING = (
    select(
        shipments.c.id,
        shipments.c.carrier,
        shipments.c.tracking_no,
        shipments.c.status,
        shipment_events.c.at,
        shipment_events.c.place,
        shipment_events.c.text,
    )
    .select_from(shipments.outerjoin(shipment_events))
    .where(shipments.c.order_id == bindparam("order_id"))
    .order_by(shipments.c.id, shipment_events.c.at.desc(), shipment_events.c.id.desc())
)

REQUEST = select(refund_requests).where(refund_requests.c.request_id == bindparam("request_id"))
ADD_REQUEST = insert(refund_requests)
DECIDED = select(refunds.c.request_id).where(refunds.c.request_id == bindparam("request_id"))
SUPERSEDED = select(refund_requests.c.request_id).where(
    refund_requests.c.supersedes == bindparam("request_id")
)

_named = (
    select(refund_requests.c.request_id.label("origin"), refund_requests.c.request_id.label("at"))
    .where(
        refund_requests.c.request_id.in_(bindparam("request_ids", expanding=True)),
        refund_requests.c.subject == bindparam("subject"),
    )
    .cte("chain", recursive=True)
)
_chain = _named.union_all(
    select(_named.c.origin, refund_requests.c.request_id).where(refund_requests.c.supersedes == _named.c.at)
)
# Each of these requests (`origin`) and, as rows of their own, those that took its place.
CHAIN = select(_chain.c.origin, refund_requests).join(
    refund_requests, refund_requests.c.request_id == _chain.c["at"]
)
ORDERS = _orders_of_subject.where(orders.c.id.in_(bindparam("order_ids", expanding=True)))

_ledger = select(
    refunds, customers.c.subject.label("subject"), payments.c.reference.label("payment_reference")
).select_from(refunds.join(orders, refunds.c.order_id == orders.c.id).join(customers).outerjoin(payments))
REFUND = _ledger.where(refunds.c.request_id == bindparam("request_id"))
REFUNDS = _ledger.where(refunds.c.request_id.in_(bindparam("request_ids", expanding=True)))
REFUNDS_OF_ORDER = _ledger.where(refunds.c.order_id == bindparam("order_id")).order_by(
    refunds.c.created_at, refunds.c.request_id
)
ADD_REFUND = insert(refunds)
# The first outcome of the provider stays: a slower repeat with the same key finds nothing to change.
SET_OUTCOME = (
    update(refunds)
    .where(refunds.c.request_id == bindparam("key"), refunds.c.status.in_(["submitted", "unknown"]))
    .values(
        status=bindparam("outcome"),
        provider=bindparam("by"),
        provider_reference=bindparam("reference"),
        failure=bindparam("why"),
        updated_at=bindparam("now"),
    )
)
# What another has locked is being asked about already.
OPEN_REFUNDS = (
    _ledger.where(refunds.c.status.in_(["submitted", "unknown"]), refunds.c.updated_at < bindparam("before"))
    .order_by(refunds.c.updated_at)
    .limit(bindparam("count", type_=Integer))
    .with_for_update(of=refunds, skip_locked=True)
)
TOUCH_REFUNDS = (
    update(refunds)
    .where(refunds.c.request_id.in_(bindparam("keys", expanding=True)))
    .values(updated_at=bindparam("now"), to_tell=true())
)
TO_TELL = (
    select(refunds.c.request_id, refunds.c.status, refund_requests.c.thread_id)
    .select_from(refunds.join(refund_requests, refunds.c.asked == refund_requests.c.request_id))
    .where(
        refunds.c.to_tell,
        refunds.c.status.in_(["settled", "failed"]),
        refunds.c.updated_at > bindparam("since"),
        refund_requests.c.thread_id.is_not(None),
    )
    .order_by(refunds.c.updated_at)
    .limit(bindparam("count", type_=Integer))
)
SET_TOLD = update(refunds).where(refunds.c.request_id == bindparam("key")).values(to_tell=false())

_repeated = refunds.c.created_at > bindparam("repeats_since")
_of_order = and_(_repeated, refunds.c.order_id == bindparam("order_id"))
_today = and_(refunds.c.created_at > bindparam("day_since"), refunds.c.currency == bindparam("currency"))
# What was refunded to a customer before, for the policy; what was rejected or failed holds nothing.
HISTORY = (
    select(
        func.coalesce(func.sum(case((_today, refunds.c.held), else_=0)), 0).label("spent"),
        func.coalesce(func.sum(case((_of_order, 1), else_=0)), 0).label("of_order"),
        func.coalesce(func.sum(case((_repeated, 1), else_=0)), 0).label("of_customer"),
    )
    .select_from(refunds.join(orders, refunds.c.order_id == orders.c.id).join(customers))
    .where(customers.c.subject == bindparam("subject"), refunds.c.held > 0)
)
PIECES = (
    select(refund_requests.c.pieces)
    .join(refunds, refunds.c.asked == refund_requests.c.request_id)
    .where(
        refund_requests.c.order_id == bindparam("order_id"),
        refund_requests.c.pieces.is_not(None),
        refunds.c.held > 0,
    )
)

# Figures of the last days. `day` counts from the oldest; it is grouped by its name, since each use of a
# parameter is another one to Postgres.
DAYS = 14
_day = case(*((refunds.c.created_at >= bindparam(f"day_{day}"), day) for day in reversed(range(DAYS))))
_recent = refunds.c.created_at >= bindparam("day_0")
REFUNDED_BY_DAY = (
    select(_day.label("day"), refunds.c.currency, func.sum(refunds.c.held).label("amount"))
    .where(_recent, refunds.c.held > 0)
    .group_by(text("day"), refunds.c.currency)
)
REFUNDS_BY_STATUS = (
    select(refunds.c.status, func.count().label("number")).where(_recent).group_by(refunds.c.status)
)
_later = refund_requests.alias("later")
OPEN_REQUESTS_BY_TIER = (
    select(refund_requests.c.tier, func.count().label("number"))
    .outerjoin(refunds, refunds.c.request_id == refund_requests.c.request_id)
    .outerjoin(_later, _later.c.supersedes == refund_requests.c.request_id)
    .where(
        refunds.c.request_id.is_(None),
        _later.c.request_id.is_(None),
        or_(refund_requests.c.expires_at.is_(None), refund_requests.c.expires_at > bindparam("now")),
    )
    .group_by(refund_requests.c.tier)
)
CUSTOMERS = (
    select(customers.c.subject, customers.c.name)
    .order_by(customers.c.id)
    .limit(bindparam("count", type_=Integer))
)
ANY_CUSTOMER = select(customers.c.id).limit(1)
ANSWER = select(literal(1))
