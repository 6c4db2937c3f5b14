"""Programs that tests start end with them, also where the tests are killed."""

import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tests.harness.platform import until
from tests.harness.ports import free_ports

_TESTS = """
import os, signal, socket, sys, time
from pathlib import Path
from tests.harness.program import Program

port, folder = sys.argv[1:]
Program(["mail", "catch", "--port", port, "--folder", folder], os.environ, Path(folder, "log"))
while True:
    try:
        socket.create_connection(("127.0.0.1", int(port))).close()
    except OSError:
        time.sleep(0.1)
    else:
        os.kill(os.getpid(), signal.SIGKILL)
"""


async def test_what_killed_tests_have_started_ends(tmp_path: Path) -> None:
    [port] = free_ports(1)
    script = [sys.executable, "-c", _TESTS, str(port), str(tmp_path)]

    tests = subprocess.Popen(script, env={**os.environ, "PYTHONPATH": os.getcwd()})  # noqa: ASYNC220
    await until(lambda: tests.poll() is not None, 60)

    assert tests.returncode == -9
    await until(lambda: _is_free(port), 10)


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) != 0
