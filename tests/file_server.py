"""A web server for tests of downloads: it can be slow, break off, refuse, and lie about lengths."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer(ThreadingHTTPServer):
    """Serves files of this process on a free port.

    Attributes:
        data: the content of every path that `files` does not have.
        files: contents by path.
        status: answered instead of a file, unless it is 200.
        ranges: whether parts of a file are served; "other" serves another part than requested, "unconditional" serves
            a part whatever If-Range says.
        validators: headers that identify the version of the files, such as ETag; If-Range is compared with them.
        length: a Content-Length that replaces the true one; "none" leaves it out.
        breaks: numbers of bytes after which the next answers break off.
        pause: number of bytes after which an answer waits for `go`; None for no pause.
        requests: the Range header of each request.
        sent: the number of bytes of each answer.
        then: called after an answer that broke off.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, data: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.data, self.files = data, dict[str, bytes]()
        self.status, self.ranges, self.length = 200, "served", ""
        self.breaks: list[int] = []
        self.pause: int | None = None
        self.go = threading.Event()
        self.requests: list[str | None] = []
        self.sent: list[int] = []
        self.validators: dict[str, str] = {}
        self.then: Callable[[], None] = lambda: None

    def url(self, path: str = "/files/sounds.zip?download=1") -> str:
        """The address of a path."""
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: FileServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Prints nothing."""

    def do_GET(self) -> None:
        server, requested = self.server, self.headers["Range"]
        server.requests.append(requested)
        data = server.files.get(self.path, server.data)
        version = self.headers["If-Range"]
        same = version is None or version in server.validators.values() or server.ranges == "unconditional"
        start = int(requested[6:-1]) if requested and server.ranges and same else 0
        beyond = 0 < len(data) <= start
        if server.ranges == "other":
            start = start // 2
        body = b"" if server.status != 200 or beyond else data[start:]
        status = server.status if server.status != 200 else 416 if beyond else 206 if start else 200
        end = server.breaks.pop(0) if server.breaks else None
        server.sent.append(len(body[:end]))
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        elif status == 416:
            self.send_header("Content-Range", f"bytes */{len(data)}")
        for name, value in server.validators.items():
            self.send_header(name, value)
        if server.length == "none":
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", server.length or str(len(body)))
        self.end_headers()
        if server.pause is not None:
            self.wfile.write(body[: server.pause])
            self.wfile.flush()
            server.go.wait(30)
            body = body[server.pause :]
        self.wfile.write(body[:end])
        self.close_connection = end is not None or server.length != ""
        if end is not None:
            server.then()


@contextmanager
def serving(data: bytes = b"") -> Iterator[FileServer]:
    """A server that runs until the block ends."""
    with FileServer(data) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.go.set()
            server.shutdown()
            thread.join()
