"""The tables of the journal database, as a new one is made.

An older database gets there by the steps in `migrations`; a test holds that both ways
lead to the same tables.
"""

import sqlalchemy as sa

REVISION = "0002"  # the last step in `migrations`
SCHEMA = 2  # what versions before the steps look at; they refuse what is newer

metadata = sa.MetaData()

# Read by versions that know no steps; nothing else looks at it any more.
meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", sa.String(32), primary_key=True),
    sa.Column("value", sa.String(200), nullable=False),
)

# One row per fact. Rows are inserted, and never changed or taken away.
events = sa.Table(
    "events",
    metadata,
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
    sa.Index("ix_events_campaign_seq", "campaign", "seq"),
    sqlite_autoincrement=True,
)

# Who operates a lab now. `proof` says which run of the server holds the lock that goes
# with a lease (leases.py); it is empty where the database is a file.
leases = sa.Table(
    "leases",
    metadata,
    sa.Column("lab", sa.String(200), primary_key=True),
    sa.Column("holder", sa.String(200), nullable=False),
    sa.Column("token", sa.String(64), nullable=False),
    sa.Column("heartbeat_ns", sa.BigInteger, nullable=False),
    sa.Column("ttl_ns", sa.BigInteger, nullable=False),
    sa.Column("proof", sa.String(64), nullable=False, server_default=""),
)

# Where alembic keeps which step was the last one.
version = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), primary_key=True),
)
