"""Accounts: passwords, sessions, what is mailed, and what slows guessing down."""

from alembic import op

revision = "sales_0002"
down_revision = "sales_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE customers
            ADD COLUMN status text NOT NULL DEFAULT 'REGISTERED',
            ADD COLUMN email_verified boolean NOT NULL DEFAULT false,
            ADD COLUMN language text NOT NULL DEFAULT 'en',
            ADD COLUMN password_hash text,
            ADD COLUMN password_set_at timestamptz,
            ADD CONSTRAINT ck_customers_status CHECK (status IN ('REGISTERED', 'ERASED')) NOT VALID
    """)
    op.execute("ALTER TABLE customers VALIDATE CONSTRAINT ck_customers_status")
    op.execute("""
        CREATE TABLE sessions (
            id uuid NOT NULL,
            customer_id text NOT NULL,
            family_hash bytea NOT NULL,
            token_hash bytea NOT NULL,
            started_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            CONSTRAINT pk_sessions PRIMARY KEY (id)
        )
    """)
    op.execute("CREATE UNIQUE INDEX uq_sessions_family_hash ON sessions (family_hash)")
    op.execute("CREATE INDEX ix_sessions_customer_id ON sessions (customer_id)")
    op.execute("CREATE INDEX ix_sessions_expires_at ON sessions (expires_at)")
    op.execute("""
        CREATE TABLE mail_tokens (
            customer_id text NOT NULL,
            purpose text NOT NULL,
            token_hash bytea NOT NULL,
            expires_at timestamptz NOT NULL,
            used_at timestamptz,
            CONSTRAINT pk_mail_tokens PRIMARY KEY (customer_id, purpose),
            CONSTRAINT ck_mail_tokens_purpose CHECK (purpose IN ('verification', 'password-reset'))
        )
    """)
    op.execute("CREATE UNIQUE INDEX uq_mail_tokens_token_hash ON mail_tokens (token_hash)")
    op.execute("CREATE INDEX ix_mail_tokens_expires_at ON mail_tokens (expires_at)")
    op.execute("""
        CREATE TABLE mail_requests (
            id uuid NOT NULL,
            purpose text NOT NULL,
            email text NOT NULL,
            CONSTRAINT pk_mail_requests PRIMARY KEY (id),
            CONSTRAINT ck_mail_requests_purpose CHECK (purpose IN ('verification', 'password-reset'))
        )
    """)
    op.execute("""
        CREATE TABLE slowdowns (
            key bytea NOT NULL,
            attempts integer NOT NULL,
            last_at timestamptz NOT NULL,
            opens_at timestamptz NOT NULL,
            CONSTRAINT pk_slowdowns PRIMARY KEY (key)
        ) WITH (fillfactor = 80)
    """)
    op.execute("CREATE INDEX ix_slowdowns_last_at ON slowdowns USING brin (last_at)")
    op.execute("""
        CREATE TABLE known_addresses (
            customer_id text NOT NULL,
            address_hash bytea NOT NULL,
            last_at timestamptz NOT NULL,
            CONSTRAINT pk_known_addresses PRIMARY KEY (customer_id, address_hash)
        )
    """)
    op.execute("CREATE INDEX ix_known_addresses_last_at ON known_addresses USING brin (last_at)")
