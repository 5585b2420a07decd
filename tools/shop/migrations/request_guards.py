"""The triggers of revision 0002: with them a request keeps the facts it was asked with, and a row of the
ledger that names a request is a refund of that order, in that currency, and of no more than was asked."""

FACTS = (
    "request_id",
    "order_id",
    "order_version",
    "amount",
    "currency",
    "paid",
    "refunded",
    "payee_hash",
    "whole",
    "tier",
    "asked_at",
    "expires_at",
    "supersedes",
)
_AS_ASKED = """(SELECT 1 FROM refund_requests WHERE request_id = NEW.asked
    AND order_id = NEW.order_id AND currency = NEW.currency AND amount >= NEW.amount
    AND order_version = NEW.order_version AND payee_hash = NEW.payee_hash)"""


def _differ(distinct: str) -> str:
    return " OR ".join(f"NEW.{column} {distinct} OLD.{column}" for column in FACTS)


SQLITE_GUARDS = (
    f"""CREATE TRIGGER request_frozen BEFORE UPDATE ON refund_requests WHEN {_differ("IS NOT")} BEGIN
        SELECT RAISE(ABORT, 'requests keep their facts');
    END""",
    """CREATE TRIGGER request_kept BEFORE DELETE ON refund_requests BEGIN
        SELECT RAISE(ABORT, 'requests are kept for ever');
    END""",
    f"""CREATE TRIGGER refund_as_asked BEFORE INSERT ON refunds
        WHEN NEW.asked IS NOT NULL AND NOT EXISTS {_AS_ASKED} BEGIN
        SELECT RAISE(ABORT, 'not what was asked');
    END""",
)

_FUNCTION = "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"

POSTGRES_GUARDS = (
    _FUNCTION.format(
        name="request_refuses",
        body="""
        RAISE EXCEPTION 'requests are kept for ever, with their facts'
            USING ERRCODE = 'integrity_constraint_violation';""",
    ),
    _FUNCTION.format(
        name="refund_follows_request",
        body=f"""
        IF NOT EXISTS {_AS_ASKED} THEN
            RAISE EXCEPTION 'not what was asked' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;""",
    ),
    f"""CREATE TRIGGER request_frozen BEFORE UPDATE ON refund_requests
        FOR EACH ROW WHEN ({_differ("IS DISTINCT FROM")}) EXECUTE FUNCTION request_refuses()""",
    """CREATE TRIGGER request_kept BEFORE DELETE ON refund_requests
        FOR EACH ROW EXECUTE FUNCTION request_refuses()""",
    """CREATE TRIGGER request_never_truncated BEFORE TRUNCATE ON refund_requests
        EXECUTE FUNCTION request_refuses()""",
    """CREATE TRIGGER refund_as_asked BEFORE INSERT ON refunds
        FOR EACH ROW WHEN (NEW.asked IS NOT NULL) EXECUTE FUNCTION refund_follows_request()""",
)
