"""`python -m bench.floor SERVICE PORT DATABASE_URL RABBITMQ_URL PRODUCT_URL`: one of its processes."""

import sys

import uvloop

from . import delivery, notification, product, sales
from .process import Given, serve

SERVICES = {
    "sales": sales.start,
    "product": product.start,
    "delivery": delivery.start,
    "notification": notification.start,
}

if __name__ == "__main__":
    service, port, *urls = sys.argv[1:]
    uvloop.run(serve(SERVICES[service], Given(service, *urls), int(port)))
