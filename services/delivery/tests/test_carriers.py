"""Who carries for us: numbers are made up only where they are ours, links are configured, secrets belong to one."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from delivery.carriers.book import Carriers
from delivery.settings import CarrierSettings, DeliverySettings, EasyPostSettings, ReportSettings

from .factories import CARRIER_SECRET, TRACKED, Desk, FakeProduct, a_desk, settings
from .test_webhooks import delivered

FEDEX_SECRET = "whsec_ZmVkZXggaGFzIGEgc2VjcmV0IG9mIGl0cyBvd24="
NEXT_SECRET = "whsec_dGhlIG9uZSB0aGF0IGlzIHVzZWQgZnJvbSBub3cgb24="
OWN = CarrierSettings(secrets={"FedEx": SecretStr(FEDEX_SECRET)})


def book(**told: Any) -> Carriers:
    return Carriers(SecretStr(CARRIER_SECRET), CarrierSettings(**told))


@pytest.mark.parametrize("carrier", ["OrderFlow Express", "orderflow express", "Simulator"])
def test_the_house_and_the_simulator_are_given_numbers_that_nobody_can_guess(carrier: str) -> None:
    numbers = {book().tracking_number_for(carrier) for _ in range(1000)}

    assert len(numbers) == 1000
    assert all(number is not None and number.startswith("TRK") and len(number) == 15 for number in numbers)


def test_other_carriers_numbers_are_not_made_up() -> None:
    carriers = book(easypost=EasyPostSettings(secret=SecretStr("x")))

    assert [carriers.tracking_number_for(name) for name in ("FedEx", "easypost", "")] == [None] * 3


def test_a_parcel_is_followed_where_its_carrier_s_link_says() -> None:
    carriers = book(links={"FedEx": "https://fedex.example/track?n={tracking_number}&lang=en"})

    assert carriers.tracking_url("fedex", "TRK-1") == "https://fedex.example/track?n=TRK-1&lang=en"
    assert carriers.tracking_url("UPS", "TRK-1") is None


async def test_a_dispatched_parcel_has_its_link(database_url: str, product: FakeProduct) -> None:
    links = CarrierSettings(links={"FedEx": "https://fedex.example/{tracking_number}"})
    async with a_desk(database_url, product, carriers=links) as desk:
        assert (await desk.shipped())["tracking_url"] == "https://fedex.example/TRK123456789"


@pytest.mark.parametrize(
    "link",
    [
        "https://fedex.example/",
        "https://fedex.example/{tracking_number}/{tracking_number}",
        "https://fedex.example/{tracking_number}/{other}",
        "javascript:alert('{tracking_number}')",
        "https://fedex.example/{tracking_number} x",
    ],
)
def test_a_link_without_a_place_for_the_number_is_an_error_of_the_configuration(link: str) -> None:
    with pytest.raises(ValidationError):
        CarrierSettings(links={"FedEx": link})


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "fedex", f"{CARRIER_SECRET} whsec_"])
def test_a_secret_that_is_none_is_an_error_of_the_configuration_and_is_not_shown(secret: str) -> None:
    with pytest.raises(ValidationError) as error:
        CarrierSettings(secrets={"FedEx": SecretStr(secret)})

    assert CARRIER_SECRET not in str(error.value)


def test_reports_are_kept_longer_than_an_event_is_believed() -> None:
    with pytest.raises(ValidationError, match=r"longer than easypost\.oldest"):
        CarrierSettings(
            easypost=EasyPostSettings(oldest=timedelta(days=9)),
            reports=ReportSettings(kept=timedelta(days=8)),
        )


def test_all_of_it_can_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    known = settings("postgresql+asyncpg://x", FakeProduct()).model_dump(exclude={"carriers", "carrier_secret"})
    for name, value in {
        "DELIVERY_CARRIER_SECRET": f"{CARRIER_SECRET} {NEXT_SECRET}",
        "DELIVERY_CARRIERS__HOUSE": "Our Van",
        "DELIVERY_CARRIERS__SECRETS": f'{{"FedEx": "{FEDEX_SECRET}"}}',
        "DELIVERY_CARRIERS__LINKS": '{"FedEx": "https://fedex.example/{tracking_number}"}',
        "DELIVERY_CARRIERS__EASYPOST__SECRET": "easy",
        "DELIVERY_CARRIERS__REPORTS__TRIED_FOR": "P2D",
    }.items():
        monkeypatch.setenv(name, value)

    told = DeliverySettings(**known)

    carriers = Carriers(told.carrier_secret, told.carriers)
    assert (carriers.house, carriers.of("EasyPost").name) == ("Our Van", "EasyPost")
    assert carriers.tracking_url("FedEx", "T-1") == "https://fedex.example/T-1"
    assert told.carriers.reports.tried_for == timedelta(days=2)
    assert len(DeliverySettings.model_fields) <= 16


async def test_a_carrier_with_a_secret_of_its_own_is_believed_by_that_one_only(
    database_url: str, product: FakeProduct
) -> None:
    async with a_desk(database_url, product, carriers=OWN) as desk:
        await desk.shipped()

        answers = [
            await desk.reports(delivered(), secret=CARRIER_SECRET),
            await desk.reports(delivered(), secret=FEDEX_SECRET, carrier="fedex"),
        ]

        assert [answer.status_code for answer in answers] == [401, 200]


async def test_its_secret_signs_for_no_other_carrier(database_url: str, product: FakeProduct) -> None:
    async with a_desk(database_url, product, carriers=OWN) as desk:
        for carrier in ("UPS", "OrderFlow%20Express", "Simulator"):
            assert (await desk.reports(delivered(), secret=FEDEX_SECRET, carrier=carrier)).status_code == 401


async def test_while_one_secret_replaces_the_other_both_are_believed(database_url: str, product: FakeProduct) -> None:
    both = SecretStr(f"{CARRIER_SECRET} {NEXT_SECRET}")
    async with a_desk(database_url, product, carrier_secret=both) as desk:
        await desk.shipped()

        answers = [await desk.reports(delivered(), secret=each) for each in (CARRIER_SECRET, NEXT_SECRET, FEDEX_SECRET)]

        assert [answer.status_code for answer in answers] == [200, 200, 401]


async def test_staff_names_the_number_of_a_carrier_that_gives_its_own(desk: Desk) -> None:
    ready = await desk.ready()

    refused = await desk.dispatch(ready, {"carrier": "FedEx"})

    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "TRACKING_NUMBER_REQUIRED")
    assert (await desk.dispatch(ready, TRACKED)).status_code == 200
