"""A line of the ledger for what left long ago; and room where rows change."""

from alembic import op

revision = "product_0004"
down_revision = "product_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE stock_movements DROP CONSTRAINT ck_stock_movements_kind")
    # Not valid first and validated then: only the second reads the table, and it lets others write meanwhile.
    op.execute("""
        ALTER TABLE stock_movements ADD CONSTRAINT ck_stock_movements_kind CHECK (
            CASE kind
                WHEN 'received' THEN on_hand_change > 0 AND reserved_change = 0
                WHEN 'reserved' THEN on_hand_change = 0 AND reserved_change > 0
                WHEN 'released' THEN on_hand_change = 0 AND reserved_change < 0
                WHEN 'deducted' THEN on_hand_change < 0 AND reserved_change = on_hand_change
                WHEN 'corrected' THEN on_hand_change <> 0 AND reserved_change = 0
                WHEN 'folded' THEN on_hand_change <= 0 AND reserved_change = 0
                ELSE false
            END
        ) NOT VALID
    """)
    op.execute("ALTER TABLE stock_movements VALIDATE CONSTRAINT ck_stock_movements_kind")
    # Each is settled once, and those of a page soon after one another: with room for all of them no index has to know.
    op.execute("ALTER TABLE reservations SET (fillfactor = 50)")
