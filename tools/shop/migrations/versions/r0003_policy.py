"""Why a request is whose to decide: the reason's code, the pieces asked for, the policy that was asked under.

Only adds, with values for rows of programs of revision 0002, which go on beside this.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

FACTS = ("reason_code", "because", "policy_version")


def upgrade() -> None:
    for column in (
        sa.Column("reason_code", sa.String(32), nullable=False, server_default="unstated"),
        sa.Column("pieces", sa.JSON),
        sa.Column("because", sa.String(32), nullable=False, server_default="customer_confirms"),
        sa.Column("policy_version", sa.Integer, nullable=False, server_default="1"),
    ):
        op.add_column("refund_requests", column)
    op.execute(guard(postgres=op.get_bind().dialect.name == "postgresql"))


def guard(*, postgres: bool) -> str:
    """These keep their values too; revision 0002 made the function that refuses."""
    distinct = "IS DISTINCT FROM" if postgres else "IS NOT"
    changed = " OR ".join(f"NEW.{column} {distinct} OLD.{column}" for column in FACTS)
    event = "CREATE TRIGGER request_terms_frozen BEFORE UPDATE ON refund_requests"
    if postgres:
        return f"{event} FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION request_refuses()"
    return f"{event} WHEN {changed} BEGIN SELECT RAISE(ABORT, 'requests keep their facts'); END"
