"""Puts the payments of a service together from its settings: which gateway, who reports, what the clock has to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from chassis.db import Database
from chassis.jobs import Job
from chassis.telemetry import logger
from sales.settings import PaymentSettings

from .asking import Asking
from .gateway import Gateway, Reports
from .hearing import Hearing, forget_old_webhooks
from .journal import Pace
from .paying import Payments
from .pursuing import Pursuit
from .sandbox import SandboxGateway
from .sandbox_webhooks import SandboxReports, SandboxWebhooks
from .settling import Rules, Told, nobody_waits
from .stripe import StripeGateway
from .stripe_webhooks import StripeReports

log = logger("payments")


@dataclass(frozen=True)
class PaymentDesk:
    """What an application is given: journeys, webhooks, jobs, and what is to be closed at its end."""

    payments: Payments
    pursuit: Pursuit
    hearing: Hearing
    rules: Rules
    jobs: Sequence[Job]

    @property
    def provides(self) -> list[object]:
        return [self.payments, self.hearing, self.rules]


def make_payments(
    settings: PaymentSettings, database: Database, *, on_captured: Told = nobody_waits, on_ended: Told = nobody_waits
) -> PaymentDesk:
    pace = Pace(settings.lease, settings.first_retry, settings.longest_retry, settings.refund_tries)
    rules = Rules(pace, on_captured, on_ended)
    pursuit = Pursuit(database, Asking(_gateway(settings, database), settings.timeout), rules)
    return PaymentDesk(
        payments=Payments(database, pursuit, captures_at_once=settings.capture == "automatic"),
        pursuit=pursuit,
        hearing=Hearing(_reports(settings), rules),
        rules=rules,
        jobs=[
            Job("pursue_payments", every=timedelta(seconds=1), run=pursuit.take_up, everywhere=True),
            Job("forget_payment_webhooks", every=timedelta(hours=1), run=partial(forget_old_webhooks, database)),
        ],
    )


def _gateway(settings: PaymentSettings, database: Database) -> Gateway:
    if settings.gateway == "stripe":
        assert settings.stripe_key is not None
        return StripeGateway(settings.stripe_url, settings.stripe_key, timeout=settings.timeout)
    log.warning("sandbox_gateway", meaning="no payment is real")
    webhooks = None
    if settings.sandbox_webhook_url and settings.webhook_secret:
        webhooks = SandboxWebhooks(settings.sandbox_webhook_url, settings.webhook_secret)
    return SandboxGateway(database, tell=webhooks.tell if webhooks else None)


def _reports(settings: PaymentSettings) -> list[Reports]:
    if settings.webhook_secret is None:
        return []
    kind = StripeReports if settings.gateway == "stripe" else SandboxReports
    return [kind(settings.webhook_secret)]
