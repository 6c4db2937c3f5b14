"""PostgreSQL's daemon makes statistics when a tenth has changed, its own measure, and not a fiftieth.

Tables that have doubled have theirs made within seconds, by `young_tables`. The daemon's
visits cost orders some of their time, which `log_autovacuum_min_duration = 0` shows, and were five times as many.
"""

from alembic import op

revision = "sales_0013"
down_revision = "sales_0012"
branch_labels = None
depends_on = None

STATISTICS = (
    "attempts",
    "orders",
    "order_items",
    "order_history",
    "carts",
    "cart_items",
    "payments",
    "payment_operations",
)
# Each of their rows is soon written once more; to clear a table of its dead rows takes reading all its indexes.
ROOM = ("attempts",)


def upgrade() -> None:
    for table in STATISTICS:
        op.execute(f"ALTER TABLE {table} RESET (autovacuum_analyze_scale_factor)")
    for table in ROOM:
        op.execute(f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.05)")
