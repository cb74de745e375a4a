"""The server's socket, and the server itself until a signal ends it."""

from __future__ import annotations

import os
import socket

import uvicorn

from core.errors import UserError, describe_cause
from core.serve.app import Service
from core.serve.wire import Impatient

_CONNECTIONS = 1000  # at a time; each is a file to the system
_LAST = 10  # seconds in which what is inside is answered before the end


def open_socket(address: str, port: int) -> socket.socket:
    """Return a socket that is bound to an address of this machine, not yet listening; port 0 is any free one.

    Raises:
        UserError: when there is no such address here, or its port is in use.
    """
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise UserError(f"{address} is not an address of this machine ({error}).") from None
    opened = socket.socket(family, kind, protocol)
    try:
        if os.name != "nt":  # where it means that another program may have the port too
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(place)
    except OSError as error:
        opened.close()
        raise UserError(
            f"Port {port} of {address} cannot be used ({describe_cause(error)}). Choose another with --port."
        ) from None
    return opened


def name_place(opened: socket.socket) -> str:
    """Return the address of a bound socket as a browser takes it: 'http://127.0.0.1:8600'."""
    host, port = opened.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def make_server(service: Service) -> uvicorn.Server:
    """Return the server of a service; `run(sockets=[…])` serves until a signal, or `should_exit`, ends it."""
    config = uvicorn.Config(
        service.app,
        http=Impatient,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # who asks is who is connected, whatever a header says
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_LAST,
    )
    return uvicorn.Server(config)
