"""What dialects keep: notes about groups and persons, and what passes by itself."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SEQ = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TIME = sa.BigInteger
NAME = sa.String(255).with_variant(sa.String(255, collation="C"), "postgresql")


def upgrade() -> None:
    """Two tables."""
    op.create_table(
        "notes",
        sa.Column("seq", SEQ, primary_key=True),
        _ref("application"),
        sa.Column("space", NAME, nullable=False),
        sa.Column("key", NAME, nullable=False),
        _ref("group", nullable=True),
        _ref("person", nullable=True),
        sa.Column("document", sa.Text, nullable=False),
        sa.UniqueConstraint("application_seq", "space", "key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_notes_group_seq", "notes", ["group_seq"])
    op.create_index("ix_notes_person_seq", "notes", ["person_seq"])
    op.create_table(
        "passing",
        _ref("application"),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("application_seq", "kind", "id"),
    )
    op.create_index("ix_passing_expiry", "passing", ["application_seq", "kind", "expires_at"])


def _ref(target: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(
        f"{target}_seq",
        SEQ,
        sa.ForeignKey(f"{target}s.seq", ondelete="CASCADE"),
        nullable=nullable,
        autoincrement=False,
    )
