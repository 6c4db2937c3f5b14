"""Load: a number of clients that order without a pause for some seconds."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from statistics import median, quantiles

import aiohttp

ADDRESS = {"name": "Ada", "line1": "12 Analytical Row", "city": "Springfield", "postal_code": "62701", "country": "US"}


@dataclass(frozen=True)
class Load:
    url: str
    token: str
    products: int = 1000
    clients: int = 32
    seconds: float = 5.0


@dataclass(frozen=True)
class Outcome:
    answers: Counter[int]
    seconds: float
    latencies: list[float]

    @property
    def per_second(self) -> float:
        return self.answers[201] / self.seconds

    @property
    def p50_ms(self) -> float:
        return median(self.latencies) * 1000

    @property
    def p95_ms(self) -> float:
        return quantiles(self.latencies, n=20)[-1] * 1000


async def run(load: Load) -> Outcome:
    answers: Counter[int] = Counter()
    latencies: list[float] = []
    began = time.perf_counter()

    async def shop(client: aiohttp.ClientSession, number: int) -> None:
        turn = number
        while time.perf_counter() - began < load.seconds:
            items = [
                {"product_id": f"p{turn % load.products}", "quantity": 1},
                {"product_id": f"p{(turn * 7 + 1) % load.products}", "quantity": 2},
            ]
            turn += load.clients
            sent = time.perf_counter()
            body = {"items": items, "shipping_address": ADDRESS}
            async with client.post(f"{load.url}/api/v1/orders", json=body) as answer:
                await answer.read()
                answers[answer.status] += 1
            latencies.append(time.perf_counter() - sent)

    headers = {"Authorization": f"Bearer {load.token}"}
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=load.clients)) as client:
        await asyncio.gather(*(shop(client, number) for number in range(load.clients)))
    return Outcome(answers, time.perf_counter() - began, latencies)
