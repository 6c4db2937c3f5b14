"""Shipments, and the webhooks of carriers that have had their effect."""

from alembic import op

revision = "delivery_0001"
down_revision = None
branch_labels = ("delivery",)
depends_on = None

# Young tables that are written on every order: analysed early, vacuumed early, with room for new versions of a row.
EAGER = "fillfactor = 80, autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.02"


def upgrade() -> None:
    op.execute(f"""
        CREATE TABLE shipments (
            id uuid NOT NULL,
            order_id uuid NOT NULL,
            reservation_id uuid NOT NULL,
            status text NOT NULL,
            order_status text NOT NULL,
            items jsonb NOT NULL,
            shipping_address jsonb NOT NULL,
            created_at timestamptz NOT NULL,
            traceparent text NOT NULL,
            carrier text,
            tracking_number text,
            dispatching_until timestamptz,
            dispatched_by text,
            shipped_at timestamptz,
            delivered_at timestamptz,
            delivery_location text,
            stop_reason text,
            CONSTRAINT pk_shipments PRIMARY KEY (id),
            CONSTRAINT uq_shipments_order_id UNIQUE (order_id),
            CONSTRAINT ck_shipments_status CHECK (status IN ('READY', 'SHIPPED', 'DELIVERED', 'STOPPED')),
            CONSTRAINT ck_shipments_shipped CHECK
                (status NOT IN ('SHIPPED', 'DELIVERED') OR num_nulls(carrier, tracking_number, shipped_at) = 0),
            CONSTRAINT ck_shipments_delivered CHECK ((status = 'DELIVERED') = (delivered_at IS NOT NULL)),
            CONSTRAINT ck_shipments_stopped CHECK ((status = 'STOPPED') = (stop_reason IS NOT NULL)),
            CONSTRAINT ck_shipments_dispatching CHECK
                (dispatching_until IS NULL OR status = 'READY' AND num_nulls(carrier, tracking_number) = 0)
        ) WITH ({EAGER})
    """)
    op.execute("""
        CREATE UNIQUE INDEX uq_shipments_carrier_tracking_number ON shipments (lower(carrier), tracking_number)
        WHERE tracking_number IS NOT NULL
    """)
    op.execute("CREATE INDEX ix_shipments_status_id ON shipments (status, id)")
    op.execute("""
        CREATE INDEX ix_shipments_dispatching ON shipments (dispatching_until) WHERE dispatching_until IS NOT NULL
    """)
    op.execute("""
        CREATE TABLE carrier_webhooks (
            carrier text NOT NULL,
            webhook_id text NOT NULL,
            received_at timestamptz NOT NULL,
            CONSTRAINT pk_carrier_webhooks PRIMARY KEY (carrier, webhook_id)
        )
    """)
    op.execute("CREATE INDEX ix_carrier_webhooks_received_at ON carrier_webhooks USING brin (received_at)")
