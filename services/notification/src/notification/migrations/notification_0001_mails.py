"""Mails."""

from alembic import op

revision = "notification_0001"
down_revision = None
branch_labels = ("notification",)
depends_on = None

# A young table that each mail changes two or three times: analysed early, vacuumed early, with room for new versions.
EAGER = "fillfactor = 80, autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.02"


def upgrade() -> None:
    op.execute(f"""
        CREATE TABLE mails (
            id uuid NOT NULL,
            event_id text NOT NULL,
            message text NOT NULL,
            recipient text NOT NULL,
            about jsonb NOT NULL,
            at timestamptz NOT NULL,
            written_at timestamptz NOT NULL DEFAULT now(),
            traceparent text,
            state text NOT NULL DEFAULT 'QUEUED',
            tries integer NOT NULL DEFAULT 0,
            next_try_at timestamptz NOT NULL DEFAULT now(),
            queued_at timestamptz NOT NULL DEFAULT now(),
            behind boolean NOT NULL DEFAULT false,
            leased_until timestamptz,
            begun integer NOT NULL DEFAULT 0,
            last_error text,
            ended_at timestamptz,
            CONSTRAINT pk_mails PRIMARY KEY (id),
            CONSTRAINT uq_mails_event_id_message_recipient UNIQUE (event_id, message, recipient),
            CONSTRAINT ck_mails_state CHECK (state IN ('QUEUED', 'SENT', 'FAILED', 'UNWANTED')),
            CONSTRAINT ck_mails_ended CHECK ((state = 'QUEUED') = (ended_at IS NULL)),
            CONSTRAINT ck_mails_leased CHECK (leased_until IS NULL OR state = 'QUEUED'),
            CONSTRAINT ck_mails_explained CHECK (state IN ('QUEUED', 'SENT') OR last_error IS NOT NULL)
        ) WITH ({EAGER})
    """)
    op.execute("CREATE INDEX ix_mails_due ON mails (next_try_at, id) WHERE state = 'QUEUED' AND NOT behind")
    op.execute("CREATE INDEX ix_mails_in_order ON mails (recipient, at, id) WHERE state = 'QUEUED'")
    op.execute("CREATE INDEX ix_mails_state_id ON mails (state, id)")
    op.execute("CREATE INDEX ix_mails_message_id ON mails (message, id)")
    op.execute("CREATE INDEX ix_mails_recipient_id ON mails (recipient, id)")
    op.execute("CREATE INDEX ix_mails_over ON mails (ended_at) WHERE state IN ('SENT', 'UNWANTED')")
