"""What the documents say of the platform as a whole. Codes, statuses, times and listeners are the code's own."""

from importlib.metadata import version
from inspect import getdoc
from typing import Any, Final

from chassis import engine, errors, parking, signature
from chassis.edge import LARGEST_BODY
from chassis.errors import Refused
from chassis.keys import LEEWAY
from chassis.refusals import status_of
from contracts.errors import CODES, ErrorBody, ErrorContent, ErrorDetail
from contracts.events import EVENTS
from delivery.settings import EasyPostSettings
from product.settings import ProductSettings
from sales.customers.log_in import InvalidCredentials
from sales.settings import AccountSettings
from sequences.beside import Failure, System, Travels
from sequences.markdown import duration

from .limits import default, retries

PROJECT: Final = "orderflow"


def known_version() -> str:
    return version(PROJECT)


def failures() -> tuple[Failure, ...]:
    away = "what was begun is undone, or finished by a job; the same request can be sent again"
    return (
        _failure(
            "Authentication", errors.Unauthenticated, "no token, a forged one, or one that has ended", "log in again"
        ),
        _failure(
            "Log-in", InvalidCredentials, "no account has this e-mail and password", "nothing says which of the two"
        ),
        _failure("Authorisation", errors.Forbidden, "the caller's role does not allow it", "nothing was done"),
        _failure("Another's", errors.NotFound, "it is not there, or belongs to another customer", "nothing says which"),
        _failure("Validation", errors.Invalid, "a field is missing, wrong, or not ours", "the details name each field"),
        _failure("Size", errors.TooLarge, f"the body is larger than {LARGEST_BODY // 1024} kB", "it is not read"),
        _failure(
            "Conflict", errors.Conflict, "the state of things does not allow it (with a code of its own)", "look again"
        ),
        _failure("Repetition", errors.KeyReused, "an Idempotency-Key comes with another body", "take another key"),
        _failure(
            "Rate limit", errors.TooMany, "too many log-ins or mails asked for", "wait as long as `Retry-After` says"
        ),
        _failure("Database error", engine.DatabaseAway, "the database is away, full, or breaks the connection", away),
        _failure("Contention", errors.Unavailable, "a deadlock, a lock or a statement that takes too long", away),
        _failure("Time-out", errors.Unavailable, "another service, or all of it, takes too long", away),
        _failure("A service is down", errors.Away, "it cannot be reached, or its breaker is open", away),
        _failure(
            "Overload",
            errors.Overloaded,
            "more is waiting than can be done in time",
            "wait as long as `Retry-After` says",
        ),
        Failure(
            "Defect",
            "something that nobody thought of",
            "INTERNAL_ERROR",
            CODES["INTERNAL_ERROR"][0],
            "the transaction is undone; the `trace_id` finds it in the log, the answer shows nothing of it",
        ),
    )


def an_error() -> Any:
    code = errors.Invalid.code
    detail = ErrorDetail(field="items.0.quantity", message="Input should be greater than or equal to 1")
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    content = ErrorContent(code=code, message=CODES[code][1], details=[detail], trace_id=trace_id)
    return ErrorBody(error=content).model_dump(mode="json")


def travels() -> tuple[Travels, ...]:
    return tuple(
        Travels(
            event_type,
            event.domain_name,
            (getdoc(event) or "").partition("\n")[0],
            event.producer(),
            tuple(sorted(event.heard_by)),
        )
        for event_type, event in EVENTS.items()
    )


def systems() -> tuple[System, ...]:
    tolerance = duration(signature.TOLERANCE)
    oldest = duration(default(EasyPostSettings, "oldest"))
    return (
        System(
            "Authentication",
            f"people's tokens: signed by Sales (JWT, EdDSA), good for {_access()}; any service checks them by itself",
            "`POST /api/v1/sessions`, `GET /.well-known/jwks.json`",
            "Nobody logs in or renews; who has a token goes on until it ends",
        ),
        System(
            "Payment gateway",
            "authorise, capture, void, refund; the sandbox of ours, or Stripe",
            f"HTTPS; its reports come signed, not older than {tolerance}",
            "Checkout is refused; what was asked already is asked again until it is known",
        ),
        System(
            "Mail server",
            "all mail",
            "SMTP with TLS",
            f"Mail waits and is tried again {retries()}; nothing else waits",
        ),
        System(
            "Carriers",
            "parcels that were delivered, were lost, or come back",
            f"signed webhooks, not older than {tolerance} (of EasyPost: {oldest})",
            "They send again; staff can say it instead",
        ),
        System(
            "RabbitMQ",
            "events, an exchange per publisher and a queue per listener",
            "AMQP 0-9-1, with confirms",
            "Events wait in the outboxes; requests are answered all the same",
        ),
        System("PostgreSQL", "one database per service", "SQL", "503 of that service; events wait in the queues"),
    )


CONCURRENCY: Final = (
    (
        "Requests that meet at one resource gather while a batch of them is under way.",
        "Each is answered for itself; a batch that fails is tried one by one "
        "([decision 3](../../adr/0003-concurrent-work-is-coalesced.md)).",
    ),
    (
        "Two who want the last piece, or a cancellation and a dispatch, come at once.",
        "One row decides, and the other is told ([decision 2](../../adr/0002-the-reservation-row-is-the-arbiter.md)).",
    ),
    (
        "Services that hear one event work on it at the same time, each in its own transaction, in batches.",
        "Nothing waits for all of them; what one says of it is an event again.",
    ),
    (
        "Replicas share the outbox, the queue and the jobs.",
        "By row locks and SKIP LOCKED; a job that says no more has one runner among them.",
    ),
    (
        "One event comes twice, late, or before the one that it follows.",
        "Its id is remembered, the table of transitions refuses what is old, and what is early is parked and tried "
        f"again: {parking.MOST_ATTEMPTS} times, then it waits for people.",
    ),
    ("The same request is sent twice at once.", "With an Idempotency-Key it is done once, and both get that answer."),
)


def security() -> tuple[str, ...]:
    return (
        f"Access tokens name their key and audience and are good for {_access()}; "
        f"clocks may differ by {LEEWAY} s. Services call each other with credentials of their own.",
        "What is another customer's is answered like what does not exist.",
        "Bodies are checked whole before anything is done; a field that is not ours is refused, prices among them.",
        "No secret, token, card number or address stands in a log, a span, an event's headers or an error.",
        "What staff and admins change is written into the audit log in the same transaction.",
        f"Webhooks are signed over id, time and body, believed for {duration(signature.TOLERANCE)}, and taken once.",
    )


def notes() -> tuple[str, ...]:
    kept = duration(default(ProductSettings, "catalogue_max_age"))
    return (
        f"There is no cache server. Pages of the catalogue carry an ETag and may be kept for {kept} by whoever asked; "
        "everything else is marked `no-store`, and nothing on the way of an order is answered from a cache.",
        "Clients may wait for 30 s: no request takes longer than the limits above let it.",
        "Participants bear the names of the domain; the table of them says in which service each lives.",
        "Carts have no states: they are filled, emptied by a checkout, and deleted when nobody touched them for long. "
        "An account is REGISTERED until it is ERASED.",
        "Ids, times and traces in payloads are made up, and secrets are asterisks; all else is as it was said.",
    )


def _access() -> str:
    return duration(default(AccountSettings, "access_lives"))


def _failure(what: str, kind: type[Refused], when: str, then: str) -> Failure:
    return Failure(what, when, kind.code, status_of(kind), then)
