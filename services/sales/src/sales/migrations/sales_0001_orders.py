"""Customers, attempts, orders with their items and history."""

from alembic import op

revision = "sales_0001"
down_revision = None
branch_labels = ("sales",)
depends_on = None

# Young tables that are written on every order: analysed early, vacuumed early, with room for HOT updates.
EAGER = "fillfactor = 80, autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.02"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE customers (
            id text NOT NULL,
            name text NOT NULL,
            email text NOT NULL,
            shipping_address jsonb,
            created_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT pk_customers PRIMARY KEY (id)
        )
    """)
    op.execute("CREATE UNIQUE INDEX uq_customers_email ON customers (lower(email))")
    op.execute(f"""
        CREATE TABLE attempts (
            id uuid NOT NULL,
            customer_id text NOT NULL,
            idempotency_key text,
            request_hash bytea NOT NULL,
            state text NOT NULL,
            lease_until timestamptz NOT NULL,
            order_id uuid,
            answer_status integer,
            answer text,
            CONSTRAINT pk_attempts PRIMARY KEY (id),
            CONSTRAINT ck_attempts_state CHECK (state IN ('open', 'placed', 'refused', 'undoing', 'undone')),
            CONSTRAINT ck_attempts_order CHECK ((state = 'placed') = (order_id IS NOT NULL))
        ) WITH ({EAGER})
    """)
    op.execute("""
        CREATE UNIQUE INDEX uq_attempts_customer_id_idempotency_key ON attempts (customer_id, idempotency_key)
        WHERE idempotency_key IS NOT NULL
    """)
    op.execute("CREATE INDEX ix_attempts_unfinished ON attempts (lease_until) WHERE state IN ('open', 'undoing')")
    op.execute(f"""
        CREATE TABLE orders (
            id uuid NOT NULL,
            customer_id text NOT NULL,
            status text NOT NULL,
            reservation_id uuid NOT NULL,
            subtotal bigint NOT NULL,
            shipping_cost bigint NOT NULL,
            total bigint NOT NULL,
            currency text NOT NULL,
            shipping_address jsonb NOT NULL,
            note text,
            tracking_number text,
            carrier text,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            shipped_at timestamptz,
            delivered_at timestamptz,
            delivery_location text,
            CONSTRAINT pk_orders PRIMARY KEY (id),
            CONSTRAINT ck_orders_status CHECK
                (status IN ('PENDING', 'PENDING_SHIPMENT', 'CONFIRMED', 'SHIPPED', 'DELIVERED', 'CANCELLED')),
            CONSTRAINT ck_orders_total CHECK (total = subtotal + shipping_cost AND total BETWEEN 0 AND 1000000000000)
        ) WITH ({EAGER})
    """)
    op.execute("CREATE INDEX ix_orders_customer_id_id ON orders (customer_id, id)")
    op.execute(f"""
        CREATE TABLE order_items (
            order_id uuid NOT NULL,
            line integer NOT NULL,
            product_id text NOT NULL,
            variant_id uuid,
            name text NOT NULL,
            quantity integer NOT NULL,
            unit_price bigint NOT NULL,
            CONSTRAINT pk_order_items PRIMARY KEY (order_id, line),
            CONSTRAINT ck_order_items_amounts CHECK (quantity > 0 AND unit_price >= 0)
        ) WITH ({EAGER})
    """)
    op.execute(f"""
        CREATE TABLE order_history (
            order_id uuid NOT NULL,
            id bigint GENERATED ALWAYS AS IDENTITY,
            at timestamptz NOT NULL,
            kind text NOT NULL,
            from_status text,
            to_status text NOT NULL,
            actor text NOT NULL,
            event_id text,
            reason text,
            CONSTRAINT pk_order_history PRIMARY KEY (order_id, id),
            CONSTRAINT ck_order_history_kind CHECK (kind IN ('changed', 'refused'))
        ) WITH ({EAGER})
    """)
