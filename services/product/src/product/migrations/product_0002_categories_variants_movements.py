"""Categories, descriptions, variants and their stock, old prices, and a ledger of all that moves stock."""

from alembic import op

revision = "product_0002"
down_revision = "product_0001"
branch_labels = None
depends_on = None

# Written on every order: analysed and vacuumed early.
EAGER = "autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.02"
NO_VARIANT = "'00000000-0000-0000-0000-000000000000'"


def upgrade() -> None:
    _categories()
    _products()
    _stock()


def _categories() -> None:
    op.execute("""
        CREATE TABLE categories (
            id uuid NOT NULL,
            name text NOT NULL,
            name_key text COLLATE "C" NOT NULL,
            parent_id uuid,
            depth integer NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT pk_categories PRIMARY KEY (id),
            CONSTRAINT uq_categories_name_key UNIQUE (name_key),
            CONSTRAINT fk_categories_parent_id_categories FOREIGN KEY (parent_id) REFERENCES categories (id),
            CONSTRAINT ck_categories_name CHECK (length(name) BETWEEN 1 AND 200),
            CONSTRAINT ck_categories_depth CHECK ((depth = 1) = (parent_id IS NULL) AND depth > 0)
        )
    """)
    op.execute("CREATE INDEX ix_categories_parent_id ON categories (parent_id)")


def _products() -> None:
    # A name of one letter was allowed before.
    op.execute("UPDATE products SET name = name || ' ' || id WHERE length(name) < 2")
    op.execute("""
        ALTER TABLE products
            ADD COLUMN description text NOT NULL DEFAULT '',
            ADD COLUMN category_id uuid,
            ADD COLUMN weight_grams integer NOT NULL DEFAULT 0,
            ADD COLUMN has_variants boolean NOT NULL DEFAULT false,
            ADD COLUMN in_stock boolean NOT NULL DEFAULT false,
            ADD CONSTRAINT fk_products_category_id_categories FOREIGN KEY (category_id) REFERENCES categories (id),
            DROP CONSTRAINT ck_products_name,
            ADD CONSTRAINT ck_products_name CHECK (length(name) BETWEEN 2 AND 200),
            ADD CONSTRAINT ck_products_description CHECK (length(description) <= 5000),
            ADD CONSTRAINT ck_products_weight CHECK (weight_grams BETWEEN 0 AND 1000000)
    """)
    op.execute("""
        UPDATE products SET in_stock = true
        FROM stock WHERE stock.product_id = products.id AND stock.on_hand > stock.reserved
    """)
    op.execute("""
        CREATE TABLE variants (
            id uuid NOT NULL,
            product_id text NOT NULL,
            sku text NOT NULL,
            size text,
            color text,
            price bigint,
            weight_grams integer,
            created_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT pk_variants PRIMARY KEY (id),
            CONSTRAINT uq_variants_sku UNIQUE (sku),
            CONSTRAINT fk_variants_product_id_products FOREIGN KEY (product_id) REFERENCES products (id),
            CONSTRAINT ck_variants_sku CHECK (sku ~ '^[A-Za-z0-9._-]{1,64}$'),
            CONSTRAINT ck_variants_attribute CHECK (size IS NOT NULL OR color IS NOT NULL),
            CONSTRAINT ck_variants_lengths CHECK (length(size) BETWEEN 1 AND 40 AND length(color) BETWEEN 1 AND 40),
            CONSTRAINT ck_variants_price CHECK (price BETWEEN 1 AND 1000000000000),
            CONSTRAINT ck_variants_weight CHECK (weight_grams BETWEEN 0 AND 1000000)
        )
    """)
    op.execute("CREATE INDEX ix_variants_product_id ON variants (product_id)")
    op.execute("""
        CREATE TABLE price_changes (
            id bigint GENERATED ALWAYS AS IDENTITY,
            product_id text NOT NULL,
            variant_id uuid,
            at timestamptz NOT NULL,
            previous_price bigint,
            price bigint,
            currency text NOT NULL,
            actor text NOT NULL,
            CONSTRAINT pk_price_changes PRIMARY KEY (id)
        )
    """)
    op.execute("CREATE INDEX ix_price_changes_product_id_id ON price_changes (product_id, id)")


def _stock() -> None:
    op.execute(f"""
        ALTER TABLE stock
            ADD COLUMN variant_id uuid NOT NULL DEFAULT {NO_VARIANT},
            DROP CONSTRAINT pk_stock,
            ADD CONSTRAINT pk_stock PRIMARY KEY (product_id, variant_id)
    """)
    # From now on there is one of each product.
    op.execute("INSERT INTO stock (product_id, on_hand) SELECT id, 0 FROM products ON CONFLICT DO NOTHING")
    op.execute(f"ALTER TABLE reservation_lines ADD COLUMN variant_id uuid NOT NULL DEFAULT {NO_VARIANT}")
    op.execute(f"""
        CREATE TABLE stock_movements (
            product_id text NOT NULL,
            id bigint GENERATED ALWAYS AS IDENTITY,
            variant_id uuid NOT NULL,
            at timestamptz NOT NULL DEFAULT now(),
            kind text NOT NULL,
            on_hand_change bigint NOT NULL,
            reserved_change bigint NOT NULL,
            cause uuid NOT NULL,
            actor text NOT NULL,
            note text,
            CONSTRAINT pk_stock_movements PRIMARY KEY (product_id, id),
            CONSTRAINT ck_stock_movements_kind CHECK (
                CASE kind
                    WHEN 'received' THEN on_hand_change > 0 AND reserved_change = 0
                    WHEN 'reserved' THEN on_hand_change = 0 AND reserved_change > 0
                    WHEN 'released' THEN on_hand_change = 0 AND reserved_change < 0
                    WHEN 'deducted' THEN on_hand_change < 0 AND reserved_change = on_hand_change
                    WHEN 'corrected' THEN on_hand_change <> 0 AND reserved_change = 0
                    ELSE false
                END
            )
        ) WITH ({EAGER})
    """)
    op.execute("""
        CREATE UNIQUE INDEX uq_stock_movements_cause ON stock_movements (cause, product_id, variant_id, kind)
    """)
    # What was there before the ledger begins it.
    op.execute(f"""
        INSERT INTO stock_movements (product_id, variant_id, kind, on_hand_change, reserved_change, cause, actor, note)
        SELECT product_id, {NO_VARIANT}, 'received', on_hand, 0, gen_random_uuid(), 'migration', 'opening balance'
        FROM stock WHERE on_hand > 0
    """)
    op.execute(f"""
        INSERT INTO stock_movements (product_id, variant_id, kind, on_hand_change, reserved_change, cause, actor)
        SELECT product_id, {NO_VARIANT}, 'reserved', 0, quantity, reservation_id, 'migration'
        FROM reservation_lines JOIN reservations ON reservations.id = reservation_id AND state = 'HELD'
    """)
