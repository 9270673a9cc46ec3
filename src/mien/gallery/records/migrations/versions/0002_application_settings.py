"""Settings of an application."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Every application gets settings, without any."""
    column = sa.Column("settings", sa.Text, nullable=False, server_default="{}")
    op.add_column("applications", column)
