"""A private RabbitMQ node from the installed package; it shares nothing with the system's own and leaves nothing."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .ports import free_ports
from .turns import alone

DEBIAN = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # what is on the PATH there insists on the system's own instance
POLICY = Path("/usr/sbin/policy-rc.d")


class Node:
    """A node on free ports of this machine; its data outlives `stop` and `start`."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self.folder = folder
        amqp, management, distribution, epmd = free_ports(4)
        self.url = f"amqp://guest:guest@127.0.0.1:{amqp}"
        self.management = f"http://127.0.0.1:{management}"
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("RABBITMQ_")} | {
            "HOME": str(folder),
            "RUNNING_UNDER_SYSTEMD": "true",  # no shell between us and the node: it would not outlive it to bury it
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(epmd),
            "RABBITMQ_NODENAME": f"orderflow-{amqp}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(amqp),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        }
        (folder / "plugins").write_text("[rabbitmq_management].")
        (folder / "rabbitmq.conf").write_text(
            f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {management}\n"
            "log.console = true\nlog.file = false\ndisk_free_limit.absolute = 50MB\n"
        )
        # Without one that listens already, Erlang would start an epmd that stays for ever.
        self._epmd = self._spawn("epmd", "-address", "127.0.0.1", "-port", str(epmd))
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._server = self._spawn(self._program)

    def failure(self) -> str | None:
        """The end of the log when the node has died."""
        if self._server is None or self._server.poll() is None:
            return None
        return (self.folder / "output").read_text()[-2000:]

    def stop(self) -> None:
        """Ends the node in good order."""
        assert self._server is not None
        self._server.terminate()
        try:
            self._server.wait(30)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._server.wait()
        self._server = None

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        if self._server is not None:
            self._signal(signal.SIGKILL)
            self._server.wait()
        self._epmd.kill()
        self._epmd.wait()

    def _spawn(self, *command: str) -> subprocess.Popen[bytes]:
        # A session of its own: Ctrl-C is for pytest, which then ends the node.
        with (self.folder / "output").open("ab") as output:
            return subprocess.Popen(
                command,
                env=self._environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _signal(self, number: signal.Signals) -> None:
        assert self._server is not None
        os.killpg(self._server.pid, number)


@contextmanager
def private_node() -> Iterator[Node]:
    """A node that is not yet started; raises LookupError where RabbitMQ is not installed and cannot be."""
    # Whoever comes while it is being installed would see half of it.
    with alone("rabbitmq"):
        program = _program() or _install()
    with (
        tempfile.TemporaryDirectory(prefix="orderflow-rabbitmq-", ignore_cleanup_errors=True) as folder,
        ExitStack() as stack,
    ):
        node = Node(program, Path(folder))
        stack.callback(node.close)
        yield node


def _program() -> str | None:
    return str(DEBIAN) if DEBIAN.exists() else shutil.which("rabbitmq-server")


def _install() -> str:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise LookupError("rabbitmq-server is not installed")
    sys.stderr.write("RabbitMQ is not here: installing Debian's rabbitmq-server (and not starting it) …\n")
    with _packages_start_nothing():
        for command in (["update"], ["install", "-y", "--no-install-recommends", "rabbitmq-server"]):
            done = subprocess.run(
                ["apt-get", "-qq", *command],
                env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                raise LookupError(f"apt-get {' '.join(command)} failed:\n{done.stdout[-1000:]}")
    return str(DEBIAN)


@contextmanager
def _packages_start_nothing() -> Iterator[None]:
    """Debian asks this file before a package starts its daemon; 101 forbids it."""
    before = POLICY.read_bytes() if POLICY.exists() else None
    mode = POLICY.stat().st_mode if before is not None else 0o755
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
        if before is not None:
            POLICY.write_bytes(before)
            POLICY.chmod(mode)
