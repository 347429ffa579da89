"""Answers, a tiny language model, and a server that fails as it is told to."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Union

from gap_mmaction.generation.journal import Answer
from gap_mmaction.generation.prompts import NUM_SYNONYMS, PROMPTS, Question
from gap_mmaction.models.text.descriptions import PARTS

SYNONYMS = (
    "boot, lace up, slip on, step into, strap on, tie, tuck in, zip up, don, fasten"
)
"""The paper's example (GAP, Fig. 5), as are the next two."""

PARAGRAPH = (
    "The man is putting on a shoe. He is bending down and putting his foot into the "
    "shoe. He is then tying the shoe. He is doing this quickly and efficiently."
)
PART_ANSWER = (
    "head tilts slightly forward; hand reaches down and grasps shoe; arm extends down "
    "and forward; hip remains stationary; leg bends at the knee, bringing foot closer "
    "to the hand; foot inserts into shoe."
)
ANSWERS = {"paragraph": PARAGRAPH, "synonyms": SYNONYMS, "parts": PART_ANSWER}
REFUSAL = "I'm sorry, but I can't help with that."


def kind_and_label(prompt: str) -> tuple[str, str]:
    """Tells which prompt a text is, and about what."""
    label = prompt.split('"')[1]
    texts = {text.replace("<action>", label): kind for kind, text in PROMPTS.items()}
    return texts[prompt], label


def good_answer(prompt: str) -> str:
    """Answers a prompt in a way that only this label gets."""
    kind, label = kind_and_label(prompt)
    if kind == "paragraph":
        return f"A person does what is called {label}. It takes a moment."
    if kind == "synonyms":
        return "\n".join(f"{i + 1}. {label} way {i}" for i in range(NUM_SYNONYMS))
    return "\n".join(f"- **{part.title()}:** moves as in {label}" for part in PARTS)


def answer_to(question: Question, text: str, cut_off: bool = False) -> Answer:
    return Answer(question, text, cut_off, "served", 10, 20, "2026-01-02T03:04:05Z")


def save_tiny_language_model(folder: Path, template: bool) -> str:
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers

    text = " ".join([PART_ANSWER, *PROMPTS.values(), "< > user"])
    words = ["[UNK]", "[END]", *sorted(set(text.split()))]
    ids = {word: i for i, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", eos_token="[END]"
    )
    if template:
        fast.chat_template = (
            "{% for m in messages %}< {{ m.role }} > {{ m.content }} {% endfor %}"
            "{% if add_generation_prompt %}< head > {% endif %}"
        )
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    sizes: Any = {"n_positions": 96, "n_embd": 8, "n_layer": 1, "n_head": 2}
    sizes.update(vocab_size=len(words), bos_token_id=1, eos_token_id=1)
    config = transformers.GPT2Config(**sizes)
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    return str(folder)


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
