"""A server that speaks OpenAI's chat protocol, and fails as it is told to."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Union

Action = Union[str, int, bytes, None]
Script = Callable[[str, int], Action]
"""Prompt and number of the attempt -> what to do.

A text is the answer, with ``{key}`` replaced by the client's key; a number is a status;
bytes are the body of a response; None is a connection that is broken off.
"""

SLOW = "slow"  # no answer at all


class ChatServer:
    """Runs in a thread while its ``with`` block does.

    Args:
        script: What to do with a request.
        delay: Seconds before every answer.
        retry_after: Sent with every response.
        schema: Whether it takes a JSON schema; if not, it refuses it.
    """

    def __init__(
        self,
        script: Script,
        delay: float = 0.0,
        retry_after: str = "",
        schema: bool = True,
    ) -> None:
        self.script = script
        self.delay = delay
        self.retry_after = retry_after
        self.schema = schema
        self.asked: Counter[str] = Counter()
        self.num_answered = 0
        self.bodies: list[dict[str, Any]] = []
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @property
    def num_asked(self) -> int:
        return sum(self.asked.values())

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
            key = self.headers["Authorization"].split()[-1]
            prompt = body["messages"][-1]["content"]
            with server.lock:
                server.bodies.append(body)
                server.asked[prompt] += 1
                attempt = server.asked[prompt]
            action = server.script(prompt, attempt)
            if "response_format" in body and not server.schema:
                action = 400
            if action == SLOW:
                server.closing.wait(30)
            elif isinstance(action, int):
                error = {"error": {"message": f"key {key} is refused", "code": "x"}}
                self._send(json.dumps(error).encode(), action)
            elif isinstance(action, bytes):
                self._send(action)
            elif isinstance(action, str):
                time.sleep(server.delay)
                with server.lock:
                    # Before the last byte: an answer that arrives is counted.
                    server.num_answered += 1
                self._send(_completion(action.replace("{key}", key), body["model"]))

        def _send(self, content: bytes, status: int = 200) -> None:
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                if server.retry_after:
                    self.send_header("Retry-After", server.retry_after)
                self.end_headers()
                self.wfile.write(content)
            except OSError:
                return  # the client has left

        def log_message(self, *args: object) -> None:
            """Stays silent."""

    return Handler
