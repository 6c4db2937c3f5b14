"""Shipments of orders that are not paid for yet."""

from alembic import op

revision = "delivery_0002"
down_revision = "delivery_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE shipments
            DROP CONSTRAINT ck_shipments_status,
            ADD CONSTRAINT ck_shipments_status CHECK
                (status IN ('ON_HOLD', 'READY', 'SHIPPED', 'DELIVERED', 'STOPPED')) NOT VALID
    """)
    # Not valid first and validated then: only the second reads the table, and it lets others write meanwhile.
    op.execute("ALTER TABLE shipments VALIDATE CONSTRAINT ck_shipments_status")
