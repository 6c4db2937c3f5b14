"""Fewer indexes of mails: each is paid for three times per order, and what they find is asked for by people, rarely."""

from alembic import op

revision = "notification_0003"
down_revision = "notification_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE INDEX ix_mails_ended_badly ON mails (state, id) WHERE state IN ('FAILED', 'UNWANTED')")
    op.execute("""
        CREATE INDEX ix_mails_rare ON mails (message, id)
        WHERE message NOT IN ('order_received', 'order_shipped', 'order_delivered')
    """)
    op.execute("DROP INDEX ix_mails_state_id")
    op.execute("DROP INDEX ix_mails_message_id")
