"""The prompt bank: slots, the texts of every class, and the draw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from gap_mmaction.models.text import prompt_bank
from gap_mmaction.models.text.descriptions import ActionDescription, load_descriptions
from gap_mmaction.models.text.presets import PRESETS
from gap_mmaction.models.text.prompt_bank import PromptBank, PromptSlot, class_features
from gap_mmaction.skeletons import get_skeleton, layouts
from tests.models.text_common import FIELDS, LABELS, raises, write_descriptions

SYNONYMS = [dict(name="all", joints="global", text="synonyms")]
ACTION = ActionDescription(
    "sit down",
    {
        "label": ("sit down",),
        "synonyms": ("take a seat", "be seated"),
        "head": ("head lowers",),
        "hand": ("hands fall", "hands rest"),
    },
    "mine.yaml, line 4",
)


@pytest.fixture
def file(tmp_path: Path) -> str:
    return write_descriptions(tmp_path)


def _variants(text: Any) -> list[str]:
    slot = PromptSlot.from_config(dict(name="part", joints="hand-arm", text=text))
    assert (slot.name, slot.joints) == ("part", "hand-arm")
    return slot.variants(ACTION)


class TestSlots:
    """From the fields of a class to texts."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("label", ["sit down"]),
            (["label"], ["sit down"]),
            (["label", "head"], ["sit down, head lowers"]),
            (["synonyms"], ["take a seat", "be seated"]),
            (["head", "hand"], ["head lowers, hands fall", "head lowers, hands rest"]),
            ('"{label}", a video', ['"sit down", a video']),
            (["To {synonyms}"], ["To take a seat", "To be seated"]),
            (["{label}: {hand}"], ["sit down: hands fall", "sit down: hands rest"]),
            ([["label", "synonyms"]], ["sit down", "take a seat", "be seated"]),
            ([["label", "label", "{label}"]], ["sit down"]),
            (
                [["{label}", "to {label}"], "head"],
                ["sit down, head lowers", "to sit down, head lowers"],
            ),
            (["{{label}} {label}"], ["{label} sit down"]),
        ],
    )
    def test_variants(self, text: Any, expected: list[str]) -> None:
        assert _variants(text) == expected
        both = _variants(["synonyms", "hand"])
        assert len(both) == 4 and both[1] == "take a seat, hands rest"

    @pytest.mark.parametrize(
        ("texts", "words"),
        [
            (
                ["foot", ["label", "foot"], "a {foot}", [["label", "{foot}"]]],
                ["mine.yaml, line 4", "'sit down'", "no field 'foot'", "'synonyms'"],
            ),
            (
                [[], [[]], ["label", []], None, 5, [5], {"a": 1}],
                ["slot 'part': `text` is", "not empty"],
            ),
            (
                ["{label", "{}", "{0}", "{label!x}", "{label:d}", "{label.x}", "}{a}"],
                ["slot 'part': the template", "cannot be filled in"],
            ),
        ],
    )
    def test_bad_texts(self, texts: list[Any], words: list[str]) -> None:
        for text in texts:
            with raises(ValueError, *words):
                _variants(text)

    @pytest.mark.parametrize("more", [{}, dict(text="label", weight=2)])
    def test_keys(self, more: dict[str, Any]) -> None:
        slot = dict(name="part", joints="head", **more)
        with raises(ValueError, str(slot), "['joints', 'name', 'text']"):
            PromptSlot.from_config(slot)

    @pytest.mark.parametrize("preset", PRESETS)
    def test_presets_fit_the_layouts(self, preset: str) -> None:
        for config in PRESETS[preset]:
            slot = PromptSlot.from_config(config)
            assert all(get_skeleton(layout).part(slot.joints) for layout in layouts())

    def test_default_preset_is_that_of_the_public_code(self) -> None:
        slots = {s["name"]: (s["joints"], s["text"]) for s in PRESETS["synonym+parts4"]}
        assert slots == {
            "global": ("global", ["synonyms"]),
            "head": ("head", ["label", "head"]),
            "hand": ("hand-arm", ["label", "hand", "arm"]),
            "hip": ("hip", ["label", "hip"]),
            "foot": ("leg-foot", ["label", "leg", "foot"]),
        }


class TestTexts:
    """Which texts there are."""

    def test_default(self, file: str) -> None:
        bank = PromptBank(file, num_classes=3)
        assert bank.labels == LABELS
        assert len(bank.texts) == len(set(bank.texts)) == 3 * (3 + 4)
        assert PromptBank(file, seed=2).texts == bank.texts
        first, *parts = (bank.texts[i] for i in bank.sample(torch.tensor([2, 0]))[0])
        assert first in ("throw now", "throw again", "throw once more")
        assert parts == [
            "throw, the head does throw",
            "throw, the hand does throw, the arm does throw",
            "throw, the hip does throw",
            "throw, the leg does throw, the foot does throw",
        ]

    def test_each_draw_is_of_its_class_and_slot(self, file: str) -> None:
        bank, actions = PromptBank(file), load_descriptions(file)
        labels = torch.arange(3).repeat(20)
        for label, ids in zip(labels.tolist(), bank.sample(labels).tolist()):
            for slot, i in zip(bank.slots, ids):
                assert bank.texts[i] in slot.variants(actions[label])

    def test_classes_that_are_shuffled(self, file: str) -> None:
        own = PromptBank(file, preset="label").table[0, :, 0]
        assert own.tolist() == [0, 1, 2]
        for seed in range(5):
            bank = PromptBank(file, preset="label", shuffle_classes=seed)
            assert bank.labels == LABELS
            given = [bank.texts[int(i)] for i in bank.table[0, :, 0]]
            assert sorted(given) == sorted(LABELS)
            assert all(text != label for text, label in zip(given, LABELS))

    def test_slots_of_ones_own(self, file: str) -> None:
        texts = ("label", "label", list(FIELDS))
        slots = [
            dict(name=str(i), joints="hip", text=text) for i, text in enumerate(texts)
        ]
        bank = PromptBank(file, slots=slots)
        # Equal texts are one.
        assert bank.texts[:3] == LABELS and len(bank.texts) == 6
        ids = bank.sample(torch.tensor([2, 0])).tolist()
        assert ids == [[2, 2, 5], [0, 0, 3]]
        assert bank.texts[5].startswith("the head does throw, the hand does throw, ")

    def test_class_features(self, file: str) -> None:
        bank = PromptBank(file)
        torch.manual_seed(0)
        features = torch.randn(len(bank.texts), 6)
        found = class_features(bank, features)
        assert found.shape == (5, 3, 6)
        for k in range(5):
            for c in range(3):
                ids = bank.table[k, c, : bank.counts[k, c]]
                mean = F.normalize(features[ids], dim=1).mean(0)
                torch.testing.assert_close(found[k, c], F.normalize(mean, dim=0))


class TestDraw:
    """What the draw depends on."""

    LABELS = torch.arange(3).repeat(10)

    def _draws(self, bank: PromptBank, steps: int = 3) -> list[list[list[int]]]:
        return [bank.sample(self.LABELS).tolist() for _ in range(steps)]

    def test_seed_and_step(self, file: str) -> None:
        draws = self._draws(PromptBank(file, seed=7), steps=8)
        assert draws == self._draws(PromptBank(file, seed=7), steps=8)
        assert draws[:3] != self._draws(PromptBank(file, seed=8))
        assert all(draws.count(draw) == 1 for draw in draws)

    def test_seed_of_the_run(self, file: str) -> None:
        torch.manual_seed(5)
        draws = self._draws(PromptBank(file))
        torch.manual_seed(5)
        bank = PromptBank(file)
        torch.rand(3)  # whatever else is drawn
        state = torch.get_rng_state()
        assert self._draws(bank) == draws
        assert torch.equal(torch.get_rng_state(), state)

    def test_ranks_draw_what_one_would(
        self, file: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bank = PromptBank(file, seed=7)
        expected = [bank.sample(self.LABELS) for _ in range(2)]
        monkeypatch.setattr(prompt_bank, "get_world_size", lambda: 3)
        for rank in range(3):
            monkeypatch.setattr(prompt_bank, "get_rank", lambda rank=rank: rank)
            bank = PromptBank(file, seed=7)
            for step in expected:
                # As a sampler deals them out.
                assert torch.equal(bank.sample(self.LABELS[rank::3]), step[rank::3])

    def test_resume(self, file: str) -> None:
        bank = PromptBank(file, seed=7)
        self._draws(bank, steps=4)
        state = {name: value.clone() for name, value in bank.state_dict().items()}
        expected = self._draws(bank)
        # The seed is the checkpoint's, too.
        for resumed in (PromptBank(file, seed=7), PromptBank(file, seed=8), bank):
            resumed.load_state_dict(state)
            assert self._draws(resumed) == expected

    def test_uniform_and_independent(self, file: str) -> None:
        slots = [dict(s, name=str(i)) for i, s in enumerate(2 * SYNONYMS)]
        bank = PromptBank(file, slots=slots, seed=0)
        ids = torch.cat([bank.sample(torch.full((300,), 1)) for _ in range(10)])
        pairs = (3 * (ids[:, 0] - 3) + ids[:, 1] - 3).bincount(minlength=9).float()
        # Six standard deviations of a count.
        assert len(pairs) == 9
        assert (pairs - 333).abs().max() < 6 * (3000 * 8 / 81) ** 0.5


class TestErrors:
    """What a user may get wrong."""

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (dict(num_classes=2), ["FILE", "3 classes", "=2", "model.cls_head"]),
            (dict(num_classes=4), ["FILE", "3 classes", "=4", "model.cls_head"]),
            (dict(preset="parts9"), ["'parts9'", "'parts4'"]),
            (dict(preset="synonym", slots=SYNONYMS), ["'synonym'", "`slots`", "=None"]),
            (dict(slots=[]), ["at least one slot"]),
            (dict(slots=2 * SYNONYMS), ["no name twice", "['all', 'all']"]),
            (dict(text="synonym"), ["did you mean 'synonyms'?"]),
            (dict(text="tail"), ["FILE, line 1", "'tail'", "slot 'all'"]),
            (dict(text="a person doing"), ["in braces", "'a person doing {label}'"]),
        ],
    )
    def test_options(
        self, file: str, options: dict[str, Any], words: list[str]
    ) -> None:
        if "text" in options:
            options = dict(slots=[dict(name="all", joints="global", **options)])
        with raises(ValueError, *(word.replace("FILE", file) for word in words)):
            PromptBank(file, **options)

    def test_misspelt_in_the_file(self, file: str) -> None:
        Path(file).write_text(Path(file).read_text().replace('"head"', '"haed"'))
        with pytest.raises(ValueError, match=r"no field 'head'.*did you mean 'haed'\?"):
            PromptBank(file)

    def test_shared_text(self, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
        logged: list[str] = []
        monkeypatch.setattr(
            prompt_bank, "print_log", lambda message, **_: logged.append(message)
        )
        words = PromptBank(file, preset="synonym").texts
        assert not logged
        path = Path(file)
        path.write_text(path.read_text().replace(words[-1], words[0]))
        PromptBank(file, preset="synonym")
        assert len(logged) == 1 and f"share the text {words[0]!r}" in logged[0]

    def test_one_class_and_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="shuffle_classes needs two classes"):
            PromptBank(write_descriptions(tmp_path, ["sit"]), shuffle_classes=1)
        with pytest.raises(FileNotFoundError, match=r"prompts\.descriptions"):
            PromptBank("data/descriptions/moon.yaml")
