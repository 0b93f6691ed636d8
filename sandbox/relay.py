"""What stands between a client and a server: a TCP server in a thread of its own, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future


@contextlib.contextmanager
def serving(
    connection: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], name: str
) -> Iterator[int]:
    """Have ``connection`` handle each connection until the end of the block; yields the port to connect to."""
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = Future()
    running: set[asyncio.Task[None] | None] = set()  # asyncio forgets a task whose client has hung up

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        running.add(task)
        try:
            await connection(reader, writer)
        finally:
            running.discard(task)

    async def run() -> None:
        stopped = asyncio.Event()
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        started.set_result((asyncio.get_running_loop(), stopped, server.sockets[0].getsockname()[1]))
        await stopped.wait()
        server.close()

    thread = threading.Thread(target=asyncio.run, args=[run()], daemon=True, name=name)
    thread.start()
    loop, stopped, port = started.result(10)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join(5)


async def pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Pass on what one side says, and that it hung up, in whatever way."""
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    with contextlib.suppress(OSError):
        sink.write_eof()
