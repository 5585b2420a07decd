from alembic import context

from tools.shop.schema import metadata

# The caller holds the lock and the transaction, and passes its connection.
context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
