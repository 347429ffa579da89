"""One line of the journal."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields

from gap_mmaction.utils.strict_json import parse_json

from .backend import Reply
from .question import Key, Question


@dataclass(frozen=True)
class Record:
    """An answer, and what it answers.

    Attributes:
        label, kind, sample, digest: The question's key.
        model, system, prompt: What the digest was made of, for a reader.
        answer: The answer as it came.
        cut_off: Whether it ended at the limit of tokens.
        served_model: The model that answered, by its own account.
        tokens_in, tokens_out: Tokens of question and answer, if they were counted.
        time: When it came, UTC, ISO 8601.
    """

    label: str
    kind: str
    sample: int
    digest: str
    model: str
    system: str
    prompt: str
    answer: str
    cut_off: bool
    served_model: str
    tokens_in: int | None
    tokens_out: int | None
    time: str

    @property
    def key(self) -> Key:
        """What the answer is known by."""
        return (self.label, self.kind, self.sample, self.digest)

    @classmethod
    def of(cls, question: Question, reply: Reply, time: str) -> Record:
        """Put a question and its answer together."""
        return cls(
            label=question.label,
            kind=question.kind,
            sample=question.sample,
            digest=question.digest,
            model=question.model,
            system=question.system,
            prompt=question.prompt,
            answer=reply.text,
            cut_off=reply.cut_off,
            served_model=reply.model,
            tokens_in=reply.tokens_in,
            tokens_out=reply.tokens_out,
            time=time,
        )

    def to_line(self) -> bytes:
        """Write it as a line of JSON, in ASCII: no text can fail to be encoded."""
        return json.dumps(asdict(self)).encode("ascii") + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Record:
        """Read it again.

        Raises:
            ValueError: If the line is no record.
        """
        content = parse_json(line)
        if not isinstance(content, dict):
            raise ValueError("it is no JSON object")
        for field in fields(cls):
            kinds = _KINDS[str(field.type)]
            value = content.get(field.name)
            if field.name not in content or not isinstance(value, kinds):
                raise ValueError(f"{field.name!r} is missing or of the wrong type")
        if set(content) != {field.name for field in fields(cls)}:
            raise ValueError("it has fields that a record does not have")
        return cls(**content)


_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "bool": (bool,),
    "int | None": (int, type(None)),
}
