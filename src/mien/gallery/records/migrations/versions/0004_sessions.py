"""Liveness sessions: their plan and result, what is kept of frames meanwhile, and seen frames."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SEQ = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TIME = sa.BigInteger


def _ref(target: str) -> sa.Column[int]:
    return sa.Column(
        f"{target}_seq",
        SEQ,
        sa.ForeignKey(f"{target}s.seq", ondelete="CASCADE"),
        nullable=False,
        autoincrement=False,
    )


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "challenges",
        sa.Column("seq", SEQ, primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        _ref("application"),
        sa.Column("token_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("subject", sa.String(64)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("parts", sa.Integer, nullable=False),
        sa.Column("frames", sa.Integer, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("finished_at", TIME),
        sa.Column("result", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_challenges_application_created", "challenges", ["application_seq", "created_at"]
    )
    op.create_table(
        "challenge_parts",
        _ref("challenge"),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("challenge_seq", "number"),
    )
    op.create_table(
        "challenge_digests",
        _ref("application"),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("application_seq", "digest"),
    )
