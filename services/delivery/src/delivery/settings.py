"""What Delivery can be told from outside."""

from datetime import timedelta
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator
from pydantic_settings import SettingsConfigDict

from chassis.settings import ServiceSettings
from chassis.signature import read_keys
from contracts.delivery.shipments import Carrier

Positive = Annotated[timedelta, Field(gt=timedelta(0))]
NotNegative = Annotated[timedelta, Field(ge=timedelta(0))]

_PLACE: Final = "{tracking_number}"


def _signs(secret: SecretStr) -> SecretStr:
    read_keys(secret.get_secret_value())
    return secret


def _has_the_place(link: str) -> str:
    if link.count(_PLACE) != 1 or "{" in link.replace(_PLACE, ""):
        raise ValueError(f"must hold {_PLACE} once, and no other braces")
    return link


SigningSecret = Annotated[SecretStr, AfterValidator(_signs)]
"""`whsec_…`; two of them, with a space between, while one replaces the other."""
Link = Annotated[str, StringConstraints(pattern=r"^https?://[!-~]{1,400}$"), AfterValidator(_has_the_place)]
"""Where a parcel is followed, with `{tracking_number}` where its number stands."""


class EasyPostSettings(BaseModel):
    """An aggregator that reports for carriers who do not report to us themselves."""

    model_config = ConfigDict(frozen=True)

    secret: SecretStr | None = None
    """Without it nothing is believed; two of them, with a space between, while one replaces the other."""
    carriers: dict[str, Carrier] = {}
    """What we call a carrier that it calls otherwise."""
    oldest: Positive = timedelta(days=3)
    """It signs no time, so an event that is older than this, by its own word, is not believed any more."""


class ReportSettings(BaseModel):
    """How long and how often reports are tried that cannot have their effect yet."""

    model_config = ConfigDict(frozen=True)

    first_retry: Positive = timedelta(seconds=1)
    longest_retry: Positive = timedelta(minutes=10)
    tried_for: Positive = timedelta(days=3)
    """A parcel that is dispatched later than that after its report has to be delivered by hand."""
    told_after: NotNegative = timedelta(seconds=5)
    """When operations are told of a parcel that is not known: a dispatch that is under way may make it known."""
    kept: Positive = timedelta(days=90)

    @model_validator(mode="after")
    def _outlasts(self) -> Self:
        if not self.told_after < self.tried_for < self.kept:
            raise ValueError("told_after, tried_for and kept must be longer in this order")
        return self


class CarrierSettings(BaseModel):
    model_config = ConfigDict(frozen=True)

    house: Carrier = "OrderFlow Express"
    """Who carries what is dispatched without naming a carrier."""
    simulator: Carrier = "Simulator"
    """Who is played by `orderflow carrier simulate`."""
    secrets: dict[Carrier, SigningSecret] = {}
    """What carriers sign with that have a secret of their own: the common one is not theirs any more."""
    links: dict[Carrier, Link] = {}
    easypost: EasyPostSettings = EasyPostSettings()
    reports: ReportSettings = ReportSettings()

    @model_validator(mode="after")
    def _knows_what_came_before(self) -> Self:
        if self.reports.kept <= self.easypost.oldest:
            raise ValueError("reports.kept must be longer than easypost.oldest")
        return self


class DispatchingSettings(BaseModel):
    model_config = ConfigDict(frozen=True)

    product_timeout: Positive = timedelta(seconds=3)
    lease: Positive = timedelta(seconds=20)
    """Longer than any dispatch takes: what is not finished by then has died, and a job takes it up."""
    autopilot_batch: Annotated[int, Field(ge=1, le=500)] = 100

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.lease <= self.product_timeout:
            raise ValueError("lease must be longer than product_timeout")
        return self


class DeliverySettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="DELIVERY_", env_nested_delimiter="__", frozen=True, extra="ignore")

    product_url: str
    carrier_secret: SigningSecret
    """What all carriers sign with that have no secret of their own."""
    carriers: CarrierSettings = CarrierSettings()
    dispatching: DispatchingSettings = DispatchingSettings()
    autopilot: bool = False
    """Dispatches and delivers without people, for demonstrations and load tests."""
    dispatch_after: NotNegative = timedelta(seconds=2)
    deliver_after: NotNegative = timedelta(seconds=3)
