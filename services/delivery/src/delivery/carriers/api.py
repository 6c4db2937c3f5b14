"""Where carriers report over HTTP, believed by their signature and no token, and the staff sees what they report."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from chassis.auth import Warehouse
from chassis.db import Transaction
from chassis.edge import SafeRoute, refusals
from chassis.errors import Invalid, NotFound, TooLarge, Unavailable
from chassis.openapi import body_of
from chassis.paging import DEFAULT_LIMIT, Cursor, Limit, Page
from chassis.service import provided
from chassis.signature import NotVerified
from contracts.delivery.carriers import CarrierReportView, ReportState
from contracts.delivery.shipments import Carrier, TrackingNumber
from delivery.shipments.model import InvalidStatusTransition

from .intake import Acknowledgement, Intake
from .model import Patience
from .reports import AlreadyApplied, Filter, one_report, page_of_reports, retry_report
from .wording import CarrierWebhook

webhooks = APIRouter(prefix="/api/v1/carrier-webhooks", tags=["carriers"])
reports = APIRouter(prefix="/api/v1/carrier-reports", tags=["carriers"], route_class=SafeRoute)


@webhooks.post(
    "/{carrier}",
    response_model=Acknowledgement,
    responses={
        202: {"model": Acknowledgement, "description": "Nothing is done about reports of this type."},
        **refusals(Invalid, NotVerified, NotFound, InvalidStatusTransition, TooLarge, Unavailable),
    },
    openapi_extra=body_of(CarrierWebhook),
)
async def hear(
    carrier: Carrier, intake: Annotated[Intake, Depends(provided(Intake))], request: Request, response: Response
) -> Acknowledgement:
    answer = await intake.hear(carrier, request.headers, await request.body())
    response.status_code = 202 if answer.result == "ignored" else 200
    return answer


@reports.get("", response_model=Page[CarrierReportView], response_model_exclude_none=True, responses=refusals(Invalid))
async def list_reports(
    _: Warehouse,
    session: Transaction,
    state: ReportState | None = None,
    carrier: Annotated[Carrier | None, Query()] = None,
    tracking_number: Annotated[TrackingNumber | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> dict[str, Any]:
    return await page_of_reports(session, Filter(state, carrier, tracking_number), cursor, limit)


@reports.get(
    "/{report_id}", response_model=CarrierReportView, response_model_exclude_none=True, responses=refusals(NotFound)
)
async def get_report(report_id: UUID, _: Warehouse, session: Transaction) -> CarrierReportView:
    return await one_report(session, report_id)


@reports.post(
    "/{report_id}/retry",
    response_model=CarrierReportView,
    response_model_exclude_none=True,
    responses=refusals(NotFound, AlreadyApplied),
)
async def retry(
    report_id: UUID, caller: Warehouse, session: Transaction, patience: Annotated[Patience, Depends(provided(Patience))]
) -> CarrierReportView:
    return await retry_report(session, report_id, patience, by=caller.subject)
