"""Answers, a model that needs no server, and a tiny language model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gap_mmaction.generation.backend import Reply
from gap_mmaction.generation.prompts import NUM_SYNONYMS, PROMPTS
from gap_mmaction.generation.question import Question
from gap_mmaction.generation.record import Record
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
    """Tell which prompt a text is, and about what."""
    for candidate in PROMPTS:
        start, end = candidate.template.split("<action>")
        if prompt.startswith(start) and prompt.endswith(end):
            return candidate.kind, prompt[len(start) : len(prompt) - len(end)]
    raise ValueError(prompt)


def good_answer(prompt: str) -> str:
    """Answer a prompt in a way that only this label gets."""
    kind, label = kind_and_label(prompt)
    if kind == "paragraph":
        return f"A person does what is called {label}. It takes a moment."
    if kind == "synonyms":
        return "\n".join(f"{i + 1}. {label} way {i}" for i in range(NUM_SYNONYMS))
    return "\n".join(f"- **{part.title()}:** moves as in {label}" for part in PARTS)


def record_of(question: Question, answer: str, cut_off: bool = False) -> Record:
    """Make a line of a journal."""
    reply = Reply(answer, cut_off, "served", 10, 20)
    return Record.of(question, reply, "2026-01-02T03:04:05+00:00")


class ScriptedBackend:
    """Answers what a function says, or raises what it raises."""

    def __init__(self, script: Callable[[Question, int], str]) -> None:
        self.script = script
        self.asked: list[Question] = []

    def ask(self, question: Question) -> Reply:
        self.asked.append(question)
        return Reply(self.script(question, self.asked.count(question)))


def save_tiny_language_model(folder: Path, template: bool) -> str:
    """Save a random causal language model with a tokenizer of whole words."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers

    text = " ".join([PART_ANSWER, *(prompt.template for prompt in PROMPTS), "< > user"])
    words = ["[PAD]", "[UNK]", "[END]", *sorted(set(text.split()))]
    tokenizer = Tokenizer(
        models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        eos_token="[END]",
    )
    if template:
        fast.chat_template = (
            "{% for m in messages %}< {{ m.role }} > {{ m.content }} {% endfor %}"
            "{% if add_generation_prompt %}< head > {% endif %}"
        )
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=len(words),
        n_positions=96,
        n_embd=8,
        n_layer=1,
        n_head=2,
        bos_token_id=2,
        eos_token_id=2,
    )
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    return str(folder)
