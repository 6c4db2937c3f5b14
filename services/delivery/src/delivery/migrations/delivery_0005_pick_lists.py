"""Pick lists, and the indexes of what waits to be packed."""

from alembic import op

revision = "delivery_0005"
down_revision = "delivery_0004"
branch_labels = None
depends_on = None

WAITING = "status = 'READY' AND dispatching_until IS NULL"


def upgrade() -> None:
    op.execute(f"CREATE INDEX ix_shipments_ready ON shipments (id) WHERE {WAITING}")
    # A list of its own entries that are merged later makes a new order cheap; it is short, since every search reads it.
    op.execute(f"""
        CREATE INDEX ix_shipments_ready_products ON shipments
            USING gin (jsonb_path_query_array(items, '$[*].product_id')) WITH (gin_pending_list_limit = 128)
        WHERE {WAITING}
    """)
    op.execute(f"""
        CREATE INDEX ix_shipments_ready_country ON shipments ((shipping_address ->> 'country'), id) WHERE {WAITING}
    """)
    op.execute(f"""
        CREATE INDEX ix_shipments_ready_postal_code ON shipments
            ((upper(shipping_address ->> 'postal_code') COLLATE "C"), id)
        WHERE {WAITING}
    """)
    op.execute("""
        CREATE TABLE pick_lists (
            id uuid NOT NULL,
            taken_by text NOT NULL,
            taken_at timestamptz NOT NULL,
            status text NOT NULL,
            closed_at timestamptz,
            closed_by text,
            CONSTRAINT pk_pick_lists PRIMARY KEY (id),
            CONSTRAINT ck_pick_lists_status CHECK (status IN ('OPEN', 'DONE', 'RELEASED')),
            CONSTRAINT ck_pick_lists_closed CHECK
                (num_nulls(closed_at, closed_by) = CASE status WHEN 'OPEN' THEN 2 ELSE 0 END)
        )
    """)
    op.execute("CREATE INDEX ix_pick_lists_open ON pick_lists (id) WHERE status = 'OPEN'")
    op.execute("CREATE INDEX ix_pick_lists_taken_by_id ON pick_lists (taken_by, id)")
    op.execute("""
        CREATE TABLE pick_list_parcels (
            pick_list_id uuid NOT NULL,
            shipment_id uuid NOT NULL,
            items jsonb NOT NULL,
            outcome text NOT NULL,
            CONSTRAINT pk_pick_list_parcels PRIMARY KEY (pick_list_id, shipment_id),
            CONSTRAINT fk_pick_list_parcels_pick_list_id_pick_lists FOREIGN KEY (pick_list_id) REFERENCES pick_lists,
            CONSTRAINT fk_pick_list_parcels_shipment_id_shipments FOREIGN KEY (shipment_id) REFERENCES shipments,
            CONSTRAINT ck_pick_list_parcels_outcome CHECK
                (outcome IN ('WAITING', 'DISPATCHED', 'STOPPED', 'RELEASED'))
        )
    """)
    op.execute("""
        CREATE UNIQUE INDEX uq_pick_list_parcels_waiting ON pick_list_parcels (shipment_id) WHERE outcome = 'WAITING'
    """)
