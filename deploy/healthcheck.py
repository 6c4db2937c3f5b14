"""Exits 0 if the service in this container is ready. It runs every few seconds, so it loads next to nothing."""

import os
import socket
import sys

port = int(os.environ.get(os.environ["SERVICE"].upper() + "_PORT", "8000"))
with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
    connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    sys.exit(connection.recv(12) != b"HTTP/1.1 200")
