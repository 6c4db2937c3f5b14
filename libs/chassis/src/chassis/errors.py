"""What can be refused, and why: meaning only. What becomes of it is decided where it leaves (edge, consumer)."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class Refused(Exception):
    """The request (or event) cannot be done, and the caller is told why."""

    code: ClassVar[str] = "REFUSED"

    def __init__(self, message: str, details: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.details = tuple(details)


class Invalid(Refused):
    """What was asked for breaks a rule that the caller can know."""

    code = "VALIDATION_ERROR"


class Unauthenticated(Refused):
    """We do not know who is asking."""

    code = "UNAUTHENTICATED"

    def __init__(
        self, message: str = "A valid access token is needed.", details: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        super().__init__(message, details)


class PaymentRefused(Refused):
    """The payment was not accepted."""

    code = "PAYMENT_FAILED"


class Forbidden(Refused):
    """We know who is asking, and they may not."""

    code = "FORBIDDEN"

    def __init__(
        self, message: str = "Your role does not allow this.", details: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        super().__init__(message, details)


class NotFound(Refused):
    """There is no such thing, or it is somebody else's."""

    code = "NOT_FOUND"


class Conflict(Refused):
    """The thing is not in a state that allows this, or it exists already."""

    code = "CONFLICT"


class TooLarge(Refused):
    code = "PAYLOAD_TOO_LARGE"


class UnsupportedMedia(Refused):
    """The body is not in a format that is understood here."""

    code = "UNSUPPORTED_MEDIA_TYPE"


class KeyReused(Refused):
    """The idempotency key was used before, for another request."""

    code = "IDEMPOTENCY_KEY_REUSED"


class Later(Refused):
    """Not now: the same request may succeed after a while."""

    def __init__(self, message: str, details: Sequence[Mapping[str, Any]] = (), *, retry_after: int = 1) -> None:
        super().__init__(message, details)
        self.retry_after = retry_after


class TooMany(Later):
    """The caller asks more often than it may."""

    code = "RATE_LIMITED"


class Unavailable(Later):
    """Something that is needed for this is down."""

    code = "SERVICE_UNAVAILABLE"


class Away(Unavailable):
    """What is needed cannot be reached at all: asking again at once would fail as well."""


class Overloaded(Unavailable):
    """More is waiting already than can be done in time."""

    code = "OVERLOADED"
