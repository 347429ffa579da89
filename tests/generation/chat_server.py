"""A server that speaks OpenAI's chat protocol, and fails as it is told to."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.generation.common import good_answer

Script = Callable[[str, int], str]
"""Prompt and number of the attempt -> what to do, one of the names below."""

GOOD = "good"
SLOW = "slow"
BROKEN_JSON = "broken"
NOT_JSON = "html"
RESET = "reset"
ERROR = "error"  # status 200, and an error inside
ECHO = "echo"  # an answer that holds what the client sent as its key
SAY = "say:"  # and what to say
STATUS = "status:"  # and the status, and perhaps a comma and a Retry-After


class ChatServer:
    """Runs in a thread while its ``with`` block does.

    Args:
        script: What to do with a request.
        delay: Seconds before every answer.
    """

    def __init__(
        self, script: Script = lambda prompt, attempt: GOOD, delay: float = 0.0
    ) -> None:
        self.script = script
        self.delay = delay
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.times: dict[str, list[float]] = {}
        self.bodies: list[dict[str, Any]] = []
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @property
    def num_asked(self) -> int:
        return sum(self.asked.values())

    @property
    def num_answered(self) -> int:
        with self.lock:
            return sum(self.answered.values())

    def __enter__(self) -> ChatServer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _completion(text: str, model: str) -> bytes:
    message = {"role": "assistant", "content": text}
    content = {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": f"{model}-0613",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 22, "total_tokens": 33},
    }
    return json.dumps(content).encode()


def _handler_of(server: ChatServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            prompt = body["messages"][-1]["content"]
            with server.lock:
                server.bodies.append(body)
                server.asked[prompt] += 1
                attempt = server.asked[prompt]
                server.times.setdefault(prompt, []).append(time.monotonic())
            try:
                self._act(server.script(prompt, attempt), prompt, body["model"])
            except OSError:
                return  # the client has left

        def _act(self, action: str, prompt: str, model: str) -> None:
            key = self.headers["Authorization"].split()[-1]
            if action == SLOW:
                server.closing.wait(30)
                return
            if action.startswith(STATUS):
                status, _, wait = action[len(STATUS) :].partition(",")
                headers = [("Retry-After", wait)] if wait else []
                error = {"error": {"message": f"key {key} is refused", "code": "x"}}
                self._send(json.dumps(error).encode(), int(status), headers=headers)
                return
            text = good_answer(prompt)
            if action.startswith(SAY):
                text = action[len(SAY) :]
            elif action == ECHO:
                text = f"The person who sent {key} does it. {text}"
            content = _completion(text, model)
            if action == BROKEN_JSON:
                self._send(content[: len(content) // 2])
            elif action == NOT_JSON:
                self._send(b"<html>welcome</html>", kind="text/html")
            elif action == ERROR:
                self._send(b'{"error": {"message": "no credit today"}}')
            elif action == RESET:
                self._reset(content)
            else:
                time.sleep(server.delay)
                with server.lock:
                    # Before the last byte: an answer that arrives is counted.
                    server.answered[prompt] += 1
                self._send(content)

        def _send(
            self,
            content: bytes,
            status: int = 200,
            kind: str = "application/json",
            headers: Sequence[tuple[str, str]] = (),
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def _reset(self, content: bytes) -> None:
            """Break the connection off in the middle of an answer."""
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()

        def log_message(self, *args: object) -> None:
            """Stay silent."""

    return Handler
