"""What Delivery can be told from outside."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.settings import ServiceSettings
from contracts.delivery import Carrier

Positive = Annotated[timedelta, Field(gt=timedelta(0))]
NotNegative = Annotated[timedelta, Field(ge=timedelta(0))]


class DeliverySettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="DELIVERY_", frozen=True, extra="ignore")

    product_url: str
    product_timeout: Positive = timedelta(seconds=3)
    carrier_secret: SecretStr
    """What carriers sign with, `whsec_…`; two of them, with a space between, while one replaces the other."""
    house_carrier: Carrier = "OrderFlow Express"
    """Who carries what is dispatched without naming a carrier."""
    dispatch_lease: Positive = timedelta(seconds=20)
    """Longer than any dispatch takes: what is not finished by then has died, and a job takes it up."""
    autopilot: bool = False
    """Dispatches and delivers without people, for demonstrations and load tests."""
    dispatch_after: NotNegative = timedelta(seconds=2)
    deliver_after: NotNegative = timedelta(seconds=3)
    autopilot_batch: Annotated[int, Field(ge=1, le=500)] = 200
