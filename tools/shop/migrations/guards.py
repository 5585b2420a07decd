"""The triggers of revision 0001: with them no program, not even a wrong one, lets the ledger and the orders
drift apart. The ledger moves orders.refunded; CHECK(refunded <= paid) refuses; orders.refunded cannot be
written in any other way; a ledger row keeps its facts and its final status; the order's version counts."""

FACTS = (
    "request_id",
    "order_id",
    "amount",
    "currency",
    "order_version",
    "payee_hash",
    "decided_at",
    "created_at",
)
FINAL = "('settled', 'failed', 'rejected')"


def _differ(columns: tuple[str, ...], distinct: str) -> str:
    return " OR ".join(f"NEW.{column} {distinct} OLD.{column}" for column in columns)


def _frozen(distinct: str) -> str:
    return f"{_differ(FACTS, distinct)} OR (OLD.status IN {FINAL} AND {_differ(('status',), distinct)})"


FIGURES = ("currency", "paid", "refunded")
LEDGER_SUM = "(SELECT COALESCE(SUM(held), 0) FROM refunds WHERE order_id = NEW.id)"

SQLITE_GUARDS = (
    """CREATE TRIGGER refund_added AFTER INSERT ON refunds WHEN NEW.held <> 0 BEGIN
        UPDATE orders SET refunded = refunded + NEW.held WHERE id = NEW.order_id;
    END""",
    """CREATE TRIGGER refund_moved AFTER UPDATE ON refunds WHEN NEW.held <> OLD.held BEGIN
        UPDATE orders SET refunded = refunded + NEW.held - OLD.held WHERE id = NEW.order_id;
    END""",
    f"""CREATE TRIGGER refund_frozen BEFORE UPDATE ON refunds WHEN {_frozen("IS NOT")} BEGIN
        SELECT RAISE(ABORT, 'ledger rows keep their facts');
    END""",
    """CREATE TRIGGER refund_kept BEFORE DELETE ON refunds BEGIN
        SELECT RAISE(ABORT, 'ledger rows are kept for ever');
    END""",
    """CREATE TRIGGER order_added AFTER INSERT ON orders WHEN NEW.refunded <> 0 BEGIN
        SELECT RAISE(ABORT, 'refunded is the sum of the ledger');
    END""",
    # S608: made of constants of this module alone
    f"""CREATE TRIGGER order_figures AFTER UPDATE ON orders WHEN {_differ(FIGURES, "IS NOT")} BEGIN
        SELECT RAISE(ABORT, 'refunded is the sum of the ledger') WHERE NEW.refunded <> {LEDGER_SUM};
        UPDATE orders SET version = OLD.version + 1 WHERE id = NEW.id;
    END""",  # noqa: S608
)

_FUNCTION = "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"

POSTGRES_GUARDS = (
    # An increment, never a recomputed sum: under READ COMMITTED a sum read before the row lock was granted
    # misses what the other transaction has just committed.
    _FUNCTION.format(
        name="refund_moves_order",
        body="""
        IF TG_OP = 'INSERT' THEN
            UPDATE orders SET refunded = refunded + NEW.held WHERE id = NEW.order_id AND NEW.held <> 0;
        ELSE
            UPDATE orders SET refunded = refunded + NEW.held - OLD.held
            WHERE id = NEW.order_id AND NEW.held <> OLD.held;
        END IF;
        RETURN NULL;""",
    ),
    _FUNCTION.format(
        name="refund_refuses",
        body="""
        RAISE EXCEPTION 'ledger rows are kept for ever, with their facts'
            USING ERRCODE = 'integrity_constraint_violation';""",
    ),
    _FUNCTION.format(
        name="order_follows_ledger",
        body=f"""
        IF NEW.refunded <> {LEDGER_SUM} THEN
            RAISE EXCEPTION 'refunded is the sum of the ledger'
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF TG_OP = 'UPDATE' THEN
            NEW.version := OLD.version + 1;
        END IF;
        RETURN NEW;""",
    ),
    """CREATE TRIGGER refund_moved AFTER INSERT OR UPDATE ON refunds
        FOR EACH ROW EXECUTE FUNCTION refund_moves_order()""",
    f"""CREATE TRIGGER refund_frozen BEFORE UPDATE ON refunds
        FOR EACH ROW WHEN ({_frozen("IS DISTINCT FROM")}) EXECUTE FUNCTION refund_refuses()""",
    """CREATE TRIGGER refund_kept BEFORE DELETE ON refunds
        FOR EACH ROW EXECUTE FUNCTION refund_refuses()""",
    "CREATE TRIGGER refund_never_truncated BEFORE TRUNCATE ON refunds EXECUTE FUNCTION refund_refuses()",
    """CREATE TRIGGER order_added BEFORE INSERT ON orders
        FOR EACH ROW EXECUTE FUNCTION order_follows_ledger()""",
    f"""CREATE TRIGGER order_figures BEFORE UPDATE ON orders
        FOR EACH ROW WHEN ({_differ(FIGURES, "IS DISTINCT FROM")}) EXECUTE FUNCTION order_follows_ledger()""",
)
