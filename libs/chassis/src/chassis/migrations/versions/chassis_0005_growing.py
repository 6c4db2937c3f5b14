"""Tables that grow and are deleted from: what is old is found by an index, however much else there is."""

from alembic import op

revision = "chassis_0005"
down_revision = "chassis_0004"
branch_labels = None
depends_on = None

# BRIN knows of each range of pages the oldest row that was ever in it, and never learns that it is gone: once the
# places of deleted rows are used again, it leads everywhere.
OLD = {"inbox": "handled_at", "idempotency_keys": "created_at", "recorded_spans": "started_at"}
# Looked after when a fiftieth has changed: by PostgreSQL's own measure, a tenth and a fifth, millions would wait.
EAGER = "autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.02"


def upgrade() -> None:
    for table, column in OLD.items():
        op.execute(f"DROP INDEX ix_{table}_{column}")
        op.execute(f"CREATE INDEX ix_{table}_{column} ON {table} ({column})")
    op.execute("CREATE INDEX ix_parked_events_resolved_at ON parked_events (resolved_at) WHERE resolved_at IS NOT NULL")
    # Each of its rows is written anew with every attempt.
    op.execute(f"ALTER TABLE parked_events SET (fillfactor = 80, {EAGER})")
    op.execute(f"ALTER TABLE audit_log SET ({EAGER})")
    # Each row is written once more when it is sent. Beside the first version, what is logged of the second one is the
    # difference; elsewhere it is all of it (measured: 2.4 of an order's 33 kB of log).
    op.execute("ALTER TABLE outbox SET (fillfactor = 50)")
