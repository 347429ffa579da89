"""The description files that ship: complete, distinct, and short enough for CLIP."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from gap_mmaction.models.text.descriptions import (
    PARTS,
    ActionDescription,
    load_descriptions,
)
from gap_mmaction.models.text.presets import PRESETS
from gap_mmaction.models.text.prompt_bank import PromptBank

ROOT = Path(__file__).parents[2]
DESCRIPTIONS = ROOT / "data" / "descriptions"
FIELDS = {"label", "synonyms", "paragraph", *PARTS}
WITH_HAKE = ("nwucla.yaml", "ntu120.yaml", "ntu60.yaml")
WHOLE = (  # with `manual`
    *("nwucla.yaml", "ntu120.yaml", "utd_mhad.yaml", "msr_action3d.yaml"),
    *("utkinect.yaml", "sbu_kinect.yaml", "jhmdb14.yaml"),
)
PEOPLE = re.compile(r"^(first person|second person|both people) ")
NEGATION = re.compile(r"\b(not?|never|nor|neither|without|as if|like)\b|n't\b")


@pytest.fixture(params=["synthetic.yaml", *WHOLE])
def actions(request: pytest.FixtureRequest) -> list[ActionDescription]:
    return load_descriptions(DESCRIPTIONS / request.param)


def test_classes(shared: Path) -> None:
    names = (shared / "data/ntu/label_names_120.txt").read_text().strip().split("\n")
    ntu120 = load_descriptions(DESCRIPTIONS / "ntu120.yaml")
    assert [action.label for action in ntu120] == list(map(str.strip, names))
    assert load_descriptions(DESCRIPTIONS / "ntu60.yaml") == ntu120[:60]


def test_fields_and_style(actions: list[ActionDescription]) -> None:
    for action in actions:
        assert set(action.fields) >= FIELDS, action.where
        for field, texts in action.fields.items():
            count = 10 if field == "synonyms" else 1
            assert len(set(texts)) == len(texts) == count, (action.where, field)
            assert "".join(texts).isascii(), (action.where, field)
    # Synonyms belong to one class.
    counts = Counter(t.lower() for a in actions for t in a.fields["synonyms"])
    assert [text for text, count in counts.items() if count > 1] == []
    assert [action.label for action in actions if counts[action.label.lower()]] == []
    # The rules of docs/descriptions.md.
    for action in actions:
        for text in action.fields["synonyms"]:
            assert 1 <= len(text.split()) <= 10, (action.where, text)
        for text in (*action.fields["synonyms"], *(action.fields[p][0] for p in PARTS)):
            assert text[0].islower() and text[-1] != ".", (action.where, text)
        sentences = re.findall(r"\.(?:\s|$)", action.fields["paragraph"][0])
        assert 2 <= len(sentences) <= 4, action.where
        for part in PARTS:
            (text,) = action.fields[part]
            assert 5 <= len(text.split()) <= 16, (action.where, part)
            assert action.label.lower() not in text, (action.where, part)
            assert not NEGATION.search(text), (action.where, part)


def test_classes_are_told_apart(actions: list[ActionDescription]) -> None:
    """A part that rests may be said in the same words; the whole body may not."""
    for fields in (("paragraph",), ("manual",), ("hand", "arm"), PARTS):
        counts = Counter(
            tuple(action.fields.get(field, (action.label,)) for field in fields)
            for action in actions
        )
        assert [texts for texts, count in counts.items() if count > 1] == []


def test_vocabulary_of_the_manual_descriptions() -> None:
    movements = yaml.safe_load((ROOT / "docs" / "movements.yaml").read_text())
    for action in [a for file in WHOLE for a in load_descriptions(DESCRIPTIONS / file)]:
        atoms = action.fields["manual"][0].split(", ")
        assert 3 <= len(atoms) <= 9, action.where
        for atom in atoms:
            part, _, movement = PEOPLE.sub("", atom).partition(" ")
            assert movement in movements.get(part, ()), (action.where, atom)


@pytest.mark.parametrize(
    "file", sorted(path.name for path in DESCRIPTIONS.glob("*.yaml"))
)
def test_every_preset(file: str) -> None:
    open_clip: Any = pytest.importorskip("open_clip")
    actions = load_descriptions(DESCRIPTIONS / file)
    texts: list[str] = []
    for preset in PRESETS:
        try:
            bank = PromptBank(str(DESCRIPTIONS / file), preset=preset)
        except ValueError as error:
            assert "has no field" in str(error)
            assert file not in WITH_HAKE, error
            assert file not in WHOLE or preset == "hake", error
            continue
        texts += bank.texts
        for k, slot in enumerate(bank.slots):
            # The loss pushes classes apart, and equal texts cannot be.
            ids = [bank.table[k, c, : bank.counts[k, c]] for c in range(len(actions))]
            every = torch.cat(ids)
            # The states of HAKE are few, and a machine chose among them.
            is_shared = len(every) > len(every.unique())
            assert not is_shared or preset == "hake", (preset, slot.name)
    assert texts
    tokens = open_clip.SimpleTokenizer(context_length=300)(texts)
    assert (tokens > 0).sum(1).max() <= 77  # as CLIP reads
