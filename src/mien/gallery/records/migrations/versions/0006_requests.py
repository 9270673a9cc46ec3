"""Answers that are kept for requests that come again, and counters of requests."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SEQ = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _application() -> sa.Column[int]:
    return sa.Column(
        "application_seq",
        SEQ,
        sa.ForeignKey("applications.seq", ondelete="CASCADE"),
        nullable=False,
        autoincrement=False,
    )


def upgrade() -> None:
    """Add both tables."""
    op.create_table(
        "repeats",
        _application(),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("request", sa.LargeBinary(32), nullable=False),
        sa.Column("holder", sa.String(32), nullable=False),
        sa.Column("answer", sa.Text),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("application_seq", "key"),
    )
    op.create_index("ix_repeats_expires", "repeats", ["application_seq", "expires_at"])
    op.create_table(
        "calls",
        _application(),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("application_seq", "day", "kind"),
    )
