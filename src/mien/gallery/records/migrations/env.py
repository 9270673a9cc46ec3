"""Alembic's entry: runs migrations in the transaction that :mod:`migrate` has begun."""

from alembic import context

from mien.gallery.records.migrate import VERSION_TABLE
from mien.gallery.records.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
context.run_migrations()
