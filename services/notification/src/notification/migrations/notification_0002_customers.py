"""Customers as far as mail goes, and who wants to be told when something is back in stock."""

from alembic import op

revision = "notification_0002"
down_revision = "notification_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE customers (
            customer_id text NOT NULL,
            email text,
            email_told_at timestamptz,
            name text,
            language text,
            profile_told_at timestamptz,
            unwanted_topics text[] NOT NULL DEFAULT '{}',
            erased_at timestamptz,
            CONSTRAINT pk_customers PRIMARY KEY (customer_id),
            CONSTRAINT ck_customers_email CHECK ((email IS NULL) = (email_told_at IS NULL)),
            CONSTRAINT ck_customers_profile CHECK (num_nulls(name, language, profile_told_at) IN (0, 3)),
            CONSTRAINT ck_customers_erased CHECK
                (erased_at IS NULL OR num_nonnulls(email, name, language) = 0 AND unwanted_topics = '{}')
        )
    """)
    op.execute("""
        CREATE TABLE back_in_stock_wishes (
            id uuid NOT NULL,
            customer_id text NOT NULL,
            product_id text NOT NULL,
            variant_id uuid,
            asked_at timestamptz NOT NULL,
            CONSTRAINT pk_back_in_stock_wishes PRIMARY KEY (id),
            CONSTRAINT fk_back_in_stock_wishes_customer_id_customers
                FOREIGN KEY (customer_id) REFERENCES customers (customer_id),
            CONSTRAINT uq_back_in_stock_wishes_customer_id_product_id_variant_id
                UNIQUE NULLS NOT DISTINCT (customer_id, product_id, variant_id)
        )
    """)
    op.execute("CREATE INDEX ix_back_in_stock_wishes_product_id ON back_in_stock_wishes (product_id)")
    op.execute("CREATE INDEX ix_back_in_stock_wishes_asked_at ON back_in_stock_wishes (asked_at)")
    op.execute("""
        CREATE TABLE back_in_stock_arrivals (
            event_id text NOT NULL,
            product_id text NOT NULL,
            variant_id uuid,
            name text,
            at timestamptz NOT NULL,
            traceparent text,
            CONSTRAINT pk_back_in_stock_arrivals PRIMARY KEY (event_id)
        )
    """)
