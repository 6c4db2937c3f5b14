"""PostgreSQL's daemon makes statistics when a tenth has changed, its own measure, and not a fiftieth.

Tables that have doubled have theirs made within seconds, by `young_tables`. The daemon's
visits cost orders some of their time, which `log_autovacuum_min_duration = 0` shows, and were five times as many.
"""

from alembic import op

revision = "chassis_0007"
down_revision = "chassis_0006"
branch_labels = None
depends_on = None

STATISTICS = ("outbox", "inbox", "parked_events", "audit_log", "idempotency_keys", "recorded_spans")
# Each of their rows is soon written once more; to clear a table of its dead rows takes reading all its indexes.
ROOM = ("outbox", "idempotency_keys")


def upgrade() -> None:
    for table in STATISTICS:
        op.execute(f"ALTER TABLE {table} RESET (autovacuum_analyze_scale_factor)")
    for table in ROOM:
        op.execute(f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.05)")
