"""What stands at the top of a generated description file."""

from __future__ import annotations

from .assembly import Assembly
from .prompts import PROMPTS


def make_header(
    dataset: str, model: str, samples: int, system: str, assembly: Assembly
) -> str:
    """Say where the texts are from.

    Args:
        dataset: The data set's name.
        model: The model's name.
        samples: How many answers each prompt got.
        system: What the model was told beforehand.
        assembly: The texts.

    Returns:
        Lines of text, the same for the same journal.
    """
    count = len(assembly.classes)
    days = sorted({record.time[:10] for record in assembly.used})
    served = sorted({_line(record.served_model) for record in assembly.used} - {""})
    others = [name for name in served if name != model]
    by = f"{_line(model)}" + (f" (answered as {', '.join(others)})" if others else "")
    lines = [
        f"Action descriptions for {_line(dataset)} ({count} classes).",
        "",
        "MACHINE-GENERATED with tools/generate_descriptions.py, and not checked by a",
        "person: see docs/descriptions.md for what to check.",
        f"Model: {by}",
        f"Date: {' to '.join(dict.fromkeys((days[0], days[-1]))) if days else 'none'}",
        f"Samples of each prompt: {samples}",
        "Prompts (GAP, Fig. 5):",
        *(f"  {prompt.template}" for prompt in PROMPTS),
    ]
    if system:
        lines.append(f"System message: {_line(system)}")
    missing = assembly.missing()
    if missing:
        lines += ["", "INCOMPLETE, as answers could not be parsed. Missing:"]
        lines += [f"  {_line(k)}: {', '.join(v)}" for k, v in missing.items()]
    return "\n".join(lines)


def _line(text: str) -> str:
    """Make one line of a text, of signs that YAML allows in a comment."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())
