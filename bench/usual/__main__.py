"""`python -m bench.usual SERVICE PORT DATABASE_URL RABBITMQ_URL PRODUCT_URL`: one of its processes."""

import sys
from types import ModuleType

import uvicorn

from . import delivery, notification, product, sales
from .process import Given

SERVICES = {
    "sales": sales.application,
    "product": product.application,
    "delivery": delivery.application,
    "notification": notification.application,
}

# httpx asks it with every lock where it is. Where it is not installed, that is a search through all of sys.path, which
# took nine tenths of the time: nobody would leave it at that.
sniffio = ModuleType("sniffio")
sniffio.current_async_library = lambda: "asyncio"  # type: ignore[attr-defined]

if __name__ == "__main__":
    sys.modules.setdefault("sniffio", sniffio)
    service, port, *urls = sys.argv[1:]
    app = SERVICES[service](Given(service, *urls))
    uvicorn.run(app, port=int(port), loop="uvloop", http="httptools", access_log=False, log_level="warning")
