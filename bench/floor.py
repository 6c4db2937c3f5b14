"""The floor: what the same web server does with the same request when there is nothing to be done for it."""

import sys

import uvloop
from fastapi import FastAPI, Request, Response

from chassis.edge import read_json
from chassis.serving import Site, serve, stop_on_signals
from contracts.sales.orders import PlaceOrder

app = FastAPI(openapi_url=None)


@app.post("/api/v1/orders")
async def read_and_answer(request: Request) -> Response:
    order = await read_json(request, PlaceOrder)
    return Response(order.model_dump_json(), 201, media_type="application/json")


@app.get("/readyz")
async def ready() -> dict[str, str]:
    return {"status": "ok"}


async def main(port: int) -> None:
    await serve([Site(app, "127.0.0.1", port)], stop_on_signals())


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
