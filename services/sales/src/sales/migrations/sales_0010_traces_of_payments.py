"""What is asked of the gateway knows in which trace it was asked for, so that a job goes on there."""

from alembic import op

revision = "sales_0010"
down_revision = "sales_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE payment_operations ADD COLUMN traceparent text")
