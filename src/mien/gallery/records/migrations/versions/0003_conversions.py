"""Templates that wait for their group's move to another embedding contract."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SEQ = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the table of conversions."""
    op.create_table(
        "conversions",
        sa.Column(
            "face_seq",
            SEQ,
            sa.ForeignKey("faces.seq", ondelete="CASCADE"),
            nullable=False,
            autoincrement=False,
        ),
        sa.Column("contract_seq", SEQ, sa.ForeignKey("contracts.seq"), nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.Column("norm", sa.Float(53)),
        sa.PrimaryKeyConstraint("face_seq", "contract_seq"),
    )
