"""What a running service has recorded of its work, for a day."""

from alembic import op

revision = "chassis_0004"
down_revision = "chassis_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE recorded_spans (
            trace_id text NOT NULL,
            span_id text NOT NULL,
            parent_id text,
            name text NOT NULL,
            participant text,
            action text,
            heard_in text,
            emits text[] NOT NULL,
            error text,
            started_at timestamptz NOT NULL,
            ended_at timestamptz NOT NULL,
            CONSTRAINT pk_recorded_spans PRIMARY KEY (trace_id, span_id)
        ) WITH (autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.02)
    """)
    op.execute("CREATE INDEX ix_recorded_spans_started_at ON recorded_spans USING brin (started_at)")
