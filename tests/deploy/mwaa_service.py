"""A stand-in for the service MWAA, which the local AWS lacks: one environment that can be asked for and updated."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sandbox.aws import ACCOUNT, REGION


@dataclass
class Service:
    """The environment ``found``, and each update that was asked for; ``fails_with`` is what the next one ends with."""

    endpoint: str
    found: dict[str, Any]
    updates: list[dict[str, Any]] = field(default_factory=list)
    shows_pending: bool = False
    looks_until_begun: int = 0
    looks_until_done: int = 2
    throttled_looks: int = 0
    fails_with: str = ""
    refuses_updates: bool = False
    breaks_off_updates: bool = False
    _looks: int | None = None

    def look(self) -> dict[str, Any]:
        """Return the environment; an update ends after some looks."""
        if self._looks is not None:
            self._looks += 1
            if self._looks > self.looks_until_begun:
                self.found["Status"] = "UPDATING"
            if self._looks >= self.looks_until_done:
                self._end()
        return self.found

    def update(self, asked: dict[str, Any]) -> None:
        """Begin an update."""
        self.updates.append(asked)
        self._looks = 0
        if self.shows_pending:
            self.found["LastUpdate"] = {"Status": "PENDING", "CreatedAt": 1_770_000_000 + len(self.updates)}

    def _end(self) -> None:
        self.found["Status"], self._looks = "AVAILABLE", None
        ended = {"Status": "SUCCESS", "CreatedAt": 1_770_000_000 + len(self.updates)}
        if self.fails_with:
            error = {"ErrorCode": "INCORRECT_CONFIGURATION", "ErrorMessage": self.fails_with}
            self.found["LastUpdate"] = ended | {"Status": "FAILED", "Error": error}
        else:
            self.found |= self.updates[-1] | {"LastUpdate": ended}


@contextlib.contextmanager
def running_service(bucket: str) -> Iterator[Service]:
    """Serve until the end of the block; the environment is called ``alerts``."""
    service = Service(
        "",
        {
            "Name": "alerts",
            "Status": "AVAILABLE",
            "Arn": f"arn:aws:airflow:{REGION}:{ACCOUNT}:environment/alerts",
            "AirflowVersion": "3.3.1",
            "SourceBucketArn": f"arn:aws:s3:::{bucket}",
            "DagS3Path": "dags",
            "WebserverUrl": "alerts.example",
        },
    )

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/environments":
                self._answer(200, {"Environments": ["alerts"]})
            elif service.throttled_looks and service.updates:
                service.throttled_looks -= 1
                self._answer(400, {"message": "Rate exceeded"}, "ThrottlingException")
            elif self.path == "/environments/alerts":
                self._answer(200, {"Environment": service.look()})
            else:
                self._answer(404, {"message": "Environment not found"}, "ResourceNotFoundException")

        def do_PATCH(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if service.refuses_updates:
                return self._answer(403, {"message": "not authorized"}, "AccessDeniedException")
            if service.breaks_off_updates:
                return self.connection.close()
            service.update(asked)
            return self._answer(200, {"Arn": service.found["Arn"]})

        def _answer(self, status: int, content: dict[str, Any], error: str = "") -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            if error:
                self.send_header("x-amzn-ErrorType", error)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    service.endpoint = f"http://127.0.0.1:{server.server_port}"
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
