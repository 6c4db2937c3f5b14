"""Runs the migrations of the chassis and of the service on the connection that it is given."""

from alembic import context

config = context.config
context.configure(
    connection=config.attributes["connection"],
    target_metadata=config.attributes["metadata"],
    transaction_per_migration=False,
)
context.run_migrations()
