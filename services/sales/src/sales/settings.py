"""What Sales can be told from outside."""

import json
from datetime import UTC, time, timedelta
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import SettingsConfigDict

from chassis.settings import ServiceSettings
from contracts.sales.orders import TIMELINE_KEPT
from contracts.text import Money


def _in_utc(at: time) -> time:
    if at.utcoffset():
        raise ValueError("must be in UTC")
    return at.replace(tzinfo=UTC)


class AccountSettings(BaseModel):
    model_config = ConfigDict(frozen=True)

    login_key: SecretStr
    """A private JWK: people's access tokens are signed with it, and its public half is among the trusted keys."""
    mail_secret: SecretStr
    """Shared with whoever sends mail: the tokens that are mailed are made of it, and so are nowhere stored."""
    access_lives: timedelta = timedelta(minutes=10)
    refresh_lives: timedelta = timedelta(days=30)
    verification_lives: timedelta = timedelta(hours=24)
    reset_lives: timedelta = timedelta(hours=1)


class CartSettings(BaseModel):
    model_config = ConfigDict(frozen=True)

    kept: timedelta = timedelta(days=30)
    """How long a cart that nobody touches stays."""
    guest_kept: timedelta = timedelta(days=7)
    cleanup_at: Annotated[time, AfterValidator(_in_utc)] = time(0, tzinfo=UTC)


Positive = Annotated[timedelta, Field(gt=timedelta(0))]


class PaymentSettings(BaseModel):
    model_config = ConfigDict(frozen=True)

    gateway: Literal["sandbox", "stripe"] = "sandbox"
    capture: Literal["automatic", "manual"] = "automatic"
    """Whether the money is taken as soon as the order stands, or when an admin says so."""
    timeout: Positive = timedelta(seconds=8)
    lease: Positive = timedelta(seconds=20)
    """Longer than any request takes: what has no answer by then is looked up."""
    first_retry: Positive = timedelta(seconds=5)
    longest_retry: Positive = timedelta(hours=1)
    refund_tries: Annotated[int, Field(ge=1, le=100)] = 6
    """After as many refusals a refund is for a person."""
    unpaid_after: Positive = timedelta(days=1)
    """When an order whose money does not come is cancelled."""
    webhook_secret: SecretStr | None = None
    """What the gateway signs its reports with; two, with a space between, while one replaces the other."""
    sandbox_webhook_url: str | None = None
    """Where the sandbox reports to, if it is to report at all."""
    stripe_key: SecretStr | None = None
    stripe_url: str = "https://api.stripe.com"

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.gateway == "stripe" and (self.stripe_key is None or self.webhook_secret is None):
            raise ValueError("Stripe needs stripe_key and webhook_secret")
        if self.lease <= self.timeout:
            raise ValueError("lease must be longer than timeout")
        return self


class ShippingSettings(BaseModel):
    """What sending an order costs, in the order's currency, and where to."""

    model_config = ConfigDict(frozen=True)

    flat: Money = 0
    """For every order."""
    per_kilo: Money = 0
    """For each kilogram that has begun."""
    free_from: Money | None = None
    """Orders whose items come to this are sent for nothing."""
    home_country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "US"
    """Checkout ships nowhere else."""
    returns_within: Positive = timedelta(days=30)
    """How long after its delivery something of an order can be sent back."""


class SalesSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="SALES_", env_nested_delimiter="__", frozen=True, extra="ignore")

    product_url: str
    product_timeout: timedelta = timedelta(seconds=3)
    undo_attempts_after: timedelta = timedelta(seconds=10)
    """How long an attempt that stopped half-way can be taken up again by a retry before its stock is given back."""
    forget_keys_after: Annotated[timedelta, Field(ge=timedelta(days=1))] = timedelta(days=30)
    """Longer than anyone repeats an order; afterwards the key is a new one."""
    history_kept: Annotated[timedelta | None, Field(ge=TIMELINE_KEPT)] = None
    """After an order's end; then it is forgotten by whom it was changed. Unless said, nothing is."""
    accounts: AccountSettings
    carts: CartSettings = CartSettings()
    payments: PaymentSettings = PaymentSettings()
    shipping: ShippingSettings = ShippingSettings()

    @field_validator("accounts")
    @classmethod
    def _log_in_is_believed(cls, accounts: AccountSettings, info: ValidationInfo) -> AccountSettings:
        """Otherwise all would start, and every token be refused."""
        try:
            signing = json.loads(accounts.login_key.get_secret_value())
            trusted = json.loads(info.data.get("trusted_keys", '{"keys": []}'))["keys"]
            is_trusted = any((key["kid"], key["x"]) == (signing["kid"], signing["x"]) for key in trusted)
        except (ValueError, TypeError, LookupError):
            raise ValueError("login_key must be a JWK, and trusted_keys a JWKS") from None
        if not is_trusted and "trusted_keys" in info.data:
            raise ValueError("the public half of login_key must be among trusted_keys")
        return accounts
