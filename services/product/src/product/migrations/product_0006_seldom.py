"""PostgreSQL's daemon makes statistics when a tenth has changed, its own measure, and not a fiftieth.

Tables that have doubled have theirs made within seconds, by `young_tables`. The daemon's
visits cost orders some of their time, which `log_autovacuum_min_duration = 0` shows, and were five times as many.
"""

from alembic import op

revision = "product_0006"
down_revision = "product_0005"
branch_labels = None
depends_on = None

STATISTICS = ("stock", "stock_movements", "reservations", "reservation_lines")


def upgrade() -> None:
    for table in STATISTICS:
        op.execute(f"ALTER TABLE {table} RESET (autovacuum_analyze_scale_factor)")
