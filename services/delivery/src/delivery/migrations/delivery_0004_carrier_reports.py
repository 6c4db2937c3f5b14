"""What carriers report, kept until it has had its effect and for a while longer."""

from alembic import op

revision = "delivery_0004"
down_revision = "delivery_0003"
branch_labels = None
depends_on = None

# A row is written twice or more within a second: analysed early, vacuumed early, with room for new versions.
EAGER = "fillfactor = 80, autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.02"


def upgrade() -> None:
    op.execute(f"""
        CREATE TABLE carrier_reports (
            id uuid NOT NULL,
            source text NOT NULL,
            webhook_id text NOT NULL,
            carrier text NOT NULL,
            tracking_number text NOT NULL,
            kind text NOT NULL,
            occurred_at timestamptz,
            location text,
            proof jsonb,
            reason text,
            received_at timestamptz NOT NULL,
            traceparent text NOT NULL,
            state text NOT NULL,
            attempts integer NOT NULL,
            next_try_at timestamptz,
            tried_until timestamptz NOT NULL,
            told_at timestamptz,
            settled_at timestamptz,
            code text,
            message text,
            shipment_id uuid,
            CONSTRAINT pk_carrier_reports PRIMARY KEY (id),
            CONSTRAINT uq_carrier_reports_source UNIQUE (source, webhook_id),
            CONSTRAINT ck_carrier_reports_kind CHECK (kind IN ('DELIVERED', 'LOST', 'RETURNED')),
            CONSTRAINT ck_carrier_reports_state CHECK (state IN ('WAITING', 'UNMATCHED', 'APPLIED', 'REFUSED')),
            CONSTRAINT ck_carrier_reports_waiting CHECK (state <> 'WAITING' OR next_try_at IS NOT NULL),
            CONSTRAINT ck_carrier_reports_settled CHECK
                ((state IN ('APPLIED', 'REFUSED')) = (settled_at IS NOT NULL)
                AND (settled_at IS NULL OR next_try_at IS NULL)),
            CONSTRAINT ck_carrier_reports_refused CHECK (state <> 'REFUSED' OR num_nulls(code, message) = 0)
        ) WITH ({EAGER})
    """)
    op.execute("""
        CREATE INDEX ix_carrier_reports_due ON carrier_reports (next_try_at, id) WHERE next_try_at IS NOT NULL
    """)
    op.execute("""
        CREATE INDEX ix_carrier_reports_parcel ON carrier_reports (tracking_number, lower(carrier), id)
    """)
    op.execute("CREATE INDEX ix_carrier_reports_carrier ON carrier_reports (lower(carrier), id)")
    op.execute("CREATE INDEX ix_carrier_reports_state ON carrier_reports (state, id)")
    op.execute("""
        CREATE INDEX ix_carrier_reports_shipment_id ON carrier_reports (shipment_id) WHERE shipment_id IS NOT NULL
    """)
    # Its webhooks have had their effect, and one that comes again has none: the parcel is delivered.
    op.execute("DROP TABLE carrier_webhooks")
