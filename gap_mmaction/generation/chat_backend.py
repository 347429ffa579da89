"""Ask a server that speaks OpenAI's chat protocol."""

from __future__ import annotations

import importlib
import math
import os
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from .backend import Reply
from .errors import GenerationError, TemporaryError
from .question import Question
from .scrubber import Scrubber

KEY_VARIABLE = "OPENAI_API_KEY"
_URL_VARIABLE = "OPENAI_BASE_URL"  # which the openai client reads itself
_NO_KEY = "no-key"  # the client wants one; a server of one's own often does not

_TEMPORARY = frozenset((408, 409, 425, 429))  # and everything from 500 on
_HINTS = {
    401: f"check the key in {KEY_VARIABLE}",
    403: f"the key in {KEY_VARIABLE} may not use this model",
    404: "check --model and --base-url, which usually ends in /v1",
}


class ChatBackend:
    """A model behind an OpenAI-compatible endpoint, asked with the openai client.

    The key is read from the environment variable ``OPENAI_API_KEY``. It appears in no
    message and in no answer. The client's own retries are off.

    Args:
        model: The model's name.
        base_url: Where the server is, e.g. ``http://localhost:8000/v1``; OpenAI's own
            by default.
        temperature: What the server's default is replaced with.
        timeout: Seconds that a request may take.
        max_tokens: Tokens of an answer at the most; the server's limit by default.

    Raises:
        ImportError: If openai is not installed.
        ValueError: If the key is missing or malformed, or the address is.
    """

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        temperature: float | None = None,
        timeout: float = 120.0,
        max_tokens: int | None = None,
    ) -> None:
        self.model = model
        self._openai = _import_openai()
        key = os.environ.get(KEY_VARIABLE, "").strip()
        address = base_url or os.environ.get(_URL_VARIABLE) or ""
        self._scrubber = Scrubber((key, _password_in(address)))
        _check(key, address)
        options = {"temperature": temperature, "max_tokens": max_tokens}
        self._options = {k: v for k, v in options.items() if v is not None}
        self._client: Any = self._openai.OpenAI(
            api_key=key or _NO_KEY,
            base_url=base_url,
            timeout=timeout,
            max_retries=0,
        )

    def ask(self, question: Question) -> Reply:
        """Put a question once.

        Raises:
            TemporaryError: On a timeout, a failed connection, status 408, 409, 425,
                429 or 500 and above, and an answer that is no chat completion.
            GenerationError: On anything else.
        """
        messages = [{"role": "user", "content": question.prompt}]
        if question.system:
            messages.insert(0, {"role": "system", "content": question.system})
        # Nothing is chained to what is raised here: the errors of the client hold the
        # request with its key.
        try:
            completion = self._client.chat.completions.create(
                model=self.model, messages=messages, **self._options
            )
        except self._openai.APIStatusError as error:
            raise self._status_error(error) from None
        except self._openai.APIConnectionError as error:
            cause = f" ({error.__cause__})" if error.__cause__ else ""
            text = f"{self._client.base_url}: {error}{cause}"
            raise TemporaryError(self._scrubber.message(text)) from None
        except ValueError as error:
            # json's errors, and openai's of a malformed body.
            raise self._no_completion(error) from None
        except Exception as error:
            text = self._scrubber.message(f"{type(error).__name__}: {error}")
            raise GenerationError(text) from None
        return self._reply(completion)

    def _reply(self, completion: Any) -> Reply:
        try:
            choice = completion.choices[0]
            text = choice.message.content or ""
            usage = completion.usage
            if not isinstance(text, str):
                raise TypeError(f"the content is a {type(text).__name__}")
            return Reply(
                text=self._scrubber.answer(text),
                cut_off=choice.finish_reason == "length",
                model=self._scrubber.answer(str(completion.model or "")),
                tokens_in=_count(getattr(usage, "prompt_tokens", None)),
                tokens_out=_count(getattr(usage, "completion_tokens", None)),
            )
        except (AttributeError, IndexError, TypeError) as error:
            # Some servers say in a good answer that something went wrong.
            said = getattr(completion, "error", None)
            raise self._no_completion(said or error) from None

    def _no_completion(self, error: object) -> TemporaryError:
        text = f"the server's answer is no chat completion ({error})"
        return TemporaryError(self._scrubber.message(text))

    def _status_error(self, error: Any) -> Exception:
        status = error.status_code
        text = f"status {status}: {error.message}"
        if error.code == "insufficient_quota":
            # Status 429 as well, but no waiting helps.
            hint = "the account has no credit left"
        elif status in _TEMPORARY or status >= 500:
            wait = parse_retry_after(error.response.headers)
            return TemporaryError(self._scrubber.message(text), wait)
        else:
            hint = _HINTS.get(status, "the server refuses the request as it is")
        return GenerationError(self._scrubber.message(f"{text}; {hint}"))


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Read how long a server asks to wait.

    Args:
        headers: Of its answer: ``Retry-After`` in seconds or as a date (RFC 9110), or
            OpenAI's ``retry-after-ms``.

    Returns:
        Seconds, at least 0; ``None`` if it does not say.
    """
    value = headers.get("retry-after", "")
    try:
        if headers.get("retry-after-ms"):
            wait = float(headers["retry-after-ms"]) / 1000
        else:
            wait = float(value)
    except ValueError:
        try:
            wait = parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError):
            return None
    return max(wait, 0.0) if math.isfinite(wait) else None


def _check(key: str, address: str) -> None:
    if not key and not address:
        raise ValueError(
            f"there is no key: set {KEY_VARIABLE} in the environment, or give the "
            "--base-url of a server that needs none"
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        # The client's own message on this would show it.
        raise ValueError(
            f"{KEY_VARIABLE} holds signs that no key has; copy the key again"
        )
    if address and urlsplit(address).scheme not in ("http", "https"):
        raise ValueError(
            "--base-url must start with http:// or https://, e.g. "
            "http://localhost:8000/v1"
        )


def _password_in(address: str) -> str:
    try:
        return urlsplit(address).password or ""
    except ValueError:
        return ""


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _import_openai() -> ModuleType:
    try:
        return importlib.import_module("openai")
    except ImportError as error:
        raise ImportError(
            f"asking a server needs openai ({error}): `pip install openai`, or ask a "
            "local model with --backend transformers"
        ) from error
