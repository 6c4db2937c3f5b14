"""Payments, the journal of what is asked of the gateway for them, their webhooks, and the sandbox's ledger."""

from alembic import op

revision = "sales_0005"
down_revision = "sales_0004"
branch_labels = None
depends_on = None

EAGER = "fillfactor = 80, autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.02"


def upgrade() -> None:
    op.execute(f"""
        CREATE TABLE payments (
            id uuid NOT NULL,
            order_id uuid,
            customer_id text NOT NULL,
            gateway text NOT NULL,
            reference text,
            currency text NOT NULL,
            state text NOT NULL,
            amount bigint NOT NULL,
            authorised bigint NOT NULL,
            open bigint NOT NULL,
            captured bigint NOT NULL,
            voided bigint NOT NULL,
            refunded bigint NOT NULL,
            kept bigint NOT NULL,
            refunding bigint NOT NULL,
            unwanted_at timestamptz,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            CONSTRAINT pk_payments PRIMARY KEY (id),
            CONSTRAINT ck_payments_state CHECK (state IN ('AUTHORISING', 'UNKNOWN', 'AUTHORISED', 'CAPTURING',
                'CAPTURED', 'VOIDED', 'REFUND_DUE', 'REFUNDED', 'FAILED')),
            CONSTRAINT ck_payments_amounts CHECK
                (least(amount, authorised, open, captured, voided, refunded, kept, refunding) >= 0
                AND amount <= 1000000000000),
            CONSTRAINT ck_payments_authorised CHECK
                (authorised = captured + voided + open AND authorised IN (0, amount)),
            CONSTRAINT ck_payments_captured CHECK (captured = refunded + kept AND refunding <= kept),
            CONSTRAINT ck_payments_state_and_money CHECK (CASE state
                WHEN 'AUTHORISED' THEN open > 0
                WHEN 'CAPTURING' THEN open > 0
                WHEN 'CAPTURED' THEN open = 0 AND kept > 0 AND refunding = 0
                WHEN 'REFUND_DUE' THEN open = 0 AND refunding > 0
                WHEN 'REFUNDED' THEN open = 0 AND captured > 0 AND kept = 0
                WHEN 'VOIDED' THEN open = 0 AND captured = 0 AND voided > 0
                ELSE authorised = 0 END),
            CONSTRAINT ck_payments_tombstone CHECK
                (amount > 0 OR (state = 'FAILED' AND unwanted_at IS NOT NULL))
        ) WITH ({EAGER})
    """)
    op.execute("CREATE UNIQUE INDEX uq_payments_order_id ON payments (order_id) WHERE order_id IS NOT NULL")
    op.execute("CREATE UNIQUE INDEX uq_payments_gateway_reference ON payments (gateway, reference)")
    op.execute("CREATE INDEX ix_payments_customer_id_id ON payments (customer_id, id)")
    op.execute("CREATE INDEX ix_payments_state_id ON payments (state, id)")
    op.execute(f"""
        CREATE TABLE payment_operations (
            id uuid NOT NULL,
            payment_id uuid NOT NULL,
            kind text NOT NULL,
            cause text NOT NULL,
            number integer NOT NULL,
            amount bigint NOT NULL,
            state text NOT NULL,
            tries integer NOT NULL,
            next_try_at timestamptz,
            told_at timestamptz,
            reference text,
            error text,
            asked_by text NOT NULL,
            completed_by text,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            CONSTRAINT pk_payment_operations PRIMARY KEY (id),
            CONSTRAINT uq_payment_operations_payment_id_kind_cause_number UNIQUE (payment_id, kind, cause, number),
            CONSTRAINT ck_payment_operations_kind CHECK (kind IN ('authorise', 'capture', 'void', 'refund')),
            CONSTRAINT ck_payment_operations_state CHECK
                (state IN ('asked', 'unknown', 'done', 'refused', 'manual')),
            CONSTRAINT ck_payment_operations_amount CHECK (amount > 0 AND number > 0 AND tries >= 0),
            CONSTRAINT ck_payment_operations_taken_up CHECK
                (state NOT IN ('asked', 'unknown') OR next_try_at IS NOT NULL),
            CONSTRAINT ck_payment_operations_reference CHECK ((state = 'done') = (reference IS NOT NULL)),
            CONSTRAINT ck_payment_operations_manual CHECK (kind = 'refund' OR state <> 'manual')
        ) WITH ({EAGER})
    """)
    op.execute("""
        CREATE INDEX ix_payment_operations_due ON payment_operations (next_try_at) WHERE next_try_at IS NOT NULL
    """)
    op.execute("""
        CREATE INDEX ix_payment_operations_refunds ON payment_operations (state, created_at, id) WHERE kind = 'refund'
    """)
    op.execute("""
        CREATE UNIQUE INDEX uq_payment_operations_under_way ON payment_operations (payment_id)
        WHERE kind <> 'refund' AND state IN ('asked', 'unknown')
    """)
    op.execute("""
        CREATE TABLE payment_webhooks (
            gateway text NOT NULL,
            event_id text NOT NULL,
            received_at timestamptz NOT NULL,
            CONSTRAINT pk_payment_webhooks PRIMARY KEY (gateway, event_id)
        )
    """)
    op.execute("CREATE INDEX ix_payment_webhooks_received_at ON payment_webhooks USING brin (received_at)")
    op.execute("""
        CREATE TABLE sandbox_operations (
            key uuid NOT NULL,
            kind text NOT NULL,
            reference text NOT NULL,
            payment_id uuid NOT NULL,
            payment_reference text NOT NULL,
            amount bigint NOT NULL,
            currency text NOT NULL,
            state text NOT NULL,
            reason text,
            card text,
            at timestamptz NOT NULL,
            CONSTRAINT pk_sandbox_operations PRIMARY KEY (key),
            CONSTRAINT ck_sandbox_operations_state CHECK (state IN ('done', 'refused', 'forestalled'))
        )
    """)
    op.execute("CREATE INDEX ix_sandbox_operations_payment_reference ON sandbox_operations (payment_reference)")
