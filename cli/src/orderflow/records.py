"""What the services have recorded of their steps, read from their databases: of a trace, or of an order."""

from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final
from uuid import UUID

from sqlalchemy import text

from chassis.db import Database
from sequences.observing import Recorded

from . import databases, fleet
from .failure import Failure

_SPANS: Final = text(
    """
    SELECT trace_id, span_id, parent_id, name, participant, action, heard_in, emits, error, started_at, ended_at
    FROM recorded_spans WHERE trace_id = ANY(:traces)
    """
)
# A parcel knows the trace in which its order was placed; whatever is done about it later is on record with its own.
_PARCELS: Final = text("SELECT id, traceparent FROM shipments WHERE order_id = :order_id")
_ON_RECORD: Final = text("SELECT DISTINCT trace_id FROM audit_log WHERE entity_id = ANY(:ids) AND trace_id IS NOT NULL")

NOTHING: Final = (
    "Nothing was recorded of it. The services keep records of their steps for a day, where RECORD_STEPS says of which "
    "share (`orderflow up` keeps all)."
)
NO_STEPS: Final = "Nothing that was done there is a step of a sequence."


async def of_trace(trace_id: str, data: Path) -> list[Recorded]:
    async with AsyncExitStack() as stack:
        return await _spans(await _all(stack, data), {trace_id})


async def of_order(order_id: UUID, data: Path) -> list[Recorded]:
    async with AsyncExitStack() as stack:
        open_databases = await _all(stack, data)
        return await _spans(open_databases, await _traces(open_databases, order_id))


async def _traces(open_databases: Mapping[fleet.Name, Database], order_id: UUID) -> set[str]:
    async with open_databases["delivery"].begin() as session:
        parcels = (await session.execute(_PARCELS, {"order_id": order_id})).all()
    ids = [str(order_id), *(str(parcel.id) for parcel in parcels)]
    traces = {parcel.traceparent[3:35] for parcel in parcels}
    for database in open_databases.values():
        async with database.begin() as session:
            traces |= set(await session.scalars(_ON_RECORD, {"ids": ids}))
    return traces


async def _all(stack: AsyncExitStack, data: Path) -> dict[fleet.Name, Database]:
    return {name: await stack.enter_async_context(databases.reached(name, data)) for name in fleet.NAMES}


async def _spans(open_databases: Mapping[fleet.Name, Database], traces: Iterable[str]) -> list[Recorded]:
    found: list[Recorded] = []
    for name, database in open_databases.items():
        async with database.begin() as session:
            rows = (await session.execute(_SPANS, {"traces": sorted(traces)})).mappings()
            found += [Recorded(service=name, **{**row, "emits": tuple(row["emits"])}) for row in rows]
    if not any(span.participant for span in found):
        raise Failure(NO_STEPS if found else NOTHING)
    return found
