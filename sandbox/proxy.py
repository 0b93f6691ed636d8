"""A TCP proxy with a behaviour that one switches: the faults of a network and of what is behind it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Literal

from sandbox.relay import pass_on, serving

Behaviour = Literal["answer", "refuse", "hang", "swallow", "cut", "silence"]


class Proxy:
    """A running proxy. ``behaviour`` may be switched at any time, and holds for connections from then on.

    answer: pass everything on. refuse: reset each connection. hang: accept it and say nothing. swallow: pass on what
    the client says, and never an answer. cut: reset it once ``limit`` bytes of answers have passed. silence: pass on
    answers up to ``last_words``, nothing more, and keep the connection. ``answered`` counts the bytes of all answers.
    """

    def __init__(self, to_port: int) -> None:
        self.to_port = to_port
        self.port = 0
        self.behaviour: Behaviour = "answer"
        self.limit = 0
        self.last_words = b""
        self.answered = 0
        self.connections = 0

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle a connection."""
        self.connections += 1
        behaviour = self.behaviour
        with contextlib.suppress(ConnectionError, asyncio.CancelledError), contextlib.closing(writer):
            if behaviour == "refuse":
                writer.transport.abort()
            elif behaviour == "hang":
                while await reader.read(65_536):
                    pass
            else:
                host = writer.get_extra_info("peername")[0]
                upstream, downstream = await asyncio.open_connection("127.0.0.1", self.to_port, local_addr=(host, 0))
                with contextlib.closing(downstream):
                    answers = asyncio.create_task(self._answers(upstream, writer, behaviour))
                    await pass_on(reader, downstream)
                    await answers

    async def _answers(
        self, upstream: asyncio.StreamReader, writer: asyncio.StreamWriter, behaviour: Behaviour
    ) -> None:
        left = {"swallow": 0, "cut": self.limit}.get(behaviour)
        said = b""
        with contextlib.suppress(ConnectionError):
            while data := await upstream.read(65_536):
                if behaviour == "silence" and left is None:
                    said += data
                    _, words, rest = said.partition(self.last_words)
                    left = len(data) - len(rest) if words else None
                if left is not None:
                    data, left = data[:left], left - len(data[:left])
                self.answered += len(data)
                writer.write(data)
                await writer.drain()
                if behaviour == "cut" and not left:
                    writer.transport.abort()
                    return
            if left is None:
                writer.write_eof()


@contextlib.contextmanager
def running_proxy(to_port: int) -> Iterator[Proxy]:
    """Run a proxy to a local port in a thread of its own until the end of the block."""
    proxy = Proxy(to_port)
    with serving(proxy.connection, "proxy") as proxy.port:
        yield proxy
