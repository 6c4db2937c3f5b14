"""The tables of the floor: those of orderflow that an order writes to, and of them what it writes."""

_OUTBOX = """
    CREATE TABLE outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event_id uuid NOT NULL, event_type text NOT NULL,
        exchange text NOT NULL, mandatory bool NOT NULL, body text NOT NULL, traceparent text,
        created_at timestamptz NOT NULL DEFAULT now(), sent_at timestamptz
    );
    CREATE INDEX ix_outbox_waiting ON outbox (id) WHERE sent_at IS NULL;
"""
_INBOX = """
    CREATE TABLE inbox (
        event_id text PRIMARY KEY, event_type text NOT NULL, handled_at timestamptz NOT NULL DEFAULT now()
    );
"""
_SALES = """
    CREATE TABLE attempts (
        id uuid PRIMARY KEY, customer_id text NOT NULL, request_hash bytea NOT NULL, state text NOT NULL,
        lease_until timestamptz NOT NULL, order_id uuid, answer_status int, answer text
    ) WITH (fillfactor = 80);
    CREATE TABLE orders (
        id uuid PRIMARY KEY, customer_id text NOT NULL, status text NOT NULL, reservation_id uuid NOT NULL,
        subtotal bigint NOT NULL, shipping_cost bigint NOT NULL, total bigint NOT NULL, currency text NOT NULL,
        shipping_address jsonb NOT NULL, tracking_number text, carrier text, created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL, shipped_at timestamptz, delivered_at timestamptz, delivery_location text
    ) WITH (fillfactor = 80);
    CREATE INDEX ix_orders_customer_id_id ON orders (customer_id, id);
    CREATE TABLE order_items (
        order_id uuid, line int, product_id text NOT NULL, name text NOT NULL, quantity int NOT NULL,
        unit_price bigint NOT NULL, PRIMARY KEY (order_id, line)
    );
    CREATE TABLE order_history (
        order_id uuid, id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL, kind text NOT NULL,
        from_status text, to_status text NOT NULL, actor text NOT NULL, event_id text, PRIMARY KEY (order_id, id)
    );
"""
_PRODUCT = """
    CREATE TABLE products (id text PRIMARY KEY, name text NOT NULL, price bigint NOT NULL, currency text NOT NULL);
    CREATE TABLE stock (
        product_id text PRIMARY KEY REFERENCES products, on_hand bigint NOT NULL, reserved bigint NOT NULL DEFAULT 0,
        CHECK (0 <= reserved AND reserved <= on_hand)
    ) WITH (fillfactor = 80);
    CREATE TABLE reservations (
        id uuid PRIMARY KEY, state text NOT NULL, answer jsonb NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(), settled_at timestamptz
    ) WITH (fillfactor = 80);
    CREATE TABLE reservation_lines (
        reservation_id uuid, line int, product_id text NOT NULL, quantity int NOT NULL,
        PRIMARY KEY (reservation_id, line)
    );
    CREATE TABLE stock_movements (
        product_id text, id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL DEFAULT now(),
        kind text NOT NULL, on_hand_change bigint NOT NULL, reserved_change bigint NOT NULL, cause uuid NOT NULL,
        actor text NOT NULL, PRIMARY KEY (product_id, id)
    );
"""
_DELIVERY = """
    CREATE TABLE shipments (
        id uuid PRIMARY KEY, order_id uuid NOT NULL UNIQUE, reservation_id uuid NOT NULL, status text NOT NULL,
        items jsonb NOT NULL, shipping_address jsonb NOT NULL, created_at timestamptz NOT NULL,
        traceparent text NOT NULL, carrier text, tracking_number text, dispatching_until timestamptz,
        shipped_at timestamptz, delivered_at timestamptz, delivery_location text
    ) WITH (fillfactor = 80);
    CREATE INDEX ix_shipments_status_id ON shipments (status, id);
"""
_NOTIFICATION = """
    CREATE TABLE mails (
        id uuid PRIMARY KEY, event_id text NOT NULL, message text NOT NULL, recipient text NOT NULL,
        about jsonb NOT NULL, at timestamptz NOT NULL, state text NOT NULL DEFAULT 'QUEUED', UNIQUE (event_id, message)
    );
"""

OF = {
    "sales": _SALES + _INBOX + _OUTBOX,
    "product": _PRODUCT + _OUTBOX,
    "delivery": _DELIVERY + _INBOX + _OUTBOX,
    "notification": _NOTIFICATION + _INBOX,
}
