from pathlib import Path

import pytest

from bench.machine import Machine
from tests.harness.postgres import PostgresServer
from tests.harness.rabbitmq import RabbitMQ


@pytest.fixture
def machine(postgres_server: PostgresServer, rabbitmq_server: RabbitMQ, tmp_path: Path) -> Machine:
    return Machine(postgres_server, rabbitmq_server, tmp_path)
