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
from .steps import step
from .tables import ChassisTable
from .telemetry import current_trace_id


class AuditRow(ChassisTable):
    __tablename__ = "audit_log"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    actor: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(Text)
    entity_type: Mapped[str] = mapped_column(Text)
    entity_id: Mapped[str] = mapped_column(Text)
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    trace_id: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (Index("ix_audit_log_entity_type_entity_id", "entity_type", "entity_id"),)


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
    session.add(
        AuditRow(
            at=datetime.now(UTC),
            actor=actor,
            action=action,
            entity_type=action.partition(".")[0],
            entity_id=str(entity_id),
            before=to_jsonable_python(before),
            after=to_jsonable_python(after),
            trace_id=current_trace_id() or None,
        )
    )
