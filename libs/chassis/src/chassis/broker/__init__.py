"""Carries events between services: one protocol, kept by RabbitMQ or inside one process. Events are the contracts'."""

from .in_process import InProcessBroker
from .protocol import Broker, Consuming, Handle, Message, NotConfirmed, NotReady, Subscription, Unroutable
from .rabbit import RabbitBroker

__all__ = [
    "Broker",
    "Consuming",
    "Handle",
    "InProcessBroker",
    "Message",
    "NotConfirmed",
    "NotReady",
    "RabbitBroker",
    "Subscription",
    "Unroutable",
]
