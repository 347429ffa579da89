"""Ask a model on this machine."""

from __future__ import annotations

import hashlib
import importlib
import json
from typing import Any

import torch

from .backend import Reply
from .errors import GenerationError
from .question import Question

_MAX_TOKENS = 512


class LocalBackend:
    """A causal language model of the transformers library.

    A model with a chat template is asked as a chat partner; another one gets the
    prompt as a text to go on with.

    Args:
        model: The folder of a saved model, or a name on the hub.
        temperature: 0 for the likeliest answer; the model's own setting by default.
        max_tokens: Tokens of an answer at the most.
        seed: Each answer is drawn from a generator that depends on this and on the
            question, so that a resumed run gives the answers of an uninterrupted one.

    Raises:
        ImportError: If transformers is not installed.
        GenerationError: If the model cannot be had.
    """

    def __init__(
        self,
        model: str,
        temperature: float | None = None,
        max_tokens: int | None = None,
        seed: int = 0,
    ) -> None:
        transformers = importlib.import_module("transformers")
        device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(
                model, trust_remote_code=False
            )
            self._model: Any = transformers.AutoModelForCausalLM.from_pretrained(
                model, trust_remote_code=False, weights_only=True
            )
        except (OSError, ValueError) as error:
            raise GenerationError(
                f"--model {model!r}: no language model can be read there ({error}); "
                "give the folder of a causal language model and its tokenizer, as "
                "save_pretrained writes them"
            ) from error
        self._model.to(device).eval()
        self._seed = seed
        self._options: dict[str, Any] = {"max_new_tokens": max_tokens or _MAX_TOKENS}
        self._options["do_sample"] = temperature != 0
        if temperature:
            self._options["temperature"] = temperature
        padding = self._tokenizer.pad_token_id
        self._options["pad_token_id"] = (
            self._tokenizer.eos_token_id if padding is None else padding
        )

    def ask(self, question: Question) -> Reply:
        """Generate an answer."""
        tensors = self._encode(question).to(self._model.device)
        # Some tokenizers give more, which not every model takes.
        inputs = {name: tensors[name] for name in ("input_ids", "attention_mask")}
        start = inputs["input_ids"].shape[1]
        content = json.dumps([self._seed, *question.key]).encode()
        seed = int.from_bytes(hashlib.sha256(content).digest()[:7], "big")
        with torch.random.fork_rng(), torch.inference_mode():
            torch.manual_seed(seed)
            tokens = self._model.generate(**inputs, **self._options)[0, start:]
        return Reply(
            text=self._tokenizer.decode(tokens, skip_special_tokens=True).strip(),
            cut_off=self._is_cut_off(tokens.tolist()),
            tokens_in=start,
            tokens_out=len(tokens),
        )

    def _encode(self, question: Question) -> Any:
        # In the user's message: not every template has a place for a system message.
        text = "\n\n".join(filter(None, (question.system, question.prompt)))
        if not self._tokenizer.chat_template:
            return self._tokenizer(f"{text}\n", return_tensors="pt")
        return self._tokenizer.apply_chat_template(
            [{"role": "user", "content": text}],
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
        )

    def _is_cut_off(self, tokens: list[int]) -> bool:
        ends = self._model.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        full = len(tokens) >= self._options["max_new_tokens"]
        return full and tokens[-1] not in ends
