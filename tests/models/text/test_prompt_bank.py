"""The prompt bank: slots, the texts of every class, and the draw."""

from __future__ import annotations

import copy
import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from gap_mmaction.models.text.descriptions import ActionDescription
from gap_mmaction.models.text.presets import PRESETS
from gap_mmaction.models.text.prompt_bank import PromptBank, PromptSlot, class_features
from gap_mmaction.skeletons import get_skeleton, layouts
from tests.models.text_common import LABELS, raises, write_descriptions

SYNONYMS = [dict(name="all", joints="global", text="synonyms")]
FIELDS = dict(
    label=("sit down",),
    synonyms=("take a seat", "be seated"),
    head=("head lowers",),
    hand=("hands fall", "hands rest"),
)
ACTION = ActionDescription("sit down", FIELDS, "mine.yaml, line 4")


@pytest.fixture
def file(tmp_path: Path) -> str:
    return write_descriptions(tmp_path)


def _variants(text: Any) -> list[str]:
    slot = PromptSlot.from_config(dict(name="part", joints="hand-arm", text=text))
    return slot.variants(ACTION)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("label", ["sit down"]),
        (["label", "head"], ["sit down, head lowers"]),
        (["head", "hand"], ["head lowers, hands fall", "head lowers, hands rest"]),
        ('"{label}", a video', ['"sit down", a video']),
        (["{label}: {hand}"], ["sit down: hands fall", "sit down: hands rest"]),
        ([["label", "synonyms"]], ["sit down", "take a seat", "be seated"]),
        ([["label", "label", "{label}"]], ["sit down"]),
        (["{{label}} {label}"], ["{label} sit down"]),
    ],
)
def test_variants(text: Any, expected: list[str]) -> None:
    assert _variants(text) == expected


def test_bad_texts() -> None:
    text: Any
    words = ["mine.yaml, line 4", "'sit down'", "no field 'foot'", "'synonyms'"]
    for text in ("foot", ["label", "foot"], "a {foot}", [["label", "{foot}"]]):
        with raises(ValueError, *words):
            _variants(text)
    for text in ([], [[]], ["label", []], None, 5, [5], {"a": 1}):
        with raises(ValueError, "slot 'part': `text` is", "not empty"):
            _variants(text)
    for text in ["{label", "{}", "{0}", "{label!x}", "{label:d}", "{label.x}", "}{a}"]:
        with raises(ValueError, "slot 'part': the template", "cannot be filled in"):
            _variants(text)
    slot = dict(name="part", joints="head", text="label", weight=2)
    with raises(ValueError, str(slot), "['joints', 'name', 'text']"):
        PromptSlot.from_config(slot)


def test_presets_fit_the_layouts() -> None:
    for config in itertools.chain(*PRESETS.values()):
        slot = PromptSlot.from_config(config)
        assert all(get_skeleton(layout).part(slot.joints) for layout in layouts())


def test_default(file: str) -> None:
    bank = PromptBank(file, num_classes=3)
    assert bank.labels == LABELS
    assert len(bank.texts) == len(set(bank.texts)) == 3 * (3 + 4)
    first, *parts = (bank.texts[i] for i in bank.sample(torch.tensor([2, 0]))[0])
    assert first in ("throw now", "throw again", "throw once more")
    for text, fields in zip(parts, ("head", "hand arm", "hip", "leg foot")):
        sentences = [f"the {field} does throw" for field in fields.split()]
        assert text == ", ".join(["throw", *sentences])


def test_classes_that_are_shuffled(file: str) -> None:
    for seed in range(5):
        bank = PromptBank(file, preset="label", shuffle_classes=seed)
        given = [bank.texts[int(i)] for i in bank.table[0, :, 0]]
        assert sorted(given) == sorted(LABELS)
        assert all(text != label for text, label in zip(given, LABELS))


def _draws(bank: PromptBank) -> list[list[list[int]]]:
    return [bank.sample(torch.arange(3).repeat(10)).tolist() for _ in range(4)]


def test_draws(file: str) -> None:
    bank = PromptBank(file, seed=7)
    draws = _draws(bank)
    assert draws == _draws(PromptBank(file, seed=7)) != _draws(PromptBank(file, seed=8))
    assert all(draws.count(draw) == 1 for draw in draws)
    state, expected = copy.deepcopy(bank.state_dict()), _draws(bank)
    # The seed is the checkpoint's, too.
    for resumed in (PromptBank(file, seed=8), bank):
        resumed.load_state_dict(state)
        assert _draws(resumed) == expected
    # By default it is the run's.
    torch.manual_seed(5)
    draws = _draws(PromptBank(file))
    torch.manual_seed(5)
    bank = PromptBank(file)
    torch.rand(3)  # whatever else is drawn
    before = torch.get_rng_state()
    assert _draws(bank) == draws
    assert torch.equal(torch.get_rng_state(), before)


def test_uniform_and_independent(file: str) -> None:
    slots = [dict(s, name=str(i)) for i, s in enumerate(2 * SYNONYMS)]
    bank = PromptBank(file, slots=slots, seed=0)
    ids = torch.cat([bank.sample(torch.full((300,), 1)) for _ in range(10)])
    pairs = (3 * (ids[:, 0] - 3) + ids[:, 1] - 3).bincount(minlength=9).float()
    assert (
        len(pairs) == 9 and (pairs - 333).abs().max() < 6 * (3000 * 8 / 81) ** 0.5
    )  # deviations


def test_class_features(file: str) -> None:
    # One text of two classes, of which the bank warns.
    path = Path(file)
    path.write_text(path.read_text().replace("throw again", "sit down now"))
    bank = PromptBank(file)
    assert len(bank.texts) == 3 * (3 + 4) - 1
    torch.manual_seed(0)
    features = torch.randn(len(bank.texts), 6)
    found = class_features(bank, features)
    assert found.shape == (5, 3, 6)
    for k, c in itertools.product(range(5), range(3)):
        ids = bank.table[k, c, : bank.counts[k, c]]
        mean = F.normalize(features[ids], dim=1).mean(0)
        torch.testing.assert_close(found[k, c], F.normalize(mean, dim=0))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(num_classes=4), ["FILE", "3 classes", "=4", "model.cls_head"]),
        (dict(preset="parts9"), ["'parts9'", "'parts4'"]),
        (dict(preset="synonym", slots=SYNONYMS), ["'synonym'", "`slots`", "=None"]),
        (dict(slots=2 * SYNONYMS), ["no name twice", "['all', 'all']"]),
        (dict(text="synonym"), ["did you mean 'synonyms'?"]),
        (dict(text="tail"), ["FILE, line 1", "'tail'", "slot 'all'"]),
    ],
)
def test_options(file: str, options: dict[str, Any], words: list[str]) -> None:
    if "text" in options:
        options = dict(slots=[dict(name="all", joints="global", **options)])
    with raises(ValueError, *(word.replace("FILE", file) for word in words)):
        PromptBank(file, **options)
    with pytest.raises(ValueError, match="shuffle_classes needs two classes"):
        PromptBank(write_descriptions(Path(file).parent, ["sit"]), shuffle_classes=1)
