"""That many messages cost few calls, and that the way around the driver's own has no hole."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiormq import spec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chassis.broker import Message, NotConfirmed, RabbitBroker, Unroutable
from chassis.broker.arrival import Arrival
from chassis.broker.confirms import Confirms
from chassis.broker.link import Link
from chassis.broker.outlet import Outlet, open_outlet
from chassis.broker.patience import Interrupted
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


@pytest.fixture
async def link(rabbitmq_url: str) -> AsyncIterator[Link]:
    link = Link(rabbitmq_url, "masses")
    yield link
    await link.close()


@pytest.fixture
async def written(link: Link) -> asyncio.Queue[bytes]:
    """The publications that the connection's writer is given to write, piece by piece."""
    transport = (await link.connect()).transport
    assert transport is not None
    queue, pieces = transport.connection.write_queue, asyncio.Queue[bytes]()
    put = queue.put

    async def note_and_put(item: Any) -> None:
        if spec.Basic.Publish.index.to_bytes(4, "big") in item.payload[:11]:
            pieces.put_nowait(item.payload)
        await put(item)

    queue.put = note_and_put  # type: ignore[method-assign]
    return pieces


def publisher(link: Link) -> Publisher:
    return Publisher(link, within=timedelta(seconds=30))


async def test_a_batch_is_written_in_one_piece_and_so_is_a_lone_event(
    link: Link, written: asyncio.Queue[bytes]
) -> None:
    publishing = publisher(link)
    await publishing.publish([message()])
    await written.get()

    assert await publishing.publish([message() for _ in range(100)]) == [None] * 100
    assert await publishing.publish([message()]) == [None]

    assert written.qsize() == 2


async def test_a_message_that_cannot_be_said_fails_alone(link: Link) -> None:
    publishing = publisher(link)
    unspeakable = Message("i" * 256, UNHEARD, b"{}", SALES)

    results = await publishing.publish([message(), unspeakable, message(UNHEARD, mandatory=True)])

    assert [type(result) for result in results] == [type(None), NotConfirmed, Unroutable]
    assert await publishing.publish([unspeakable]) != [None]
    assert await publishing.publish([message()]) == [None]


async def test_a_sender_that_is_cancelled_leaves_nothing_behind(link: Link, written: asyncio.Queue[bytes]) -> None:
    publishing, sent = publisher(link), messages(3, UNHEARD)
    assert await publishing.publish([message()]) == [None]
    transport = (await link.connect()).transport
    assert transport is not None
    channels = transport.connection.channels
    await written.get()

    task = asyncio.create_task(publishing.publish(sent))
    await written.get()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    await until(lambda: not channels)

    assert [type(result) for result in await publishing.publish(sent)] == [Unroutable] * 3
    await until(lambda: len(channels) == 1)


async def test_a_word_that_comes_after_its_batch_was_given_up_changes_no_answer(
    link: Link, written: asyncio.Queue[bytes]
) -> None:
    confirms = Confirms()
    channel = await link.channel(confirms.take)
    driver = await channel.get_underlay_channel()
    outlet, sent = Outlet(channel, driver, confirms), messages(2, UNHEARD)
    results: list[Exception | None] = [NotConfirmed("no word yet")] * 2
    await outlet.declare(link, sent)

    task = asyncio.create_task(outlet.send(sent, results))
    await written.get()
    task.cancel()
    await asyncio.wait([task])
    await driver.basic_qos(prefetch_count=1)  # answered after what was sent before has come back

    assert [type(result) for result in results] == [NotConfirmed] * 2
    await outlet.send(sent, results)
    assert [type(result) for result in results] == [Unroutable] * 2


async def test_what_is_sent_on_a_channel_that_has_ended_meanwhile_ends_at_once(link: Link) -> None:
    outlet = await open_outlet(link)
    await outlet.close()

    async with asyncio.timeout(5):
        with pytest.raises(Interrupted):
            await outlet.send(messages(2), [NotConfirmed("no word yet")] * 2)


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
