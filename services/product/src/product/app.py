"""Product, put together: its routers and what they need. It reacts to no event and runs no job of its own."""

from pathlib import Path

from chassis.auth import Auth, KeyRing
from chassis.broker import Broker
from chassis.db import Database
from chassis.service import Service

from .catalog import api as catalog
from .catalog.browsing_api import browsing
from .categories import api as categories
from .inventory import api as inventory
from .inventory.desk import Desk
from .inventory.warehouse_api import warehouse
from .settings import ProductSettings

NAME = "product"
MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: ProductSettings, broker: Broker) -> Service:
    database = Database(settings.database_url.get_secret_value(), application_name=NAME, pool_size=settings.pool_size)
    desk = Desk(database)
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
        provides=[desk, settings],
        closes=[desk],
        role=settings.role,
        retention=settings.retention,
    )
