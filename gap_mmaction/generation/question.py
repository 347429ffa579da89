"""What is asked, and what tells one question from another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from .prompts import PROMPTS

Key = tuple[str, str, int, str]
"""Label, kind of the prompt, index of the sample, digest of prompt and model."""


@dataclass(frozen=True)
class Question:
    """One prompt about one action, put to one model.

    Attributes:
        label: The action.
        kind: Which of the prompts.
        sample: Which of several answers to the same prompt, from 0.
        model: The model's name.
        prompt: The prompt with the label in its place.
        system: What the model is told beforehand; empty for nothing.
    """

    label: str
    kind: str
    sample: int
    model: str
    prompt: str
    system: str = ""

    @property
    def digest(self) -> str:
        """A hash of everything that the model reads, and of the model's name."""
        content = json.dumps([self.model, self.system, self.prompt])
        return hashlib.sha256(content.encode()).hexdigest()[:32]

    @property
    def key(self) -> Key:
        """What the journal knows an answer by."""
        return (self.label, self.kind, self.sample, self.digest)

    def __str__(self) -> str:
        which = f" (sample {self.sample + 1})" if self.sample else ""
        return f"{self.label}: {self.kind}{which}"


def make_questions(
    labels: Iterable[str], model: str, samples: int = 1, system: str = ""
) -> list[Question]:
    """List all that has to be asked.

    Args:
        labels: The actions.
        model: The model's name.
        samples: How many answers each prompt gets.
        system: What the model is told beforehand.

    Returns:
        ``samples`` questions for each label and prompt, label by label.
    """
    return [
        Question(label, prompt.kind, sample, model, prompt.fill(label), system)
        for label in labels
        for prompt in PROMPTS
        for sample in range(samples)
    ]
