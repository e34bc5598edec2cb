"""An audience: a web server for the phones in a room, on which each listener takes a blind test of its own.

The server answers only while it is switched on, on one address of the local network, and only below a path that nobody
can guess: the page, the questions and sounds of a test that it began itself, and the answers to it.
"""

import io
import secrets
import socket
import time
from collections.abc import Sequence
from importlib.resources import files
from threading import Lock, Thread

import segno
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from distrack.errors import DistrackError
from distrack.jobs.listening import Listening, blind
from distrack.jobs.listening.blind import QUESTIONS, BlindTest
from distrack.runs import Run

# Letters and digits that are not mistaken for each other on a screen.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_LENGTH = 8
_MOST_LISTENERS = 1000
# Bytes of the longest answer that is read.
_LONGEST = 200
# Seconds after which a server that has not begun to answer is given up.
_PATIENCE = 10.0
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Audience:
    """The server of one audience, which answers from its making until `close`.

    Args:
        run: has the sounds.
        place: the run whose folder the answers are stored in; for the included run another one.
        trials: questions of each listener.
        address: address of the network interface to answer on; by default that of the local network.

    Raises:
        DistrackError: the address cannot be used.
    """

    def __init__(
        self,
        run: Run,
        place: Run,
        listening: Listening,
        classes: Sequence[str],
        *,
        trials: int,
        address: str | None = None,
    ) -> None:
        self._run, self._place, self._listening, self._classes = run, place, listening, classes
        self._trials, self._lock = trials, Lock()
        self._tests: dict[str, BlindTest] = {}
        self.name = time.strftime("%Y-%m-%dT%H-%M-%S")
        self.code = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
        host = local_address() if address is None else address
        try:
            listener = socket.create_server((host, 0), backlog=128)
        except OSError as error:
            problem = f"the address {host} cannot be used for an audience: {error.strerror}"
            raise DistrackError(problem, remedy="connect this computer to a network") from error
        self.url = f"http://{host}:{listener.getsockname()[1]}/{self.code}"
        self._server = uvicorn.Server(
            uvicorn.Config(self._application(), log_level="warning", access_log=False, server_header=False)
        )
        self._thread = Thread(target=self._server.run, args=([listener],), daemon=True)
        self._thread.start()
        waits_until = time.monotonic() + _PATIENCE
        while not self._server.started and self._thread.is_alive() and time.monotonic() < waits_until:
            time.sleep(0.01)
        if not self._server.started:
            raise DistrackError("the page for an audience could not be started")

    def close(self) -> None:
        """Ends the server; answers that were given stay."""
        self._server.should_exit = True
        self._thread.join(_PATIENCE)

    def tests(self) -> list[BlindTest]:
        """The tests of all listeners so far, the oldest first."""
        with self._lock:
            return list(self._tests.values())

    def qr_code(self) -> str:
        """The address as a QR code: an SVG, dark on white."""
        picture = io.BytesIO()
        segno.make(self.url, error="m", micro=False).save(picture, kind="svg", xmldecl=False, light="#fff", scale=8)
        return picture.getvalue().decode()

    # What the server answers; each handler runs in a thread of its own, unless it reads the body.

    def _application(self) -> Starlette:
        base = f"/{self.code}"
        return Starlette(
            routes=[
                Route(base, self._page),
                Route(f"{base}/tests", self._begin, methods=["POST"]),
                Route(f"{base}/tests/{{test}}", self._question),
                Route(f"{base}/tests/{{test}}/{{number:int}}", self._answer, methods=["POST"]),
                Route(f"{base}/tests/{{test}}/{{number:int}}/{{sound:int}}", self._sound),
            ],
            exception_handlers={DistrackError: _refused},
        )

    def _page(self, _request: Request) -> Response:
        return HTMLResponse(files(__package__).joinpath("phone.html").read_text("utf-8"), headers=_HEADERS)

    def _begin(self, _request: Request) -> Response:
        with self._lock:
            if len(self._tests) >= _MOST_LISTENERS:
                raise HTTPException(503, "The room is full.")
            test = blind.begin(self._place, self._listening, self._classes, trials=self._trials, audience=self.name)
            self._tests[test.id] = test
        return _json(test)

    def _question(self, request: Request) -> Response:
        return _json(self._test(request))

    async def _answer(self, request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _LONGEST:
                raise HTTPException(413, "The answer is too long.")
        with self._lock:
            test = self._test(request)
            # An answer that was sent twice counts once.
            if request.path_params["number"] == len(test.answers):
                try:
                    test = blind.answer(self._place, test, int(body))
                except ValueError:
                    raise HTTPException(400, "There is no such answer.") from None
                self._tests[test.id] = test
        return _json(test)

    def _sound(self, request: Request) -> Response:
        test, number, sound = self._test(request), request.path_params["number"], request.path_params["sound"]
        if number != len(test.answers) or test.current is None or sound >= len(test.current.sounds):
            raise HTTPException(404)
        wave = blind.at_equal_loudness(self._run, test.current.sounds[sound])
        return Response(wave, media_type="audio/flac", headers=_HEADERS)

    def _test(self, request: Request) -> BlindTest:
        test = self._tests.get(request.path_params["test"])
        if test is None:
            raise HTTPException(404)
        return test


def local_address() -> str:
    """The address of this computer in its local network; the computer's own address if it is in none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address for documentation: nothing is sent
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def _refused(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 500, headers=_HEADERS)


def _json(test: BlindTest) -> Response:
    """What a phone shows next: the question that waits, without its answer, or the verdicts."""
    trial, shown = test.current, {"test": test.id, "number": len(test.answers), "of": len(test.trials)}
    if trial is None:
        verdicts = [result.verdict("You") for result in blind.results([test])]
        return JSONResponse({**shown, "verdicts": verdicts}, headers=_HEADERS)
    question = {"question": QUESTIONS[trial.task], "sounds": len(trial.sounds), "choices": test.sentences(trial)}
    return JSONResponse({**shown, **question}, headers=_HEADERS)
