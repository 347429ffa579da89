"""Answers, and a tiny language model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    """Makes a line of a journal."""
    return Answer(question, text, cut_off, "served", 10, 20, "2026-01-02T03:04:05Z")


def save_tiny_language_model(folder: Path, template: bool) -> str:
    """Saves a random causal language model with a tokenizer of whole words."""
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
