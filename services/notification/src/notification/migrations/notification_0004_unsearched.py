"""No statistics of what nothing searches: of the widest columns they take longest to make."""

from alembic import op

revision = "notification_0004"
down_revision = "notification_0003"
branch_labels = None
depends_on = None

UNSEARCHED = {
    "mails": ("about", "traceparent"),
    "back_in_stock_arrivals": ("traceparent",),
}


def upgrade() -> None:
    for table, columns in UNSEARCHED.items():
        op.execute(f"ALTER TABLE {table} " + ", ".join(f"ALTER {column} SET STATISTICS 0" for column in columns))
