"""Sales: what it serves, what it reacts to, what it runs."""

from datetime import timedelta
from functools import partial
from pathlib import Path

from chassis.auth import Auth, KeyRing, ServiceCredential, Signer
from chassis.broker import Broker
from chassis.db import Database
from chassis.jobs import Job
from chassis.peer import Peer
from chassis.service import Service
from contracts.delivery import OrderStatusUpdated

from .orders.api import router as orders
from .orders.placing import Placing
from .orders.reactions import follow_shipments
from .orders.stock import Stock
from .orders.undoing import forget_old_attempts, undo_stopped_attempts
from .settings import SalesSettings

NAME = "sales"
MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: SalesSettings, broker: Broker) -> Service:
    database = Database(settings.database_url.get_secret_value(), application_name=NAME, pool_size=settings.pool_size)
    credential = ServiceCredential(Signer(settings.signing_key.get_secret_value()), NAME)
    stock = Stock(Peer("product", settings.product_url, credential, timeout=settings.product_timeout))
    placing = Placing(database, stock)
    undo = partial(undo_stopped_attempts, database, stock, settings.undo_attempts_after)
    forget = partial(forget_old_attempts, database, settings.forget_keys_after)
    return Service(
        name=NAME,
        database=database,
        broker=broker,
        auth=Auth(KeyRing(settings.trusted_keys), audience=NAME),
        migrations=MIGRATIONS,
        routers=[orders],
        reactions={OrderStatusUpdated: follow_shipments},
        jobs=[
            Job("undo_stopped_attempts", every=timedelta(seconds=2), run=undo),
            Job("forget_old_attempts", every=timedelta(hours=1), run=forget),
        ],
        provides=[placing],
        closes=[placing],
        role=settings.role,
    )
