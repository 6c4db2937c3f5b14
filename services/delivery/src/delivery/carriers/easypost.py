"""EasyPost, an aggregator: what it reports of other carriers' parcels, in its own words and under its own signature.

Written after its documentation of webhooks, events and trackers. `X-Hmac-Signature` is a hexadecimal HMAC-SHA256 of the
body under the webhook's secret, in Unicode's form NFKD. No time and no address is signed with it: whoever has seen a
request could send it again. Three things stand against that: the event's id is in the signed body, and is kept longer
than any event is believed; an event that is older by its own word than `oldest` is not believed; and what has had its
effect on a parcel has none a second time.
"""

import hashlib
import hmac
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from chassis.body import parse
from chassis.errors import NotFound
from chassis.signature import TOLERANCE, NotVerified
from contracts.delivery.shipments import Carrier, ProofOfDelivery, ShipmentStatus, TrackingNumber
from contracts.text import Text
from delivery.shipments.following import Kind, ParcelNews

from .carrier import Reported, Webhook
from .wording import Moment, not_understood

_UPDATED: Final = "tracker.updated"
_PREFIX: Final = "hmac-sha256-hex="
_LONGEST_LINE: Final = 200

MEANING: Final[Mapping[str, Kind]] = {
    "delivered": ShipmentStatus.DELIVERED,
    "return_to_sender": ShipmentStatus.RETURNED,
    # It could not be delivered, and nobody says more. It may still be found, or come back.
    "failure": ShipmentStatus.LOST,
}
"""The others (pre_transit, in_transit, out_for_delivery, available_for_pickup, unknown, …) change nothing for us."""


class NotTheirs(NotFound):
    """This carrier reports for itself."""

    def __init__(self) -> None:
        super().__init__("There is no parcel of this carrier with this tracking number.")


def _in_utc(given: Any) -> Any:
    """Where a carrier does not say where it was, its time is in UTC."""
    try:
        at = datetime.fromisoformat(given)
    except (TypeError, ValueError):
        return given
    return at if at.tzinfo else at.replace(tzinfo=UTC)


At = Annotated[Moment, BeforeValidator(_in_utc)]
EventId = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$")]


class _Theirs(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Place(_Theirs):
    city: Text | None = None
    state: Text | None = None
    zip: Text | None = None
    country: Text | None = None

    @property
    def line(self) -> str | None:
        parts = (self.city, self.state, self.zip, self.country)
        return _line(", ".join(part.strip() for part in parts if part and part.strip()))


class _Detail(_Theirs):
    status: Text | None = None
    message: Text | None = None
    datetime: At | None = None
    tracking_location: _Place | None = None


class _Tracker(_Theirs):
    tracking_code: TrackingNumber
    carrier: Carrier
    status: Text
    signed_by: Text | None = None
    tracking_details: Annotated[list[_Detail], Field(max_length=200)] = []

    @property
    def latest(self) -> _Detail:
        """What happened last of what the status says; they are told in the order of their times."""
        return next((one for one in reversed(self.tracking_details) if one.status == self.status), _Detail())


class _Event(_Theirs):
    id: EventId
    description: Text
    created_at: At
    result: dict[str, Any]


class EasyPost:
    def __init__(
        self,
        name: str,
        secrets: Sequence[str],
        *,
        carriers: Mapping[str, str],
        speaks_for: Callable[[str], bool],
        oldest: timedelta,
    ) -> None:
        self.name = name
        self._keys = [unicodedata.normalize("NFKD", secret).encode() for secret in secrets]
        self._carriers = carriers
        self._speaks_for = speaks_for
        self._oldest = oldest

    def new_tracking_number(self) -> str | None:
        return None

    def tracking_url(self, tracking_number: str) -> str | None:
        return None

    def hear(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Webhook:
        self._verify(headers.get("x-hmac-signature", ""), body)
        parsed = parse(body)
        try:
            event = _Event.model_validate(parsed)
        except ValidationError as error:
            raise not_understood(error) from None
        if not now - self._oldest <= event.created_at <= now + TOLERANCE:
            raise NotVerified
        return Webhook(event.id, event.description, self._read(event))

    def _verify(self, signature: str, body: bytes) -> None:
        given = signature.strip().lower().removeprefix(_PREFIX).encode()
        expected = [hmac.new(key, body, hashlib.sha256).hexdigest().encode() for key in self._keys]
        matches = [hmac.compare_digest(mac, given) for mac in expected]
        if not any(matches):
            raise NotVerified

    def _read(self, event: _Event) -> Reported | None:
        # Whatever it is: what has no meaning for us need not be well-formed either.
        if event.description != _UPDATED or str(event.result.get("status")) not in MEANING:
            return None
        try:
            tracker = _Tracker.model_validate(event.result)
        except ValidationError as error:
            raise not_understood(error, "result") from None
        carrier = self._carriers.get(tracker.carrier, tracker.carrier)
        if not self._speaks_for(carrier):
            raise NotTheirs
        return Reported(carrier, tracker.tracking_code, _news(tracker))


def _news(tracker: _Tracker) -> ParcelNews:
    kind, latest = MEANING[tracker.status], tracker.latest
    is_delivered = kind == ShipmentStatus.DELIVERED
    signed_by = (tracker.signed_by or "").strip()
    return ParcelNews(
        kind=kind,
        at=latest.datetime,
        location=latest.tracking_location.line if latest.tracking_location else None,
        proof=ProofOfDelivery(note=f"Signed by {signed_by}"[:1000]) if is_delivered and signed_by else None,
        reason=None if is_delivered else _line(latest.message or tracker.status),
    )


def _line(words: str) -> str | None:
    return words.strip()[:_LONGEST_LINE].strip() or None
