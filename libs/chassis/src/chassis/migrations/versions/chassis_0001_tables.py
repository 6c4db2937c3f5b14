"""Outbox, inbox, parked events, audit log and job runs."""

from alembic import op

revision = "chassis_0001"
down_revision = None
branch_labels = ("chassis",)
depends_on = None

# Young queue-like tables: analysed early, vacuumed early, with room for HOT updates.
EAGER = "autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.02"


def upgrade() -> None:
    op.execute(f"""
        CREATE TABLE outbox (
            id bigint GENERATED ALWAYS AS IDENTITY,
            event_id uuid NOT NULL,
            event_type text NOT NULL,
            exchange text NOT NULL,
            mandatory boolean NOT NULL,
            body text NOT NULL,
            traceparent text,
            created_at timestamptz NOT NULL DEFAULT now(),
            attempts integer NOT NULL DEFAULT 0,
            next_attempt_at timestamptz NOT NULL DEFAULT '-infinity',
            sent_at timestamptz,
            CONSTRAINT pk_outbox PRIMARY KEY (id)
        ) WITH (fillfactor = 80, {EAGER})
    """)
    op.execute("CREATE INDEX ix_outbox_waiting ON outbox (next_attempt_at, id) WHERE sent_at IS NULL")
    op.execute("CREATE INDEX ix_outbox_sent_at ON outbox (sent_at) WHERE sent_at IS NOT NULL")
    op.execute(f"""
        CREATE TABLE inbox (
            event_id text NOT NULL,
            event_type text NOT NULL,
            handled_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT pk_inbox PRIMARY KEY (event_id)
        ) WITH ({EAGER})
    """)
    op.execute("CREATE INDEX ix_inbox_handled_at ON inbox USING brin (handled_at)")
    op.execute("""
        CREATE TABLE parked_events (
            event_id text NOT NULL,
            event_type text NOT NULL,
            body bytea NOT NULL,
            traceparent text,
            error text NOT NULL,
            attempts integer NOT NULL,
            parked_at timestamptz NOT NULL DEFAULT now(),
            next_attempt_at timestamptz,
            resolved_at timestamptz,
            resolution text,
            CONSTRAINT pk_parked_events PRIMARY KEY (event_id),
            CONSTRAINT ck_parked_events_resolution CHECK (resolution IN ('handled', 'dropped'))
        )
    """)
    op.execute("CREATE INDEX ix_parked_events_waiting ON parked_events (next_attempt_at) WHERE resolved_at IS NULL")
    op.execute("""
        CREATE TABLE audit_log (
            id uuid NOT NULL,
            at timestamptz NOT NULL,
            actor text NOT NULL,
            action text NOT NULL,
            entity_type text NOT NULL,
            entity_id text NOT NULL,
            before jsonb,
            after jsonb,
            trace_id text,
            CONSTRAINT pk_audit_log PRIMARY KEY (id)
        )
    """)
    op.execute("CREATE INDEX ix_audit_log_entity_type_entity_id ON audit_log (entity_type, entity_id)")
    op.execute("""
        CREATE TABLE job_runs (
            name text NOT NULL,
            started_at timestamptz NOT NULL,
            finished_at timestamptz,
            error text,
            CONSTRAINT pk_job_runs PRIMARY KEY (name)
        )
    """)
