"""What admins see of who changed what, in whichever service it was."""

from datetime import datetime
from typing import Any
from uuid import UUID

from .text import View


class AuditEntry(View):
    """One change: `action` is "entity.verb"; `before` and `after` hold what is different."""

    id: UUID
    at: datetime
    actor: str
    action: str
    entity_type: str
    entity_id: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    trace_id: str | None = None
