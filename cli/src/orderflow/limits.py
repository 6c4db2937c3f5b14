"""How long things may take: what is required, and when they are given up. The times are those of the code."""

from datetime import timedelta
from inspect import signature
from typing import Any, Final

from pydantic import BaseModel

from chassis import breaker, db, engine
from chassis.broker import RabbitBroker
from delivery.settings import DispatchingSettings
from notification.settings import RetrySettings, SmtpSettings
from sales.carts.viewing import PATIENCE
from sales.orders import checkout, placing
from sales.settings import PaymentSettings, SalesSettings
from sequences.beside import Due, Limit
from sequences.markdown import duration
from sequences.measured import ANSWER_WITHIN, END_WITHIN
from sequences.timing import ANSWER, BROKER, DATABASE, END_TO_END, GATEWAY, MAIL, PRODUCT, QUERY

DUE: Final = {
    ANSWER: Due("an API's answer", timedelta(milliseconds=ANSWER_WITHIN)),
    QUERY: Due("a query of a database", timedelta(milliseconds=50)),
    "cache": Due("a look into a cache", timedelta(milliseconds=5)),
    END_TO_END: Due("all of it, end to end", timedelta(milliseconds=END_WITHIN)),
}


def limits() -> dict[str, Limit]:
    """By what a step waits for, and then all others."""
    return {
        PRODUCT: Limit(
            "a call to Product, with all its tries",
            default(SalesSettings, "product_timeout"),
            "`SALES_PRODUCT_TIMEOUT`, `DELIVERY_DISPATCHING__PRODUCT_TIMEOUT`",
            "503 `SERVICE_UNAVAILABLE`; what was held is given back by a job. After "
            f"{breaker.FAILURES} tries in a row without an answer Product is not asked for a while",
        ),
        DATABASE: Limit(
            "a statement",
            _seconds(db.LIMITS["statement_timeout"]),
            "fixed",
            "The transaction is undone, with its events: 503 `SERVICE_UNAVAILABLE`",
        ),
        GATEWAY: Limit(
            "a request to the payment gateway",
            default(PaymentSettings, "timeout"),
            "`SALES_PAYMENTS__TIMEOUT`",
            "The payment is UNKNOWN until the gateway has been asked what became of it; nothing is charged twice",
        ),
        MAIL: Limit(
            "a step of the conversation with the mail server",
            default(SmtpSettings, "timeout"),
            "`NOTIFICATION_SMTP__TIMEOUT`",
            f"The mail stays QUEUED, is tried again {retries()}, and is FAILED then, for people",
        ),
        BROKER: Limit(
            "the broker's word that it has an event",
            signature(RabbitBroker).parameters["publish_within"].default,
            "fixed",
            "The event stays in the outbox and is sent again; nobody waits for it",
        ),
        "lock": Limit(
            "a lock in a database",
            _seconds(db.LIMITS["lock_timeout"]),
            "fixed",
            "503 `SERVICE_UNAVAILABLE`: too many want the same at the moment",
        ),
        "connection": Limit(
            "a free connection to the database",
            timedelta(seconds=db.FREE_WITHIN),
            "`…_POOL_SIZE` says how many there are",
            "503 `SERVICE_UNAVAILABLE`",
        ),
        "connecting": Limit(
            "a new connection to the database",
            timedelta(seconds=engine.ANSWER_WITHIN),
            "fixed",
            "503 `SERVICE_UNAVAILABLE`; a consumer keeps what it has heard and tries again",
        ),
        "idle": Limit(
            "a transaction that does nothing",
            _seconds(db.LIMITS["idle_in_transaction_session_timeout"]),
            "fixed",
            "The database undoes it and drops the connection",
        ),
        "order": Limit(
            "placing an order, as a whole",
            placing.LONGEST,
            "fixed",
            "503 `SERVICE_UNAVAILABLE`: the same key takes the attempt up again; without a retry it is undone after "
            f"{duration(default(SalesSettings, 'undo_attempts_after'))} (`SALES_UNDO_ATTEMPTS_AFTER`)",
        ),
        "checkout": Limit(
            "a checkout, as a whole",
            checkout.LONGEST,
            "fixed",
            "Likewise, and what the card was to be charged is given up",
        ),
        "cart": Limit(
            "the prices of this moment, for who looks into a cart",
            PATIENCE,
            "fixed",
            "The cart is shown as it was stored, marked as not refreshed",
        ),
        "dispatch": Limit(
            "a dispatch",
            default(DispatchingSettings, "lease"),
            "`DELIVERY_DISPATCHING__LEASE`",
            "A job takes it up where it stopped",
        ),
    }


def retries() -> str:
    """Of a mail that could not be sent."""
    delays = (*default(RetrySettings, "quick"), *default(RetrySettings, "later"))
    return f"{len(delays)} times, after {duration(delays[0])} to {duration(delays[-1])}"


def default(settings: type[BaseModel], field: str) -> Any:
    return settings.model_fields[field].default


def _seconds(text: str) -> timedelta:
    return timedelta(seconds=int(text.removesuffix("s")))
