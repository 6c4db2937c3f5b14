"""Products, their stock, and what is held of it."""

from alembic import op

revision = "product_0001"
down_revision = None
branch_labels = ("product",)
depends_on = None

# Written on every order: analysed and vacuumed early.
EAGER = "autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.02"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE products (
            id text NOT NULL,
            name text NOT NULL,
            price bigint NOT NULL,
            currency text NOT NULL,
            is_active boolean NOT NULL DEFAULT true,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT pk_products PRIMARY KEY (id),
            CONSTRAINT ck_products_id CHECK (id ~ '^[A-Za-z0-9_-]{1,64}$'),
            CONSTRAINT ck_products_name CHECK (length(name) BETWEEN 1 AND 200),
            CONSTRAINT ck_products_price CHECK (price BETWEEN 1 AND 1000000000000),
            CONSTRAINT ck_products_currency CHECK (currency ~ '^[A-Z]{3}$')
        )
    """)
    # With room for HOT updates: no index on what changes with every order.
    op.execute(f"""
        CREATE TABLE stock (
            product_id text NOT NULL,
            on_hand bigint NOT NULL,
            reserved bigint NOT NULL DEFAULT 0,
            CONSTRAINT pk_stock PRIMARY KEY (product_id),
            CONSTRAINT fk_stock_product_id_products FOREIGN KEY (product_id) REFERENCES products (id),
            CONSTRAINT ck_stock_on_hand CHECK (on_hand >= 0),
            CONSTRAINT ck_stock_reserved CHECK (reserved >= 0),
            CONSTRAINT ck_stock_not_oversold CHECK (reserved <= on_hand)
        ) WITH (fillfactor = 80, {EAGER})
    """)
    op.execute(f"""
        CREATE TABLE reservations (
            id uuid NOT NULL,
            state text NOT NULL,
            answer jsonb,
            created_at timestamptz NOT NULL DEFAULT now(),
            settled_at timestamptz,
            CONSTRAINT pk_reservations PRIMARY KEY (id),
            CONSTRAINT ck_reservations_state CHECK (state IN ('HELD', 'REFUSED', 'RELEASED', 'DEDUCTED')),
            CONSTRAINT ck_reservations_answer CHECK (answer IS NOT NULL OR state = 'RELEASED'),
            CONSTRAINT ck_reservations_settled_at CHECK ((settled_at IS NULL) = (state IN ('HELD', 'REFUSED')))
        ) WITH (fillfactor = 80, {EAGER})
    """)
    op.execute(f"""
        CREATE TABLE reservation_lines (
            reservation_id uuid NOT NULL,
            line integer NOT NULL,
            product_id text NOT NULL,
            quantity integer NOT NULL,
            CONSTRAINT pk_reservation_lines PRIMARY KEY (reservation_id, line),
            CONSTRAINT ck_reservation_lines_quantity CHECK (quantity BETWEEN 1 AND 500000)
        ) WITH ({EAGER})
    """)
