"""What a checkout was for, beside its attempt; and the orders that wait for their money."""

from alembic import op

revision = "sales_0007"
down_revision = "sales_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE attempts ADD COLUMN wanted jsonb")
    op.execute("CREATE INDEX ix_orders_pending ON orders (id) WHERE status = 'PENDING'")
