"""Notification: what it serves, what it reacts to, what it runs."""

from datetime import timedelta
from functools import partial
from pathlib import Path

from chassis.auth import Auth, KeyRing
from chassis.breather import UNHURRIED
from chassis.broker import Broker
from chassis.db import Database
from chassis.jobs import Job
from chassis.service import Service

from .back_in_stock.api import router as back_in_stock
from .back_in_stock.forgetting import forget_old_wishes
from .back_in_stock.granting import LEFT, tell_the_others
from .customers.api import router as preferences
from .customers.unsubscribing import Unsubscribing
from .db import always_by_index
from .mails.api import router as mails_router
from .mails.making import make_mails
from .reactions import REACTIONS
from .settings import NotificationSettings

NAME = "notification"
MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: NotificationSettings, broker: Broker) -> Service:
    database = Database(settings.database_url.get_secret_value(), application_name=NAME, pool_size=settings.pool_size)
    always_by_index(database)
    mails = make_mails(settings, database)
    wishes = [
        Job(
            "tell_the_others",
            every=timedelta(seconds=10),
            run=partial(tell_the_others, database),
            everywhere=True,
            woken_by=database.woken(LEFT),
        ),
        Job("forget_old_wishes", every=timedelta(hours=1), run=partial(forget_old_wishes, database)),
    ]
    return Service(
        name=NAME,
        database=database,
        broker=broker,
        auth=Auth(KeyRing(settings.trusted_keys), audience=NAME),
        migrations=MIGRATIONS,
        routers=[mails_router, preferences, back_in_stock],
        reactions=REACTIONS,
        # A mail may be a moment later, and orders are not to wait for it.
        rests_after_hearing=UNHURRIED,
        jobs=[*mails.jobs, *wishes],
        provides=[Unsubscribing(settings.mail_secret)],
        closes=[mails.sending],
        role=settings.role,
        retention=settings.retention,
    )
