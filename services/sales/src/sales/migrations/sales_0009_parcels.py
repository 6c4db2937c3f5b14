"""Where the parcels of orders are; and who registered before anybody else wanted to know."""

from alembic import op

revision = "sales_0009"
down_revision = "sales_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD COLUMN tracking_url text")
    op.execute("""
        CREATE TABLE order_parcels (
            order_id uuid NOT NULL,
            number smallint NOT NULL,
            shipment_id uuid NOT NULL,
            version integer NOT NULL,
            status text NOT NULL,
            items jsonb NOT NULL,
            carrier text,
            tracking_number text,
            tracking_url text,
            shipped_at timestamptz,
            delivered_at timestamptz,
            delivery_location text,
            announced_at timestamptz,
            CONSTRAINT pk_order_parcels PRIMARY KEY (order_id, number),
            CONSTRAINT ck_order_parcels_status CHECK
                (status IN ('PREPARING', 'SHIPPED', 'DELIVERED', 'LOST', 'RETURNED', 'STOPPED'))
        )
    """)
    # Those who are there already are not introduced, whoever comes from now on is: no row is written for it.
    op.execute("ALTER TABLE customers ADD COLUMN is_introduced boolean NOT NULL DEFAULT false")
    op.execute("ALTER TABLE customers ALTER COLUMN is_introduced SET DEFAULT true")
    op.execute("CREATE INDEX ix_customers_not_introduced ON customers (id) WHERE NOT is_introduced")
