"""Product, put together: its routers and what they need. It reacts to no event."""

from datetime import timedelta
from functools import partial
from pathlib import Path

from chassis.auth import Auth, KeyRing
from chassis.breather import UNHURRIED
from chassis.broker import Broker
from chassis.db import Database
from chassis.jobs import Job
from chassis.service import Service

from .catalog import api as catalog
from .catalog.browsing_api import browsing
from .categories import api as categories
from .inventory import api as inventory
from .inventory.desk import Desk
from .inventory.folding import fold_old_movements
from .inventory.warehouse_api import warehouse
from .settings import ProductSettings

NAME = "product"
MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: ProductSettings, broker: Broker) -> Service:
    database = Database(settings.database_url.get_secret_value(), application_name=NAME, pool_size=settings.pool_size)
    desk = Desk(database)
    jobs = []
    if settings.movements_kept is not None:
        fold = partial(fold_old_movements, database, settings.movements_kept)
        jobs += [Job("fold_old_movements", every=timedelta(hours=1), run=fold)]
    return Service(
        name=NAME,
        database=database,
        broker=broker,
        auth=Auth(KeyRing(settings.trusted_keys), audience=NAME),
        migrations=MIGRATIONS,
        routers=[
            inventory.availability,
            inventory.reservations,
            inventory.returned_stock,
            warehouse,
            categories.router,
            browsing,
            catalog.products,
        ],
        jobs=jobs,
        provides=[desk, settings],
        closes=[desk],
        # No order waits for what is told of stock.
        rests_after_telling=UNHURRIED,
        role=settings.role,
        retention=settings.retention,
    )
