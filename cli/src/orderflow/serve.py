"""`orderflow serve`: one process of one service, told everything by its environment."""

from typing import Annotated, Any

import typer
import uvloop
from prometheus_client import start_http_server

from chassis.broker import RabbitBroker
from chassis.recorder import configure_recording
from chassis.service import Service
from chassis.serving import NotStarted, Site, serve
from chassis.settings import PlatformSettings, Role, ServiceSettings
from chassis.telemetry import configure_logging, configure_tracing, stop_tracing

from . import environment, fleet
from .ending import Ending
from .failure import Failure, in_short

app = typer.Typer(add_completion=False)


@app.command(name="serve")
def serve_one(
    service: Annotated[fleet.Name, typer.Argument(metavar="SERVICE", help=f"Which one: {fleet.ONE_OF_THEM}.")],
    role: Annotated[Role | None, typer.Option(help="Only the API, or only what works behind it.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="Where it listens.")] = None,
    metrics_port: Annotated[
        int | None, typer.Option(envvar="METRICS_PORT", min=1, max=65_535, help="Where Prometheus can ask.")
    ] = None,
) -> None:
    """Run one service, with RabbitMQ, until SIGTERM.

    The environment tells it the rest: RABBITMQ_URL, and with the service's name before them (SALES_DATABASE_URL)
    DATABASE_URL, TRUSTED_KEYS, SIGNING_KEY, HOST, PORT, ROLE and what else the service can be told.
    """
    given: dict[str, Any] = {name: value for name, value in (("role", role), ("port", port)) if value is not None}
    settings = environment.read(fleet.settings_of(service), **given)
    platform = environment.platform(needs_broker=True)
    configure_logging(platform.log_level, service=service)
    configure_tracing(service, platform.otlp_endpoint, platform.trace_sample_ratio)
    configure_recording(platform.record_steps)
    try:
        uvloop.run(_run(service, settings, platform, metrics_port))
    finally:
        stop_tracing()


async def _run(
    name: fleet.Name, settings: ServiceSettings, platform: PlatformSettings, metrics_port: int | None
) -> None:
    ending = Ending()
    url = platform.rabbitmq_url.get_secret_value()
    broker = RabbitBroker(url, name=f"{name} {settings.role}", on_lost=ending.give_up)
    service = fleet.build(name, settings, broker)
    try:
        await _prepare(service)
        if metrics_port is not None:
            _expose_metrics(service, settings.host, metrics_port)
        site = Site(service.app(), settings.host, settings.port, settings.trusted_proxies)
        await serve([site], ending.begun)
        ending.was_in_order()
    except NotStarted as error:
        raise Failure(str(error)) from error
    except OSError as error:
        raise Failure(f"{name} cannot listen on {settings.host}:{settings.port}: {in_short(error)}.") from error
    finally:
        await broker.close()


async def _prepare(service: Service) -> None:
    try:
        await service.prepare()
    except Exception as error:
        await service.database.close()
        variable = f"{service.name.upper()}_DATABASE_URL"
        raise Failure(f"The database that {variable} names cannot be prepared: {in_short(error)}.") from error


def _expose_metrics(service: Service, host: str, port: int) -> None:
    try:
        start_http_server(port, host, service.telemetry.registry)
    except OSError as error:
        raise Failure(f"Metrics cannot be had on port {port}: {in_short(error)}.") from error
