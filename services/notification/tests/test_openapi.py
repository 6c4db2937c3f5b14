"""What the OpenAPI document promises is kept, whatever is sent: no request gets a 500 or an undocumented answer."""

from tests.harness.openapi import answers

from .factories import PostOffice, bearer
from .factories_messages import ADA, registered, told


def headers(path: str) -> dict[str, str]:
    return bearer("admin") if "/mails" in path or "/audit" in path else bearer("customer", ADA)


async def test_whatever_is_sent_the_answer_is_a_documented_one(office: PostOffice) -> None:
    await office.hear(told(registered()))

    statuses = await answers(office.service.app(), headers=headers, examples=15)

    assert {200, 204, 400, 404} <= statuses
