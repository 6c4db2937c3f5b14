"""Stripe's objects, as far as we read them: what does not fit is no answer, whatever its status says."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from .gateway import Reason, Unanswered

M = TypeVar("M", bound=BaseModel)
Id = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,10}_[A-Za-z0-9_]{1,200}$")]
Amount = Annotated[int, Field(strict=True, ge=0, le=10**13)]
Currency = Annotated[str, StringConstraints(pattern=r"^[a-z]{3}$")]


class _Object(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    id: Id
    amount: Amount
    currency: Currency
    status: str | None
    metadata: dict[str, str] = Field(default_factory=dict)

    @property
    def operation(self) -> UUID | None:
        return _uuid(self.metadata.get("operation"))

    @property
    def payment_id(self) -> UUID | None:
        return _uuid(self.metadata.get("payment_id"))


class Intent(_Object):
    object: Literal["payment_intent"]
    amount_capturable: Amount = 0
    amount_received: Amount = 0
    last_payment_error: dict[str, Any] | None = None

    @property
    def was_forestalled(self) -> bool:
        return "forestalled" in self.metadata


class Refund(_Object):
    object: Literal["refund"]
    payment_intent: Id | None = None


class Listed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    data: list[dict[str, Any]] = Field(max_length=100)
    has_more: bool = False


def understood(model: type[M], said: Any) -> M:
    try:
        return model.model_validate(said)
    except ValidationError:
        raise Unanswered("not understood") from None


def why(error: Mapping[str, Any] | None) -> Reason:
    """Stripe's reasons in our words; its messages go nowhere, as they may name a card or a customer."""
    codes = {str(error.get(name)) for name in ("code", "decline_code")} if error else set()
    if "insufficient_funds" in codes:
        return Reason.INSUFFICIENT_FUNDS
    if codes & {"authentication_required", "payment_intent_authentication_failure"}:
        return Reason.NEEDS_CUSTOMER
    return Reason.DECLINED if error and error.get("type") == "card_error" else Reason.REJECTED


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
