"""Asks language models: behind a server, or on this machine; keeps every answer."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import astuple
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import torch

from gap_mmaction.compat import set_openai_retry_delay

from .assembly import read_answer
from .journal import Answer, GenerationError, Journal
from .prompts import Question, json_schema

KEY_VARIABLE = "OPENAI_API_KEY"

_LONGEST_DELAY = 60.0  # seconds between two attempts, unless the server asks for more
_HINTS = {
    401: f"check the key in {KEY_VARIABLE}",
    403: f"the key in {KEY_VARIABLE} may not use this model",
    404: "check --model and --base-url, which usually ends in /v1",
}
_NO_SCHEMA = (400, 422, 500, 501)  # what servers answer that know no JSON schema
_SHORTEST_IN_ANSWER = 12  # a shorter key can be a word: "EMPTY" for a local server
_LOCAL_MAX_TOKENS = 512


class LanguageModel(Protocol):
    """A model; once ``stopped`` is set, it puts no question again."""

    stopped: threading.Event

    def ask(self, question: Question) -> Answer:
        """Puts a question, or raises a GenerationError."""


class ChatModel:
    """A model behind a server that speaks OpenAI's protocol, asked with its client.

    It is asked for JSON after a schema, or for plain text where the server refuses
    that. The client itself asks again after a timeout, a lost connection, an answer
    that is no chat completion, and the status codes 408, 409, 429 and from 500 on.
    The key, in the environment variable ``OPENAI_API_KEY``, gets into no message and
    no answer. Times are in seconds; ``retry_delay`` doubles each time; ``options`` are
    of the request, such as ``temperature``, None for the server's own.
    """

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        timeout: float = 120.0,
        max_retries: int = 6,
        retry_delay: float = 1.0,
        **options: Any,
    ) -> None:
        try:
            self._openai: Any = importlib.import_module("openai")
        except ImportError as error:
            raise ImportError(
                f"asking a server needs openai ({error}): `pip install openai`, or ask "
                "a local model with --backend transformers"
            ) from error
        key = os.environ.get(KEY_VARIABLE, "").strip()
        address = base_url or os.environ.get("OPENAI_BASE_URL") or ""
        if not key and not address:
            raise ValueError(
                f"there is no key: set {KEY_VARIABLE} in the environment, or give the "
                "--base-url of a server that needs none"
            )
        if not key.isascii() or not key.isprintable() or " " in key:
            # The client's own message on this would show it.
            raise ValueError(f"{KEY_VARIABLE} holds signs no key has; copy it again")
        if address and urlsplit(address).scheme not in ("http", "https"):
            raise ValueError("--base-url must start with http:// or https://")
        secrets = [key, urlsplit(address).password or ""]
        forms = {form for secret in secrets for form in (secret, quote(secret, ""))}
        # The longest first: one may contain another.
        self._secrets = sorted(forms - {""}, key=len, reverse=True)
        self._request = {k: v for k, v in options.items() if v is not None}
        self._request["model"] = model
        self._takes_schema = True
        self.stopped = threading.Event()
        set_openai_retry_delay(retry_delay, _LONGEST_DELAY)
        hooks = {"request": [self._check_request], "response": [self._check_response]}
        self._client: Any = self._openai.OpenAI(
            api_key=key or "no-key",  # a server of one's own often needs none
            base_url=base_url,
            timeout=timeout,
            max_retries=max_retries,
            http_client=self._openai.DefaultHttpxClient(event_hooks=hooks),
        )

    def ask(self, question: Question) -> Answer:
        """Puts a question, or raises a GenerationError."""
        # Nothing is chained to what is raised here: the errors of the client hold the
        # request with its key.
        try:
            completion = self._complete(question)
            choice, usage = completion.choices[0], completion.usage
            said = choice.message.content or getattr(choice.message, "refusal", None)
            return Answer(
                question,
                self._mask(said or "", _SHORTEST_IN_ANSWER),
                cut_off=choice.finish_reason == "length",
                served_model=self._mask(completion.model or "", _SHORTEST_IN_ANSWER),
                tokens_in=getattr(usage, "prompt_tokens", None),
                tokens_out=getattr(usage, "completion_tokens", None),
            )
        except self._openai.APIStatusError as error:
            hint = _HINTS.get(error.status_code, "the server refuses the request")
            text = f"status {error.status_code}: {error.message}; {hint}"
        except Exception as error:
            cause = f" ({error.__cause__})" if error.__cause__ else ""
            text = f"{self._client.base_url}: {type(error).__name__}: {error}{cause}"
        raise GenerationError(self._mask(text))

    def _complete(self, question: Question) -> Any:
        texts = (("system", question.system), ("user", question.prompt))
        messages = [{"role": role, "content": text} for role, text in texts if text]
        request = {"messages": messages, **self._request}
        create = self._client.chat.completions.create
        if self._takes_schema:
            schema = {"name": question.kind, "schema": json_schema(question.kind)}
            form = {"type": "json_schema", "json_schema": {**schema, "strict": True}}
            try:
                return create(**request, response_format=form)
            except self._openai.APIStatusError as error:
                if error.status_code not in _NO_SCHEMA:
                    raise
        completion = create(**request)
        self._takes_schema = False  # only now: the question itself may be refused
        return completion

    def _check_request(self, request: Any) -> None:
        """Ends the client's attempts once others have stopped the run."""
        if self.stopped.is_set():
            raise self._openai.OpenAIError("stopped")

    def _check_response(self, response: Any) -> None:
        """Has the client ask again where an answer is no chat completion."""
        if response.is_success:
            response.read()
            try:
                response.json()["choices"][0]["message"]
            except (ValueError, TypeError, LookupError, RecursionError):
                response.status_code = 502  # as of a gateway to a broken server

    def _mask(self, text: str, shortest: int = 1) -> str:
        """Replaces the secrets, in one pass: nothing is looked for in a mask."""
        secrets = [re.escape(s) for s in self._secrets if len(s) >= shortest]
        return re.sub("|".join(secrets), "[hidden]", text) if secrets else text


class LocalModel:
    """A causal language model of the transformers library.

    ``model`` is the folder of a saved one, or a name on the hub. Without a chat
    template, it gets the prompt as a text to go on with. An answer depends on question
    and seed alone: a resumed run gives those of a whole one. A ``temperature`` of 0 is
    for the likeliest answer, None for the model's own setting.
    """

    def __init__(
        self,
        model: str,
        temperature: float | None = None,
        max_tokens: int | None = None,
        seed: int = 0,
    ) -> None:
        transformers: Any = importlib.import_module("transformers")
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(
                model, trust_remote_code=False
            )
            self._model = transformers.AutoModelForCausalLM.from_pretrained(
                model, trust_remote_code=False, weights_only=True
            )
        except (OSError, ValueError) as error:
            raise GenerationError(
                f"--model {model!r}: no language model can be read there ({error}); "
                "give a folder as save_pretrained writes it, with the tokenizer"
            ) from error
        self._model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        self.stopped = threading.Event()
        self._seed = seed
        self._max_tokens = max_tokens or _LOCAL_MAX_TOKENS
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        padding = self._tokenizer.pad_token_id
        self._options = {"do_sample": temperature != 0, "pad_token_id": padding}
        if temperature:
            self._options["temperature"] = temperature

    def ask(self, question: Question) -> Answer:
        """Generates an answer."""
        tensors = self._encode(question).to(self._model.device)
        # Some tokenizers give more, which not every model takes.
        inputs = {name: tensors[name] for name in ("input_ids", "attention_mask")}
        start = inputs["input_ids"].shape[1]
        content = json.dumps([self._seed, *astuple(question)]).encode()
        seed = int.from_bytes(hashlib.sha256(content).digest()[:7], "big")
        with torch.random.fork_rng(), torch.inference_mode():
            torch.manual_seed(seed)
            output = self._model.generate(
                **inputs, max_new_tokens=self._max_tokens, **self._options
            )
        tokens = output[0, start:].tolist()
        return Answer(
            question,
            self._tokenizer.decode(tokens, skip_special_tokens=True).strip(),
            cut_off=self._is_cut_off(tokens),
            tokens_in=start,
            tokens_out=len(tokens),
        )

    def _encode(self, question: Question) -> Any:
        # In the user's message: not every template has a place for a system message.
        text = "\n\n".join(filter(None, (question.system, question.prompt)))
        if not self._tokenizer.chat_template:
            return self._tokenizer(f"{text}\n", return_tensors="pt")
        messages = [{"role": "user", "content": text}]
        return self._tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )

    def _is_cut_off(self, tokens: list[int]) -> bool:
        ends = self._model.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        return len(tokens) >= self._max_tokens and tokens[-1] not in ends


def collect_answers(
    model: LanguageModel,
    journal: Journal,
    questions: Sequence[Question],
    concurrency: int = 1,
    report: Callable[[str], None] = print,
) -> None:
    """Asks, and returns once every answer is in the journal.

    Up to ``concurrency`` questions are under way at a time, and ``report`` gets a line
    for every answer. Where one question fails, or the user interrupts, no further one
    is put; the answers that are under way are waited for and kept.
    """
    stopped = model.stopped
    permits = threading.Semaphore(concurrency)

    def work(question: Question) -> str:
        with permits:
            if stopped.is_set():
                return ""
            try:
                answer = model.ask(question)
                journal.append(answer)
            except Exception as error:
                # Of several threads' errors one is raised, and one may be an answer.
                report(f"{question}: {error}")
                if stopped.is_set():
                    return ""
                # Here, before this thread takes the next question.
                stopped.set()
                raise
        try:
            read_answer(answer)
        except ValueError as error:
            return f"{question}: could not be parsed, {error}"
        return str(question)

    # In a thread even where it is one: an interrupt reaches the main thread, and a
    # request that is being answered, and paid for, comes to its end.
    with ThreadPoolExecutor(concurrency) as pool:
        try:
            futures = [pool.submit(work, question) for question in questions]
            for done, future in enumerate(as_completed(futures), start=1):
                report(f"[{done}/{len(questions)}] {future.result()}")
        except BaseException:
            stopped.set()
            report("stopped; waiting for the answers that are under way")
            pool.shutdown(wait=False, cancel_futures=True)
            # The pool does not wait for a thread in whose start an interrupt fell.
            for _ in range(concurrency):
                permits.acquire()
            permits.release(concurrency)
            raise
