"""What erases a person, as SQL beside the schema."""

from sqlalchemy import String, Text, bindparam, cast, func, or_, select, update

from tools.shop.schema import (
    customers,
    orders,
    payments,
    refund_requests,
    refunds,
    shipment_events,
    shipments,
)

ERASE_CUSTOMER = (
    update(customers)
    .where(customers.c.id == bindparam("of_customer"))
    .values(subject=bindparam("new_subject"), name="")
)
_orders_to_erase = select(orders.c.id).where(orders.c.customer_id == bindparam("of_customer"))
_shipments_to_erase = select(shipments.c.id).where(shipments.c.order_id.in_(_orders_to_erase))
# What people wrote and what leads to them, by kind. Figures, times and the payment's reference stay, and so
# does the digest in payee_hash: the ledger's triggers keep it.
ERASE_OF_CUSTOMER = {
    "orders": update(orders)
    .where(orders.c.customer_id == bindparam("of_customer"), orders.c.note != "")
    .values(note=""),
    "payments": update(payments)
    .where(payments.c.order_id.in_(_orders_to_erase), payments.c.account != "")
    .values(account=""),
    "shipments": update(shipments)
    .where(shipments.c.order_id.in_(_orders_to_erase))
    .values(tracking_no="erased-" + cast(shipments.c.id, String)),
    "shipment_events": update(shipment_events)
    .where(shipment_events.c.shipment_id.in_(_shipments_to_erase))
    .values(place="", text=""),
    "refunds": update(refunds)
    .where(
        refunds.c.order_id.in_(_orders_to_erase),
        or_(
            refunds.c.reason != "",
            refunds.c.payee != "",
            refunds.c.message != "",
            refunds.c.failure.is_not(None),
        ),
    )
    .values(reason="", payee="", message="", failure=None),
}
ERASE_REQUESTS = (
    update(refund_requests)
    .where(refund_requests.c.order_id.in_(_orders_to_erase))
    .values(subject=bindparam("new_subject"), reason="", payee="", thread_id=None)
)
# `quoted` is a subject as JSON writes it. No LIKE: in a pattern its own characters would mean something.
_decided_by = cast(refunds.c.decided_by, Text)
DECIDED_BY = (
    select(refunds.c.request_id, refunds.c.decided_by)
    .where(func.replace(_decided_by, bindparam("quoted"), "") != _decided_by)
    .with_for_update()
)
SET_DECIDED_BY = (
    update(refunds).where(refunds.c.request_id == bindparam("key")).values(decided_by=bindparam("by"))
)
