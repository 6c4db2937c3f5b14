"""What the composed system promises besides: who reaches what, what it is made of, how little it takes."""

import json

import pytest

from .compose import ComposeStack, docker
from .stack import SERVICES, Stack, ready

MEBIBYTE = 1024**2
UNITS = {"B": 1, "KiB": 1024, "MiB": MEBIBYTE, "GiB": 1024 * MEBIBYTE}


@pytest.fixture
def composed(stack: Stack) -> ComposeStack:
    assert isinstance(stack, ComposeStack)
    return stack


async def test_it_is_up_within_a_minute(composed: ComposeStack) -> None:
    assert composed.healthy_after < 60


async def test_it_idles_below_a_gibibyte_of_memory(composed: ComposeStack) -> None:
    used = docker("stats", "--no-stream", "--format", "{{.MemUsage}}", *_running(composed)).split("\n")

    assert sum(map(_bytes, filter(None, used))) < 1024 * MEBIBYTE


@pytest.mark.parametrize("service", SERVICES)
async def test_an_image_adds_less_than_250_mb_to_its_base(composed: ComposeStack, service: str) -> None:
    assert _size(composed.image(service)) - _size("python:3.11-slim") < 250_000_000


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_has_no_rights_and_no_tools(composed: ComposeStack, service: str) -> None:
    tools = "import importlib.util as u; print([t for t in ('pip', 'hatchling', 'pytest') if u.find_spec(t)])"

    assert composed.run(service, "id", "-u").strip() != "0"
    assert composed.run(service, "python", "-c", tools).strip() == "[]"
    assert composed.run(service, "sh", "-c", "command -v cc gcc make || echo none").strip() == "none"
    assert composed.run(service, "sh", "-c", "touch /opt/orderflow/x 2>&1 || true").strip().endswith("system")


@pytest.mark.parametrize("service", SERVICES)
async def test_the_command_offers_what_can_be_done_where_only_one_service_is(
    composed: ComposeStack, service: str
) -> None:
    offered = composed.run(service, "orderflow", "--help")

    assert "serve" in offered
    assert ("Import the catalogue" in offered) == (service == "product")


async def test_a_service_can_write_where_its_files_are_to_be_and_nowhere_else(composed: ComposeStack) -> None:
    composed.run("notification", "sh", "-c", "touch here && rm here")

    for folder in ("/", "/opt/orderflow", "/usr/local"):
        refused = composed.run("notification", "sh", "-c", f"touch {folder}/here 2>&1 || true")
        assert "Read-only file system" in refused


async def test_the_catcher_takes_what_is_sent_to_it_by_smtp(composed: ComposeStack) -> None:
    script = (
        "import smtplib\n"
        "with smtplib.SMTP('mail', 2525) as server:\n"
        "    server.sendmail('a@example.org', ['b@example.org'], 'To: b@example.org\\nSubject: Caught?\\n\\nYes.')\n"
    )

    async with composed.beside("mail"):
        composed.run("notification", "python", "-c", script)
        [caught] = composed.run("mail", "sh", "-c", "ls caught").split()
        kept = composed.run("mail", "cat", f"caught/{caught}")
        said = composed.logs("all")

    assert "Subject: Caught?" in kept
    assert f"{caught}  to b@example.org: Caught?" in said


async def test_only_the_apis_are_published_and_only_on_this_machine(composed: ComposeStack) -> None:
    published = {}
    for container in _running(composed):
        shape = '{{index .Config.Labels "com.docker.compose.service"}} {{json .NetworkSettings.Ports}}'
        service, ports = docker("inspect", "--format", shape, container).split(" ", 1)
        published[service] = {host["HostIp"] for hosts in json.loads(ports).values() for host in hosts or []}

    assert published == {service: {"127.0.0.1"} if service in SERVICES else set() for service in published}
    assert set(published) == {*SERVICES, "postgres", "rabbitmq"}


async def test_a_role_cannot_even_connect_to_the_database_of_another(composed: ComposeStack) -> None:
    for service in SERVICES:
        reached = [database for database in (*SERVICES, "postgres") if _connects(composed, service, database)]

        assert reached == [service]


async def test_a_service_cannot_speak_in_the_name_of_another(composed: ComposeStack) -> None:
    forged = {"event_id": "forged", "event_type": "order.status_updated"}

    with pytest.raises(RuntimeError, match="ACCESS_REFUSED"):
        await composed.tell(forged, in_the_name_of="sales")


@pytest.mark.parametrize("service", SERVICES)
async def test_sigterm_ends_a_service_in_good_order(composed: ComposeStack, service: str) -> None:
    [container] = composed.containers(service)

    docker("stop", "--time", "10", container)
    code = docker("inspect", "--format", "{{.State.ExitCode}}", container).strip()
    docker("start", container)
    await ready(composed)

    assert code == "0"


async def test_no_secret_is_in_any_log(composed: ComposeStack) -> None:
    secrets = [value for name, value in composed.secrets.items() if name.endswith(("_PASSWORD", "_KEY", "_SECRET"))]
    logs = composed.logs(lines="all")

    assert len(secrets) > 10
    assert "started" in logs
    assert [secret for secret in secrets if secret in logs] == []


def _running(composed: ComposeStack) -> list[str]:
    return [
        each for each in composed.containers() if "true" in docker("inspect", "--format", "{{.State.Running}}", each)
    ]


def _connects(composed: ComposeStack, service: str, database: str) -> bool:
    script = (
        "import asyncio, asyncpg, os, sys\n"
        "async def main():\n"
        "    try: await asyncpg.connect(os.environ[sys.argv[1]], database=sys.argv[2])\n"
        "    except asyncpg.InsufficientPrivilegeError: print('refused')\n"
        "    else: print('connected')\n"
        "asyncio.run(main())"
    )
    said = composed.run(service, "python", "-c", script, f"{service.upper()}_DATABASE_URL", database).strip()
    assert said in ("connected", "refused")
    return said == "connected"


def _size(image: str) -> int:
    return int(docker("image", "inspect", "--format", "{{.Size}}", image))


def _bytes(usage: str) -> float:
    used = usage.partition(" /")[0].strip()
    unit = used.lstrip("0123456789.")
    return float(used.removesuffix(unit)) * UNITS[unit]
