"""The audit log is read newest first: of one thing, of one kind of things, of one person."""

from alembic import op

revision = "chassis_0003"
down_revision = "chassis_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DROP INDEX ix_audit_log_entity_type_entity_id")
    op.execute("CREATE INDEX ix_audit_log_entity_id_id ON audit_log (entity_id, id)")
    op.execute("CREATE INDEX ix_audit_log_entity_type_id ON audit_log (entity_type, id)")
    op.execute("CREATE INDEX ix_audit_log_actor_id ON audit_log (actor, id)")
