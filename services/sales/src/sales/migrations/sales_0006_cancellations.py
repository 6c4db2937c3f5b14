"""Cancelled orders, and what was asked to be cancelled before Product was asked for its word."""

from alembic import op

revision = "sales_0006"
down_revision = "sales_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE orders
            ADD COLUMN cancelled_at timestamptz,
            ADD COLUMN cancel_reason text,
            ADD CONSTRAINT ck_orders_cancelled CHECK ((status = 'CANCELLED') = (cancelled_at IS NOT NULL)) NOT VALID
    """)
    op.execute("ALTER TABLE orders VALIDATE CONSTRAINT ck_orders_cancelled")
    op.execute("""
        CREATE TABLE cancellations (
            order_id uuid NOT NULL,
            reservation_id uuid NOT NULL,
            reason text,
            asked_by text NOT NULL,
            asked_at timestamptz NOT NULL,
            state text NOT NULL,
            next_look_at timestamptz NOT NULL,
            CONSTRAINT pk_cancellations PRIMARY KEY (order_id),
            CONSTRAINT ck_cancellations_state CHECK (state IN ('asked', 'done', 'refused'))
        )
    """)
    op.execute("CREATE INDEX ix_cancellations_next_look_at ON cancellations (next_look_at) WHERE state = 'asked'")
    op.execute("CREATE INDEX ix_cancellations_reservation_id ON cancellations (reservation_id) WHERE state = 'asked'")
