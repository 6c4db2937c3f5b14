"""Returns: what of delivered orders comes back, and the money for it."""

from alembic import op

revision = "sales_0008"
down_revision = "sales_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE returns (
            id uuid NOT NULL,
            order_id uuid NOT NULL,
            customer_id text NOT NULL,
            state text NOT NULL,
            currency text NOT NULL,
            reason text,
            receipt_asked_by text,
            received_at timestamptz,
            refund_amount bigint,
            refund_way text,
            refund_asked_by text,
            refunded_at timestamptz,
            rejected_at timestamptz,
            rejection_reason text,
            next_look_at timestamptz,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            CONSTRAINT pk_returns PRIMARY KEY (id),
            CONSTRAINT ck_returns_state CHECK (state IN ('REQUESTED', 'RECEIVED', 'REFUNDED', 'REJECTED')),
            CONSTRAINT ck_returns_received CHECK (state NOT IN ('RECEIVED', 'REFUNDED') OR received_at IS NOT NULL),
            CONSTRAINT ck_returns_refunded CHECK ((state = 'REFUNDED') = (refunded_at IS NOT NULL)),
            CONSTRAINT ck_returns_rejected CHECK ((state = 'REJECTED') = (rejected_at IS NOT NULL)),
            CONSTRAINT ck_returns_refund CHECK (
                num_nulls(refund_amount, refund_way, refund_asked_by) IN (0, 3)
                AND refund_amount >= 0 AND refund_way IN ('card', 'outside')
                AND (refund_amount IS NULL OR state IN ('RECEIVED', 'REFUNDED'))
                AND (state <> 'REFUNDED' OR refund_amount IS NOT NULL)
            ),
            CONSTRAINT ck_returns_taken_up CHECK ((next_look_at IS NOT NULL) = (
                state = 'REQUESTED' AND receipt_asked_by IS NOT NULL OR state = 'RECEIVED' AND refund_amount IS NOT NULL
            ))
        )
    """)
    op.execute("CREATE INDEX ix_returns_order_id_id ON returns (order_id, id)")
    op.execute("CREATE INDEX ix_returns_state_id ON returns (state, id)")
    op.execute("CREATE INDEX ix_returns_due ON returns (state, next_look_at) WHERE next_look_at IS NOT NULL")
    op.execute("""
        CREATE TABLE return_items (
            return_id uuid NOT NULL,
            line integer NOT NULL,
            product_id text NOT NULL,
            variant_id uuid,
            name text NOT NULL,
            quantity integer NOT NULL,
            unit_price bigint NOT NULL,
            restock boolean,
            CONSTRAINT pk_return_items PRIMARY KEY (return_id, line),
            CONSTRAINT ck_return_items_amounts CHECK (quantity > 0 AND unit_price >= 0)
        )
    """)
