"""A gateway that lets redshift_connector talk to PostgreSQL.

The driver sends start-up parameters that PostgreSQL refuses. The gateway drops them and passes on everything else
untouched, from the client's own address, so that the server's log names the client and not the gateway.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct

from sandbox.relay import pass_on, serving

_REDSHIFT_ONLY = {
    b"client_protocol_version",
    b"driver_version",
    b"os_version",
    b"driver_discovery_version",
    b"plugin_name",
}
_PROTOCOL_3 = 196_608
_SSL_REQUEST, _GSS_REQUEST = 80_877_103, 80_877_104


def serve(to_port: int) -> contextlib.AbstractContextManager[int]:
    """Serve in a thread of its own until the end of the block; yields the port to connect to."""
    return serving(lambda reader, writer: _connection(reader, writer, to_port), "gateway")


async def _connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to_port: int) -> None:
    hung_up = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError)
    with contextlib.suppress(*hung_up), contextlib.closing(writer):
        startup = await _startup(reader, writer)
        client_address = writer.get_extra_info("peername")[0]
        upstream, downstream = await asyncio.open_connection("127.0.0.1", to_port, local_addr=(client_address, 0))
        with contextlib.closing(downstream):
            downstream.write(startup)
            async with asyncio.TaskGroup() as both:
                both.create_task(pass_on(reader, downstream))
                both.create_task(pass_on(upstream, writer))


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
