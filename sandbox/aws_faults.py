"""An HTTP layer before the local AWS, in which one switches faults topic by topic: what SNS and the way to it do."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import unquote

Fault = Literal["refuse", "hang", "swallow", "InternalError", "Throttling", "AuthorizationError"]
_STATUS = {"InternalError": 500, "Throttling": 400, "AuthorizationError": 403}
_ERROR = (
    '<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>{type}</Type><Code>{code}</Code>'
    "<Message>{code} of the sandbox</Message></Error><RequestId>00000000</RequestId></ErrorResponse>"
)


class AwsFaults(ThreadingHTTPServer):
    """Passes requests on to AWS, but those of a topic (its name) in ``faults``, which may be changed at any time.

    refuse: reset the connection. hang: pass nothing on and never answer. swallow: pass on, and never answer. The others
    are error codes of SNS, answered in its own form.
    """

    daemon_threads = True

    def __init__(self, to_port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.to_port = to_port
        self.port = int(self.server_address[1])
        self.faults: dict[str, Fault] = {}
        self.stopped = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: AwsFaults
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        found = re.search(r"(?:Target|Topic)Arn=([^&]+)", body.decode("latin-1"))
        fault = self.server.faults.get(unquote(found[1]).rsplit(":", 1)[-1]) if found else None
        if fault == "refuse":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        elif fault in _STATUS:
            status = _STATUS[fault]
            kind = "Receiver" if status == 500 else "Sender"
            self._answer(status, {"Content-Type": "text/xml"}, _ERROR.format(type=kind, code=fault).encode())
        elif fault == "hang":
            self._keep_silent()
        else:
            answer = self._pass_on(body)
            if fault == "swallow":
                self._keep_silent()
            else:
                self._answer(*answer)

    do_GET = do_POST  # noqa: N815 -- as above

    def _pass_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        aws = http.client.HTTPConnection("127.0.0.1", self.server.to_port, timeout=60)
        with contextlib.closing(aws):
            aws.request(self.command, self.path, body, dict(self.headers.items()))
            response = aws.getresponse()
            return response.status, dict(response.getheaders()), response.read()

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _keep_silent(self) -> None:
        self.server.stopped.wait(60)  # longer than any client waits
        self.close_connection = True

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


@contextlib.contextmanager
def running_aws_faults(to_port: int) -> Iterator[AwsFaults]:
    """Run the layer before the local AWS at ``to_port`` until the end of the block."""
    with AwsFaults(to_port) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True, name="aws faults")
        thread.start()
        try:
            yield server
        finally:
            server.stopped.set()
            server.shutdown()
            thread.join(5)
