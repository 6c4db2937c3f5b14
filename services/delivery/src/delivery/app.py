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

from .carriers.api import reports, webhooks
from .carriers.book import Carriers
from .carriers.forgetting import forget_old_reports
from .carriers.intake import WORK, Intake
from .carriers.model import Patience
from .carriers.working import Working
from .desk.api import router as desk
from .desk.dispatches import Dispatches
from .desk.picking import close_pick_lists
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
    stock = Stock(Peer("product", settings.product_url, credential, timeout=settings.dispatching.product_timeout))
    book = Carriers(settings.carrier_secret, settings.carriers)
    dispatching = Dispatching(database, stock, carriers=book, lease=settings.dispatching.lease)
    told = settings.carriers.reports
    patience = Patience(told.first_retry, told.longest_retry, told.tried_for, told.told_after)
    autopilot = Autopilot(
        database,
        dispatching,
        Pace(settings.dispatch_after, settings.deliver_after, settings.dispatching.autopilot_batch),
    )
    jobs = [
        Job("finish_dispatches", every=timedelta(seconds=2), run=dispatching.finish_abandoned, everywhere=True),
        Job("close_pick_lists", every=timedelta(seconds=10), run=partial(close_pick_lists, database)),
        Job(
            "work_on_reports",
            every=timedelta(milliseconds=500),
            run=Working(database, patience).work,
            everywhere=True,
            woken_by=database.woken(WORK),
        ),
        Job("forget_old_reports", every=timedelta(hours=1), run=partial(forget_old_reports, database, told.kept)),
    ]
    if settings.autopilot:
        jobs += autopilot.jobs()
    return Service(
        name=NAME,
        database=database,
        broker=broker,
        auth=Auth(KeyRing(settings.trusted_keys), audience=NAME),
        migrations=MIGRATIONS,
        routers=[desk, shipments, webhooks, reports],
        reactions={
            OrderCreated: prepare_shipments,
            OrderConfirmed: release_shipments,
            OrderCancelled: stop_shipments,
        },
        jobs=jobs,
        provides=[dispatching, Dispatches(database, dispatching), Intake(database, book, patience), patience],
        closes=[stock],
        role=settings.role,
        retention=settings.retention,
    )
