"""Idempotency keys with the answers that they were given."""

from alembic import op

revision = "chassis_0002"
down_revision = "chassis_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Each row is updated once, by the answer: with room for it on the same page.
    op.execute("""
        CREATE TABLE idempotency_keys (
            principal text NOT NULL,
            route text NOT NULL,
            key text NOT NULL,
            request_hash bytea NOT NULL,
            status integer,
            body text,
            created_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT pk_idempotency_keys PRIMARY KEY (principal, route, key)
        ) WITH (fillfactor = 80, autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.02)
    """)
    op.execute("CREATE INDEX ix_idempotency_keys_created_at ON idempotency_keys USING brin (created_at)")
