"""Who changed what, before and after, when: written in the change's own transaction, so that neither stands alone."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic_core import to_jsonable_python
from sqlalchemy import Index, Text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from .ids import uuid7
from .pending import PendingRows
from .statements import ID, INSTANT, TEXT
from .steps import step
from .tables import ChassisTable
from .telemetry import current_trace_id

_JSON = JSONB(none_as_null=True)


class AuditRow(ChassisTable):
    __tablename__ = "audit_log"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    actor: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(Text)
    entity_type: Mapped[str] = mapped_column(Text)
    entity_id: Mapped[str] = mapped_column(Text)
    before: Mapped[dict[str, Any] | None] = mapped_column(_JSON)
    after: Mapped[dict[str, Any] | None] = mapped_column(_JSON)
    trace_id: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        Index("ix_audit_log_entity_id_id", "entity_id", "id"),
        Index("ix_audit_log_entity_type_id", "entity_type", "id"),
        Index("ix_audit_log_actor_id", "actor", "id"),
    )


_pending = PendingRows(
    "audit_log",
    id=ID,
    at=INSTANT,
    actor=TEXT,
    action=TEXT,
    entity_type=TEXT,
    entity_id=TEXT,
    before=_JSON,
    after=_JSON,
    trace_id=TEXT,
)


@step("AuditLog", "logAuditEvent")
def record(
    session: AsyncSession,
    actor: str,
    action: str,
    entity_id: object,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """`action` is "entity.verb", such as "shipment.dispatched"."""
    put_on_record(session, actor, action, entity_id, before=before, after=after)


def put_on_record(
    session: AsyncSession,
    actor: str,
    action: str,
    entity_id: object,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """As `record`, for what is a step of a design under a name of its own."""
    _pending.add(
        session,
        # In this order: no id is older than its time.
        at=datetime.now(UTC),
        id=uuid7(),
        actor=actor,
        action=action,
        entity_type=action.partition(".")[0],
        entity_id=str(entity_id),
        before=to_jsonable_python(before),
        after=to_jsonable_python(after),
        trace_id=current_trace_id() or None,
    )
