"""Settings, keys, images, consent, audit, jobs, undo."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SEQ = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TIME = sa.BigInteger


def _ref(
    target: str, *, index: bool = False, nullable: bool = False, primary_key: bool = False
) -> sa.Column[int]:
    return sa.Column(
        f"{target}_seq",
        SEQ,
        sa.ForeignKey(f"{target}s.seq", ondelete="CASCADE"),
        nullable=nullable,
        index=index,
        primary_key=primary_key,
        autoincrement=False,
    )


def upgrade() -> None:
    """Add columns to the first tables, and the tables of the vault."""
    _columns()
    _keys()
    _images()
    _consents()
    _audit()
    _jobs()
    _undo()
    op.create_table(
        "meta",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )


def _columns() -> None:
    for table in ("applications", "groups"):
        op.add_column(table, sa.Column("settings", sa.Text, nullable=False, server_default="{}"))
    for table in ("groups", "persons", "faces"):
        op.add_column(table, sa.Column("user_data", sa.Text))
    op.add_column("persons", sa.Column("external_id", sa.String(255)))
    op.add_column("persons", sa.Column("last_seen_at", TIME))
    op.create_index(
        "ix_persons_external", "persons", ["application_seq", "external_id"], unique=True
    )
    op.add_column("faces", sa.Column("external_image_id", sa.String(255)))
    op.add_column("faces", sa.Column("quality", sa.Float(53)))
    op.create_index("ix_faces_external_image_id", "faces", ["external_image_id"])


def _keys() -> None:
    op.create_table(
        "application_keys",
        _ref("application"),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        sa.Column("kek_id", sa.String(64), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("retired_at", TIME),
        sa.PrimaryKeyConstraint("application_seq", "version"),
    )
    op.create_table(
        "application_secrets",
        _ref("application"),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        sa.Column("kek_id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("application_seq", "name"),
    )
    op.create_table(
        "person_keys",
        _ref("person", primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
    )


def _images() -> None:
    op.create_table(
        "face_images",
        _ref("face"),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("media_type", sa.String(64), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("face_seq", "kind"),
    )


def _consents() -> None:
    op.create_table(
        "consents",
        sa.Column("seq", SEQ, primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        _ref("application", index=True),
        _ref("person", index=True),
        _ref("group", index=True, nullable=True),
        sa.Column("purpose", sa.String(255), nullable=False),
        sa.Column("text_version", sa.String(64), nullable=False),
        sa.Column("language", sa.String(35), nullable=False),
        sa.Column("evidence", sa.Text),
        sa.Column("given_at", TIME, nullable=False),
        sa.Column("expires_at", TIME),
        sa.Column("withdrawn_at", TIME),
        sqlite_autoincrement=True,
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", SEQ, primary_key=True),
        sa.Column("application_seq", sa.BigInteger, index=True),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("prev", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sqlite_autoincrement=True,
    )
    if op.get_bind().dialect.name == "sqlite":
        for what in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_refuses_{what.lower()} BEFORE {what} ON audit BEGIN "
                "SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_refuses_changes BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()"
    )


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("seq", SEQ, primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        _ref("application", index=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("options", sa.Text, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("done", sa.BigInteger, nullable=False),
        sa.Column("rejected", sa.BigInteger, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("started_at", TIME),
        sa.Column("finished_at", TIME),
        sa.Column("error", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "job_items",
        _ref("job"),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64)),
        sa.Column("person", sa.String(255)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reasons", sa.Text, nullable=False),
        sa.Column("face_id", sa.String(32)),
        sa.PrimaryKeyConstraint("job_seq", "number"),
    )


def _undo() -> None:
    op.create_table(
        "undo",
        sa.Column("seq", SEQ, primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        _ref("application", index=True),
        _ref("group", index=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("inverse", sa.Text, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("undone_at", TIME),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "undo_persons",
        sa.Column("undo_seq", SEQ, sa.ForeignKey("undo.seq", ondelete="CASCADE"), nullable=False),
        sa.Column("person_id", sa.String(32), nullable=False, index=True),
        sa.PrimaryKeyConstraint("undo_seq", "person_id"),
    )
