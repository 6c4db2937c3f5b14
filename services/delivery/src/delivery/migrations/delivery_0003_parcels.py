"""Several parcels of one order; lost ones, and ones that came back."""

from alembic import op

revision = "delivery_0003"
down_revision = "delivery_0002"
branch_labels = None
depends_on = None

CHECKS = {
    "ck_shipments_status": "status IN ('ON_HOLD', 'READY', 'SHIPPED', 'DELIVERED', 'STOPPED', 'LOST', 'RETURNED')",
    "ck_shipments_shipped": """
        status NOT IN ('SHIPPED', 'DELIVERED', 'LOST', 'RETURNED')
        OR num_nulls(carrier, tracking_number, shipped_at) = 0
    """,
    "ck_shipments_proof": "proof IS NULL OR status = 'DELIVERED'",
    "ck_shipments_parcels": "1 <= number AND number <= parcels AND parcels <= 20",
}


def upgrade() -> None:
    # Constant defaults: no row is written. They stay, for those who run the version before this one meanwhile.
    op.execute("""
        ALTER TABLE shipments
            ADD COLUMN number smallint NOT NULL DEFAULT 1,
            ADD COLUMN parcels smallint NOT NULL DEFAULT 1,
            ADD COLUMN version integer NOT NULL DEFAULT 1,
            ADD COLUMN tracking_url text,
            ADD COLUMN proof jsonb
    """)
    for name, check in CHECKS.items():
        op.execute(f"ALTER TABLE shipments DROP CONSTRAINT IF EXISTS {name}")
        op.execute(f"ALTER TABLE shipments ADD CONSTRAINT {name} CHECK ({check}) NOT VALID")
    # Not valid first and validated then: what needs the table for itself does not have to read it.
    for name in CHECKS:
        op.execute(f"ALTER TABLE shipments VALIDATE CONSTRAINT {name}")
    op.execute("ALTER TABLE shipments ADD CONSTRAINT uq_shipments_order_id_number UNIQUE (order_id, number)")
    op.execute("ALTER TABLE shipments DROP CONSTRAINT uq_shipments_order_id")
