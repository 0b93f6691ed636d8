"""A gateway that lets redshift_connector talk to PostgreSQL.

The driver sends start-up parameters that PostgreSQL refuses. The gateway drops them and passes on everything else
untouched, from the client's own address, so that the server's log names the client and not the gateway.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import Future

_REDSHIFT_ONLY = {
    b"client_protocol_version",
    b"driver_version",
    b"os_version",
    b"driver_discovery_version",
    b"plugin_name",
}
_PROTOCOL_3 = 196_608
_SSL_REQUEST, _GSS_REQUEST = 80_877_103, 80_877_104


@contextlib.contextmanager
def serve(to_port: int) -> Iterator[int]:
    """Serve in a thread of its own until the end of the block; yields the port to connect to."""
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = Future()

    async def run() -> None:
        stopped = asyncio.Event()
        server = await asyncio.start_server(lambda reader, writer: _connection(reader, writer, to_port), "127.0.0.1", 0)
        started.set_result((asyncio.get_running_loop(), stopped, server.sockets[0].getsockname()[1]))
        await stopped.wait()
        server.close()

    thread = threading.Thread(target=asyncio.run, args=[run()], daemon=True, name="gateway")
    thread.start()
    loop, stopped, port = started.result(10)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join(5)


async def _connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to_port: int) -> None:
    hung_up = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError)
    with contextlib.suppress(*hung_up), contextlib.closing(writer):
        startup = await _startup(reader, writer)
        client_address = writer.get_extra_info("peername")[0]
        upstream, downstream = await asyncio.open_connection("127.0.0.1", to_port, local_addr=(client_address, 0))
        with contextlib.closing(downstream):
            downstream.write(startup)
            async with asyncio.TaskGroup() as both:
                both.create_task(_pump(reader, downstream))
                both.create_task(_pump(upstream, writer))


async def _startup(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Read the start-up message, declining encryption first where it is asked for; return it as PostgreSQL takes it."""
    while True:
        length, code = struct.unpack("!ii", await reader.readexactly(8))
        body = await reader.readexactly(length - 8)
        if code not in (_SSL_REQUEST, _GSS_REQUEST):
            break
        writer.write(b"N")
    if code >> 16 != _PROTOCOL_3 >> 16:
        return struct.pack("!ii", length, code) + body  # a cancel request
    words = body.split(b"\0")
    pairs = zip(words[0::2], words[1::2], strict=False)
    kept = b"".join(name + b"\0" + value + b"\0" for name, value in pairs if name and name not in _REDSHIFT_ONLY)
    return struct.pack("!ii", len(kept) + 9, _PROTOCOL_3) + kept + b"\0"


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
        sink.write_eof()
