"""A real S3 server (moto's) in a process of its own, and a proxy before it that breaks connections and fills disks."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3

# A clock that differs by more is refused, as Amazon's does.
_SKEW_SECONDS = 15 * 60
_ERROR = '<?xml version="1.0"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def s3_server(*, free_requests: int | None = None) -> Iterator[str]:
    """Starts the server; yields its address.

    Args:
        free_requests: requests that are answered before the keys and rights of each are checked; None checks none.
    """
    port = free_port()
    environment = {**os.environ, "MOTO_PORT": str(port)}
    if free_requests is not None:
        environment["INITIAL_NO_AUTH_ACTION_COUNT"] = str(free_requests)
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
            except OSError:
                assert time.monotonic() < deadline, "the S3 server did not start"
                assert process.poll() is None, "the S3 server ended"
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def client_of(server: str, service: str = "s3", *, access: str = "any", secret: str = "any") -> Any:
    """A client of a service of the server, with keys."""
    return boto3.client(
        service,
        endpoint_url=server,
        region_name="us-east-1",
        aws_access_key_id=access,
        aws_secret_access_key=secret,
    )


@contextmanager
def s3_bucket(name: str) -> Iterator[str]:
    """Starts a server that trusts everybody, with an empty bucket; yields its address."""
    with s3_server() as address:
        client_of(address).create_bucket(Bucket=name)
        yield address


def keys_of_a_user(server: str, actions: str = "*") -> tuple[str, str]:
    """Makes a user who may do these actions; returns the access key and the secret key. Takes three requests."""
    iam = client_of(server, "iam")
    iam.create_user(UserName="one")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    iam.put_user_policy(UserName="one", PolicyName="may", PolicyDocument=json.dumps(policy))
    made = iam.create_access_key(UserName="one")["AccessKey"]
    return made["AccessKeyId"], made["SecretAccessKey"]


class Faults:
    """What the proxy does wrong.

    Attributes:
        break_after: bytes of an answer after which its connection ends, of the next `breaks` answers that are longer.
        parts: parts of an upload that arrive before the connection ends at every further one; None lets all arrive.
        full: every write is refused, as by a bucket that has reached its quota.
        requests: methods and paths of all requests so far.
    """

    def __init__(self) -> None:
        self.break_after, self.breaks = 0, 0
        self.parts: int | None = None
        self.full = False
        self.requests: list[tuple[str, str]] = []


@contextmanager
def proxy(server: str) -> Iterator[tuple[str, Faults]]:
    """A proxy before an S3 server; it checks the clock of each signed request, which moto does not."""
    faults, target = Faults(), server.removeprefix("http://")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Keeps the test's output clean."""

        def _pass(self) -> None:
            faults.requests.append((self.command, self.path))
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else b""
            if self.command == "PUT" and faults.full:
                return self._refuse(403, "QuotaExceeded")
            if self._skewed():
                return self._refuse(403, "RequestTimeTooSkewed")
            if "partNumber=" in self.path and self.command == "PUT" and faults.parts is not None:
                if faults.parts == 0:
                    return self._hang_up()
                faults.parts -= 1
            upstream = http.client.HTTPConnection(target, timeout=30)
            upstream.request(self.command, self.path, body, dict(self.headers.items()))
            answer = upstream.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                    self.send_header(name, value)
            size = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
            self.send_header("Content-Length", size or "0")
            self.end_headers()
            if self.command == "GET" and faults.breaks and len(content) > faults.break_after:
                faults.breaks -= 1
                self.wfile.write(content[: faults.break_after])
                return self._hang_up()
            if self.command != "HEAD":
                self.wfile.write(content)
            return None

        def _skewed(self) -> bool:
            date = self.headers.get("X-Amz-Date")
            if date is None:
                return False
            sent = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            return abs((datetime.now(UTC) - sent).total_seconds()) > _SKEW_SECONDS

        def _refuse(self, status: int, code: str) -> None:
            content = _ERROR.format(code=code).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _hang_up(self) -> None:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass  # noqa: N815

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.daemon_threads = True
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{web.server_port}", faults
    finally:
        web.shutdown()
        web.server_close()
        thread.join()
