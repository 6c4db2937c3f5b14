"""Where carriers report over HTTP: they have no token, their signature is checked instead."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response

from chassis.db import Transaction
from chassis.edge import refusals
from chassis.errors import Invalid, NotFound, TooLarge
from chassis.openapi import body_of
from chassis.service import provided
from chassis.signature import NotVerified, Signed
from contracts.delivery import Carrier
from delivery.shipments.model import InvalidStatusTransition

from .reports import Acknowledgement, CarrierReport
from .webhooks import Webhooks

router = APIRouter(prefix="/api/v1/carrier-webhooks", tags=["carriers"])

FromHeader = Annotated[str, Header()]


def signed(
    webhook_id: FromHeader = "", webhook_timestamp: FromHeader = "", webhook_signature: FromHeader = ""
) -> Signed:
    # Empty and not required: whoever sends none is not verified, and need not be told the names.
    return Signed(webhook_id, webhook_timestamp, webhook_signature)


@router.post(
    "/{carrier}",
    response_model=Acknowledgement,
    responses={
        202: {"model": Acknowledgement, "description": "Nothing is done about reports of this type."},
        **refusals(Invalid, NotVerified, NotFound, InvalidStatusTransition, TooLarge),
    },
    openapi_extra=body_of(CarrierReport),
)
async def hear(
    carrier: Carrier,
    headers: Annotated[Signed, Depends(signed)],
    webhooks: Annotated[Webhooks, Depends(provided(Webhooks))],
    session: Transaction,
    request: Request,
    response: Response,
) -> Acknowledgement:
    answer = await webhooks.hear(session, carrier, headers, await request.body())
    response.status_code = 202 if answer.result == "ignored" else 200
    return answer
