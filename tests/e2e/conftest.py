"""The stack that the journeys are made on: STACK=embedded, processes (also without it) or compose."""

import os
import tempfile
from collections.abc import AsyncIterator, Generator
from contextlib import AbstractAsyncContextManager, ExitStack
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio

from tests.harness.platform import OPERATIONS
from tests.harness.rabbitmq import RabbitMQ

from .compose import ComposeStack, compose_stack
from .embedded import embedded_stack
from .mailbox import Mailbox
from .people import PASSWORD, Carrier, Customer, Person, Staff, Visitor
from .processes import process_stack
from .stack import Stack, ready

CHOICE = os.environ.get("STACK", "processes")
collect_ignore = [] if CHOICE == "compose" else ["test_composition.py"]
_RUNNING: "pytest.StashKey[Stack]" = pytest.StashKey()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            # What is started again during one journey belongs to its loop, and the next journey needs it, too.
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            if CHOICE == "processes":
                item.add_marker("rabbitmq")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    stack = item.config.stash.get(_RUNNING, None)
    if report.failed and stack is not None:
        report.sections.append((f"logs of {stack.name}", stack.logs()))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    stack = config.stash.get(_RUNNING, None)
    if isinstance(stack, ComposeStack):
        terminalreporter.write_line(
            f"compose: images built in {stack.built_in:.0f} s, all healthy {stack.healthy_after:.0f} s after `up`"
        )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running(request: pytest.FixtureRequest) -> AsyncIterator[Stack]:
    """Started once: the journeys leave it as they found it."""
    # A socket's path must be short, and pytest's folders are not.
    with tempfile.TemporaryDirectory(prefix="orderflow-e2e-") as folder, ExitStack() as leaving:
        opening: AbstractAsyncContextManager[Stack]
        if CHOICE == "embedded":
            opening = embedded_stack(Path(folder))
        elif CHOICE == "compose":
            opening = compose_stack(Path(folder))
        elif CHOICE == "processes":
            broker: RabbitMQ = request.getfixturevalue("rabbitmq_server")
            opening = process_stack(Path(folder), broker, leaving.enter_context(broker.vhost()))
        else:
            pytest.fail(f"STACK={CHOICE} is none of embedded, processes, compose.", pytrace=False)
        async with opening as stack:
            request.config.stash[_RUNNING] = stack
            yield stack


@pytest_asyncio.fixture(loop_scope="session")
async def stack(running: Stack) -> Stack:
    await ready(running)
    return running


@pytest_asyncio.fixture(loop_scope="session")
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=15), connector=aiohttp.TCPConnector(limit=100)
    ) as session:
        yield session


@pytest.fixture
def customer(stack: Stack, client: aiohttp.ClientSession) -> Customer:
    """Another one for each journey."""
    return Customer(stack, client, "customer", f"customer-{uuid4().hex}")


@pytest.fixture
def demo_customer(stack: Stack, client: aiohttp.ClientSession) -> Customer:
    return Customer(stack, client, "customer", "customer_demo")


@pytest.fixture
def visitor(stack: Stack, client: aiohttp.ClientSession) -> Visitor:
    return Visitor(stack, client)


@pytest.fixture
def address() -> str:
    """Another one for each journey."""
    return f"grace-{uuid4().hex[:12]}@example.org"


@pytest.fixture
def mailbox(stack: Stack, address: str) -> Mailbox:
    return Mailbox(stack, address)


@pytest.fixture
def operations(stack: Stack) -> Mailbox:
    return Mailbox(stack, OPERATIONS)


@pytest_asyncio.fixture(loop_scope="session")
async def grace(visitor: Visitor, address: str) -> Visitor:
    """Registered and logged in; her e-mail is not verified yet."""
    assert (await visitor.registers(address, PASSWORD, "Grace Example")).status == 201
    assert (await visitor.logs_in(address, PASSWORD)).status == 200
    return visitor


@pytest.fixture
def merchant(stack: Stack, client: aiohttp.ClientSession) -> Person:
    return Person(stack, client, "admin", "merchant")


@pytest.fixture
def staff(stack: Stack, client: aiohttp.ClientSession) -> Staff:
    return Staff(stack, client, "warehouse", "clerk")


@pytest.fixture
def carrier(stack: Stack, client: aiohttp.ClientSession) -> Carrier:
    return Carrier(stack, client, "customer", "unused")
