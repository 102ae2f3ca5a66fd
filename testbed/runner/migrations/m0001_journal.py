"""Facts, leases and a mark of the version: the first journal."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables of the first journal."""
    op.create_table(
        "meta",
        sa.Column("key", sa.String(32), primary_key=True),
        sa.Column("value", sa.String(200), nullable=False),
    )
    op.create_table(
        "events",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("campaign", sa.String(200), nullable=False),
        sa.Column("at_ns", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_campaign", "events", ["campaign"])
    op.create_table(
        "leases",
        sa.Column("lab", sa.String(64), primary_key=True),
        sa.Column("holder", sa.String(200), nullable=False),
        sa.Column("token", sa.String(64), nullable=False),
        sa.Column("heartbeat_ns", sa.BigInteger, nullable=False),
        sa.Column("ttl_ns", sa.BigInteger, nullable=False),
    )
    op.execute("INSERT INTO meta (key, value) VALUES ('schema', '1')")
