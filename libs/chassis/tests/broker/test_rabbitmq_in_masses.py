"""That many messages cost few calls, and that the way around the driver's own has no hole."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chassis.broker import Message, NotConfirmed, RabbitBroker, Unroutable
from chassis.broker.arrival import Arrival
from chassis.broker.link import Link
from chassis.broker.publishing import Publisher
from libs.chassis.tests.broker.factories import (
    SALES,
    UNHEARD,
    Listener,
    Wire,
    ids,
    message,
    messages,
    subscription,
    until,
    until_confirmed,
)
from tests.harness.rabbitmq import RabbitMQ


@pytest.fixture
async def link(rabbitmq_url: str) -> AsyncIterator[Link]:
    link = Link(rabbitmq_url, "masses")
    yield link
    await link.close()


@pytest.fixture
async def written(link: Link) -> list[bytes]:
    """What the connection's writer is given to write, piece by piece."""
    transport = (await link.connect()).transport
    assert transport is not None
    queue, pieces = transport.connection.write_queue, []
    put = queue.put

    async def note_and_put(item: Any) -> None:
        pieces.append(item.payload)
        await put(item)

    queue.put = note_and_put  # type: ignore[method-assign]
    return pieces


def publisher(link: Link) -> Publisher:
    return Publisher(link, within=timedelta(seconds=30))


async def test_a_batch_is_written_in_one_piece_and_so_is_a_lone_event(link: Link, written: list[bytes]) -> None:
    publishing = publisher(link)
    await publishing.publish([message()])
    written.clear()

    assert await publishing.publish([message() for _ in range(100)]) == [None] * 100
    assert await publishing.publish([message()]) == [None]

    assert len(written) == 2


async def test_a_message_that_cannot_be_said_fails_alone(link: Link) -> None:
    publishing = publisher(link)
    unspeakable = Message("i" * 256, UNHEARD, b"{}", SALES)

    results = await publishing.publish([message(), unspeakable, message(UNHEARD, mandatory=True)])

    assert [type(result) for result in results] == [type(None), NotConfirmed, Unroutable]
    assert await publishing.publish([unspeakable]) != [None]
    assert await publishing.publish([message()]) == [None]


async def test_a_sender_that_is_cancelled_leaves_nothing_behind(
    link: Link, written: list[bytes], rabbitmq_server: RabbitMQ
) -> None:
    publishing, sent = publisher(link), messages(3, UNHEARD)
    assert await publishing.publish([message()]) == [None]
    transport = (await link.connect()).transport
    assert transport is not None
    before = set(transport.connection.channels)
    written.clear()

    with rabbitmq_server.frozen():
        task = asyncio.create_task(publishing.publish(sent))
        await until(lambda: bool(written))
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()
    await until(lambda: not transport.connection.channels)

    assert [type(result) for result in await publishing.publish(sent)] == [Unroutable] * 3
    assert len(transport.connection.channels) == len(before)


async def test_who_gets_the_number_of_a_tapped_channel_hears_by_the_usual_way(link: Link) -> None:
    tapped: list[Arrival] = []
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    former = await link.channel(tapped.append)
    number = (await former.get_underlay_channel()).number
    await former.close()

    channel = await link.channel()
    assert (await channel.get_underlay_channel()).number == number
    queue = await channel.declare_queue(exclusive=True)

    async def hear(arrived: Any) -> None:
        heard.put_nowait(arrived.body)

    await queue.consume(hear, no_ack=True)
    driver = await channel.get_underlay_channel()
    async with asyncio.timeout(10):
        await driver.basic_publish(b"usual", routing_key=queue.name)
        assert await heard.get() == b"usual"
    assert not tapped


async def test_a_backlog_is_heard_whole_and_in_its_order(rabbit: RabbitBroker) -> None:
    listener = Listener()
    sent = [message(body=b"x" * size) for size in (0, 1, 300_000, *range(97), 131_064, 131_065)]
    await (await rabbit.subscribe(subscription(), Listener())).stop()
    assert await rabbit.publish(sent) == [None] * len(sent)

    await rabbit.subscribe(subscription(), listener)

    await until(lambda: len(listener.heard) == len(sent))
    assert listener.heard == sent


async def test_all_this_works_over_tls(rabbitmq_url: str, tls: ssl.SSLContext) -> None:
    async with Wire(rabbitmq_url).laid(tls=tls) as wire:
        broker, listener = RabbitBroker(f"{wire.url}?no_verify_ssl=1"), Listener()
        await broker.subscribe(subscription(), listener)
        sent = [*messages(50), message(body=b"x" * 300_000)]

        await until_confirmed(broker, sent)

        await until(lambda: len(listener.heard) == 51)
        await broker.close()
    assert wire.url.startswith("amqps:")
    assert set(ids(listener.heard)) == set(ids(sent))


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """A server's, with a certificate that nobody has signed but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1)
    ).sign(key, hashes.SHA256())
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = tmp_path / "both.pem"
    file.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context
