"""Several addresses per customer, and what nobody can be once they are erased."""

from alembic import op

revision = "sales_0003"
down_revision = "sales_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE addresses (
            id uuid NOT NULL,
            customer_id text NOT NULL,
            address jsonb NOT NULL,
            is_default boolean NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT pk_addresses PRIMARY KEY (id),
            CONSTRAINT fk_addresses_customer_id_customers FOREIGN KEY (customer_id) REFERENCES customers (id)
        )
    """)
    op.execute("CREATE INDEX ix_addresses_customer_id_id ON addresses (customer_id, id)")
    op.execute("CREATE UNIQUE INDEX uq_addresses_default ON addresses (customer_id) WHERE is_default")
    # Ids ascend in time (UUIDv7), and lists are in their order: these are as old as their customers.
    op.execute("""
        INSERT INTO addresses (id, customer_id, address, is_default, created_at)
        SELECT
            (
                lpad(to_hex((extract(epoch FROM created_at) * 1000)::bigint), 12, '0')
                || '7' || substr(md5(id), 1, 3) || '8' || substr(md5(id), 4, 15)
            )::uuid,
            id, shipping_address, true, created_at
        FROM customers WHERE shipping_address IS NOT NULL
    """)
    op.execute("ALTER TABLE customers DROP COLUMN shipping_address")
    # What is left of an erased customer says nothing about anybody; an id is no e-mail, and every e-mail is unique.
    op.execute("""
        ALTER TABLE customers ADD CONSTRAINT ck_customers_erased CHECK (
            status <> 'ERASED' OR (email = id AND name = '' AND password_hash IS NULL AND NOT email_verified)
        ) NOT VALID
    """)
    op.execute("ALTER TABLE customers VALIDATE CONSTRAINT ck_customers_erased")
    op.execute("CREATE INDEX ix_customers_erased ON customers (id) WHERE status = 'ERASED'")
