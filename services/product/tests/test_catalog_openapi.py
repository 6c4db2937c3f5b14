"""What the OpenAPI document promises of the catalogue is kept, whatever an admin sends."""

from chassis.broker import InProcessBroker
from product.app import build
from product.seed import seed
from services.product.tests.factories import as_person, settings
from tests.harness.openapi import answers

OURS = {"categories", "catalogue"}


async def test_whatever_is_sent_the_answer_is_a_documented_one(url: str) -> None:
    service = build(settings(url), InProcessBroker())
    async with service.database.begin() as session:
        await seed(session)

    statuses = await answers(
        service.app(),
        headers=lambda _: as_person("admin"),
        examples=30,
        wanted=lambda operation: bool(OURS & set(operation.definition.raw.get("tags", ()))),
    )

    assert {200, 201, 400, 404} <= statuses
    await service.database.close()
