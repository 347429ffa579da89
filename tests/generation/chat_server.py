"""A server that speaks OpenAI's chat protocol, and fails as it is told to."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Union

from tests.generation.common import good_answer

Action = Union[str, int, bytes, None]
Script = Callable[[str, int], Action]
"""Prompt and number of the attempt -> an answer, in which ``{key}`` is the client's;
a status; the body of a response; or None, a connection that is broken off."""

SLOW = "slow"  # no answer at all


class ChatServer(ThreadingHTTPServer):
    """Runs during its ``with`` block; without ``schema`` it refuses to give JSON."""

    daemon_threads = True

    def __init__(
        self,
        script: Script = lambda prompt, attempt: good_answer(prompt),
        delay: float = 0.0,
        retry_after: str = "",
        schema: bool = True,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script, self.delay = script, delay
        self.retry_after, self.schema = retry_after, schema
        self.asked: Counter[str] = Counter()
        self.num_answered = 0
        self.bodies: list[dict[str, Any]] = []
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"

    def __enter__(self) -> ChatServer:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: ChatServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self.headers["Authorization"].split()[-1]
        prompt = body["messages"][-1]["content"]
        with self.server.lock:
            self.server.bodies.append(body)
            self.server.asked[prompt] += 1
            attempt = self.server.asked[prompt]
        action = self.server.script(prompt, attempt)
        if "response_format" in body and not self.server.schema:
            action = 400
        if action == SLOW:
            self.server.closing.wait(30)
        elif isinstance(action, int):
            self._send({"error": {"message": f"key {key} is refused"}}, action)
        elif isinstance(action, bytes):
            self._send(action)
        elif isinstance(action, str):
            time.sleep(self.server.delay)
            with self.server.lock:
                # Before the last byte: an answer that arrives is counted.
                self.server.num_answered += 1
            message = {"role": "assistant", "content": action.replace("{key}", key)}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            usage = {"prompt_tokens": 11, "completion_tokens": 22, "total_tokens": 33}
            head = {"id": "1", "object": "chat.completion", "created": 1}
            model = f"{body['model']}-0613"
            self._send({**head, "model": model, "choices": [choice], "usage": usage})

    def _send(self, content: bytes | dict[str, Any], status: int = 200) -> None:
        if isinstance(content, dict):
            content = json.dumps(content).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if self.server.retry_after:
                self.send_header("Retry-After", self.server.retry_after)
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            return  # the client has left

    def log_message(self, *args: object) -> None:
        return
