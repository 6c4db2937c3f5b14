"""Ports that nobody listens on, and that no other test run of this machine is given meanwhile."""

import os
import random
import socket
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack

# Below those that Linux gives to outgoing connections: one of these could take a port before its server does.
_LOWEST, _HIGHEST = 10_000, 32_000
# Whoever was given an older one listens on it by now.
_REMEMBERED = 300
_claims: deque[int] = deque()


def free_ports(count: int) -> list[int]:
    return [free_range(1)[0] for _ in range(count)]


def free_range(count: int) -> Sequence[int]:
    """Ports that follow each other."""
    while True:
        start = random.randrange(_LOWEST, _HIGHEST - count)
        ports = range(start, start + count)
        if _claim(ports):
            return ports


def _claim(ports: Sequence[int]) -> bool:
    """Who has the UDP port, which nobody here uses, may have the TCP port of the same number."""
    with ExitStack() as stack:
        claims = [stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in ports]
        try:
            for claim, port in zip(claims, ports, strict=True):
                claim.bind(("127.0.0.1", port))
                with socket.socket() as attempt:
                    attempt.bind(("127.0.0.1", port))
        except OSError:
            return False
        _claims.extend(claim.detach() for claim in claims)
    while len(_claims) > _REMEMBERED:
        os.close(_claims.popleft())
    return True
