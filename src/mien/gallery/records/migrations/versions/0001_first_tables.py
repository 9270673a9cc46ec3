"""Applications, keys, groups, persons, faces."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SEQ = sa.BigInteger().with_variant(sa.Integer, "sqlite")
NAME = sa.String(255).with_variant(sa.String(255, collation="C"), "postgresql")


def _ref(target: str, *, index: bool = False) -> sa.Column[int]:
    return sa.Column(
        f"{target}_seq",
        SEQ,
        sa.ForeignKey(f"{target}s.seq", ondelete="CASCADE"),
        nullable=False,
        index=index,
    )


def upgrade() -> None:
    """Make all tables of the first schema."""
    _access_tables()
    _group_tables()
    _face_tables()


def _access_tables() -> None:
    op.create_table(
        "applications",
        sa.Column("seq", SEQ, primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("name", NAME, nullable=False, unique=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "api_keys",
        sa.Column("seq", SEQ, primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        _ref("application", index=True),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("scopes", sa.String(1024), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("revoked_at", sa.BigInteger),
        sa.Column("last_used_at", sa.BigInteger),
        sqlite_autoincrement=True,
    )


def _group_tables() -> None:
    op.create_table(
        "contracts",
        sa.Column("seq", SEQ, primary_key=True),
        sa.Column("model", sa.String(255), nullable=False),
        sa.Column("source_sha256", sa.String(64), nullable=False),
        sa.Column("preprocessing", sa.Integer, nullable=False),
        sa.Column("dim", sa.Integer, nullable=False),
        sa.UniqueConstraint("model", "source_sha256", "preprocessing", "dim"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "groups",
        sa.Column("seq", SEQ, primary_key=True),
        _ref("application"),
        sa.Column("name", NAME, nullable=False),
        sa.Column("contract_seq", SEQ, sa.ForeignKey("contracts.seq"), nullable=False),
        sa.Column("metric", sa.String(32), nullable=False),
        sa.Column("scoring", sa.String(32), nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("changes_from", sa.BigInteger, nullable=False),
        sa.Column("persons", sa.BigInteger, nullable=False),
        sa.Column("faces", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("application_seq", "name"),
        sqlite_autoincrement=True,
    )


def _face_tables() -> None:
    op.create_table(
        "persons",
        sa.Column("seq", SEQ, primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        _ref("application", index=True),
        sa.Column("anonymous", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "members",
        _ref("group"),
        _ref("person", index=True),
        sa.Column("name", NAME, nullable=False),
        sa.PrimaryKeyConstraint("group_seq", "person_seq"),
        sa.UniqueConstraint("group_seq", "name"),
    )
    op.create_table(
        "faces",
        sa.Column("seq", SEQ, primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        _ref("person"),
        sa.Column("contract_seq", SEQ, sa.ForeignKey("contracts.seq"), nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.Column("norm", sa.Float(53)),
        sa.Column("source_sha256", sa.String(64)),
        *(sa.Column(edge, sa.Float(53)) for edge in ("x0", "y0", "x1", "y1")),
        sa.Column("source_key", sa.String(160)),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("person_seq", "contract_seq", "source_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "changes",
        _ref("group"),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("person_seq", sa.BigInteger, nullable=False),
        sa.Column("face_seq", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("group_seq", "version"),
    )
