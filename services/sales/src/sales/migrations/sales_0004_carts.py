"""Carts of customers and guests, with what is in them."""

from alembic import op

revision = "sales_0004"
down_revision = "sales_0003"
branch_labels = None
depends_on = None

EAGER = "autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.02"


def upgrade() -> None:
    op.execute(f"""
        CREATE TABLE carts (
            id uuid NOT NULL,
            customer_id text,
            token_hash bytea,
            touched_at timestamptz NOT NULL,
            CONSTRAINT pk_carts PRIMARY KEY (id),
            CONSTRAINT ck_carts_owner CHECK ((customer_id IS NULL) <> (token_hash IS NULL))
        ) WITH ({EAGER})
    """)
    op.execute("CREATE UNIQUE INDEX uq_carts_customer_id ON carts (customer_id)")
    op.execute("CREATE UNIQUE INDEX uq_carts_token_hash ON carts (token_hash)")
    op.execute("CREATE INDEX ix_carts_of_customers ON carts (touched_at, id) WHERE customer_id IS NOT NULL")
    op.execute("CREATE INDEX ix_carts_of_guests ON carts (touched_at, id) WHERE customer_id IS NULL")
    op.execute(f"""
        CREATE TABLE cart_items (
            id uuid NOT NULL,
            cart_id uuid NOT NULL,
            product_id text NOT NULL,
            variant_id uuid,
            quantity integer NOT NULL,
            name text NOT NULL,
            unit_price bigint NOT NULL,
            currency text NOT NULL,
            CONSTRAINT pk_cart_items PRIMARY KEY (id),
            CONSTRAINT fk_cart_items_cart_id_carts FOREIGN KEY (cart_id) REFERENCES carts (id) ON DELETE CASCADE,
            CONSTRAINT ck_cart_items_amounts CHECK (quantity BETWEEN 1 AND 10000 AND unit_price >= 0)
        ) WITH ({EAGER})
    """)
    op.execute("""
        CREATE UNIQUE INDEX uq_cart_items_product ON cart_items (cart_id, product_id, variant_id) NULLS NOT DISTINCT
    """)
