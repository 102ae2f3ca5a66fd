"""What a database server needs: facts of one campaign in order, leases with a proof."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Index facts by campaign and place; let leases be longer, and have a proof."""
    op.create_index("ix_events_campaign_seq", "events", ["campaign", "seq"])
    op.drop_index("ix_events_campaign", "events")
    with op.batch_alter_table("leases") as batch:
        batch.alter_column(
            "lab", existing_type=sa.String(64), type_=sa.String(200), nullable=False
        )
        batch.add_column(
            sa.Column("proof", sa.String(64), nullable=False, server_default="")
        )
    op.execute("UPDATE meta SET value = '2' WHERE key = 'schema'")
