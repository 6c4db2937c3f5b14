"""Delivery: what it serves, what it reacts to, what it runs."""

from datetime import timedelta
from functools import partial
from pathlib import Path

from chassis.auth import Auth, KeyRing, ServiceCredential, Signer
from chassis.broker import Broker
from chassis.db import Database
from chassis.jobs import Job
from chassis.peer import Peer
from chassis.service import Service
from contracts.sales.orders import OrderCancelled, OrderConfirmed, OrderCreated

from .carriers.api import router as carriers
from .carriers.webhooks import Webhooks, forget_old_webhooks
from .settings import DeliverySettings
from .shipments.api import router as shipments
from .shipments.autopilot import Autopilot, Pace
from .shipments.dispatching import Dispatching
from .shipments.reactions import prepare_shipments, release_shipments, stop_shipments
from .shipments.stock import Stock

NAME = "delivery"
MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: DeliverySettings, broker: Broker) -> Service:
    database = Database(settings.database_url.get_secret_value(), application_name=NAME, pool_size=settings.pool_size)
    credential = ServiceCredential(Signer(settings.signing_key.get_secret_value()), NAME)
    stock = Stock(Peer("product", settings.product_url, credential, timeout=settings.product_timeout))
    dispatching = Dispatching(database, stock, house_carrier=settings.house_carrier, lease=settings.dispatch_lease)
    autopilot = Autopilot(
        database, dispatching, Pace(settings.dispatch_after, settings.deliver_after, settings.autopilot_batch)
    )
    jobs = [
        Job("finish_dispatches", every=timedelta(seconds=2), run=dispatching.finish_abandoned, everywhere=True),
        Job("forget_old_webhooks", every=timedelta(hours=1), run=partial(forget_old_webhooks, database)),
    ]
    if settings.autopilot:
        often = timedelta(milliseconds=200)
        jobs += [
            Job("dispatch_due", every=often, run=autopilot.dispatch_due, everywhere=True),
            Job("deliver_due", every=often, run=autopilot.deliver_due, everywhere=True),
        ]
    return Service(
        name=NAME,
        database=database,
        broker=broker,
        auth=Auth(KeyRing(settings.trusted_keys), audience=NAME),
        migrations=MIGRATIONS,
        routers=[shipments, carriers],
        reactions={
            OrderCreated: prepare_shipments,
            OrderConfirmed: release_shipments,
            OrderCancelled: stop_shipments,
        },
        jobs=jobs,
        provides=[dispatching, Webhooks(settings.carrier_secret)],
        closes=[stock],
        role=settings.role,
    )
