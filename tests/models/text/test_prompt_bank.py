"""The prompt bank: texts of every class, and the draw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gap_mmaction.models.text import prompt_bank
from gap_mmaction.models.text.descriptions import load_descriptions
from gap_mmaction.models.text.prompt_bank import PromptBank
from tests.models.text_common import FIELDS, LABELS, write_descriptions

SYNONYMS = [dict(name="all", joints="global", text="synonyms")]


@pytest.fixture
def file(tmp_path: Path) -> str:
    return write_descriptions(tmp_path)


def _texts(bank: PromptBank, ids: Tensor) -> list[list[str]]:
    return [[bank.texts[i] for i in row] for row in ids.tolist()]


class TestTexts:
    """Which texts there are."""

    def test_default(self, file: str) -> None:
        bank = PromptBank(file, num_classes=3)
        assert bank.labels == LABELS
        assert [slot.name for slot in bank.slots] == [
            "global", "head", "hand", "hip", "foot"
        ]  # fmt: skip
        assert len(bank.texts) == len(set(bank.texts)) == 3 * (3 + 4)
        (first, *parts), _ = _texts(bank, bank.sample(torch.tensor([2, 0])))
        assert first in ("throw now", "throw again", "throw once more")
        assert parts == [
            "throw, the head does throw",
            "throw, the hand does throw, the arm does throw",
            "throw, the hip does throw",
            "throw, the leg does throw, the foot does throw",
        ]

    def test_each_draw_is_of_its_class_and_slot(self, file: str) -> None:
        bank = PromptBank(file)
        labels = torch.arange(3).repeat(20)
        for label, texts in zip(labels.tolist(), _texts(bank, bank.sample(labels))):
            for slot, text in zip(bank.slots, texts):
                action = load_descriptions(file)[label]
                assert text in slot.variants(action)

    def test_classes_that_are_shuffled(self, file: str) -> None:
        own = PromptBank(file, preset="label").table[0, :, 0]
        for seed in range(5):
            bank = PromptBank(file, preset="label", shuffle_classes=seed)
            assert bank.labels == LABELS
            given = [bank.texts[int(i)] for i in bank.table[0, :, 0]]
            assert sorted(given) == sorted(LABELS)
            assert all(text != label for text, label in zip(given, LABELS))
        assert own.tolist() == [0, 1, 2]

    def test_slots_of_ones_own(self, file: str) -> None:
        bank = PromptBank(
            file,
            slots=[
                dict(name="all", joints="global", text="label"),
                dict(name="six", joints="hip", text=list(FIELDS)),
            ],
        )
        (texts,) = _texts(bank, bank.sample(torch.tensor([1])))
        assert texts[0] == "stand up"
        assert texts[1].startswith("the head does stand up, the hand does stand up, ")

    def test_equal_texts_are_one(self, file: str) -> None:
        slots = [dict(name=n, joints="global", text="label") for n in ("one", "two")]
        bank = PromptBank(file, slots=slots)
        assert bank.texts == LABELS
        assert bank.sample(torch.tensor([2, 0])).tolist() == [[2, 2], [0, 0]]

    def test_order_is_fixed(self, file: str) -> None:
        assert PromptBank(file, seed=1).texts == PromptBank(file, seed=2).texts


class TestDraw:
    """What the draw depends on."""

    LABELS = torch.arange(3).repeat(10)

    def _draws(self, bank: PromptBank, steps: int = 3) -> list[list[list[int]]]:
        return [bank.sample(self.LABELS).tolist() for _ in range(steps)]

    def test_seed(self, file: str) -> None:
        draws = self._draws(PromptBank(file, seed=7))
        assert draws == self._draws(PromptBank(file, seed=7))
        assert draws != self._draws(PromptBank(file, seed=8))

    def test_seed_of_the_run(self, file: str) -> None:
        torch.manual_seed(5)
        draws = self._draws(PromptBank(file))
        torch.manual_seed(5)
        bank = PromptBank(file)
        torch.rand(3)  # whatever else is drawn
        state = torch.get_rng_state()
        assert self._draws(bank) == draws
        assert torch.equal(torch.get_rng_state(), state)

    def test_step(self, file: str) -> None:
        first, second, third = self._draws(PromptBank(file, seed=7))
        assert first != second != third != first

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

    def test_steps_do_not_repeat_one_another(self, file: str) -> None:
        draws = self._draws(PromptBank(file, seed=7), steps=8)
        assert all(draws.count(draw) == 1 for draw in draws)

    def test_resume(self, file: str) -> None:
        bank = PromptBank(file, seed=7)
        self._draws(bank, steps=4)
        state = {name: value.clone() for name, value in bank.state_dict().items()}
        expected = self._draws(bank)
        # The seed is the checkpoint's, too.
        for resumed in (PromptBank(file, seed=7), PromptBank(file, seed=8), bank):
            resumed.load_state_dict(state)
            assert self._draws(resumed) == expected

    def test_uniform(self, file: str) -> None:
        bank = PromptBank(file, slots=SYNONYMS, seed=0)
        ids = torch.cat([bank.sample(torch.zeros(100).long()) for _ in range(30)])
        counts = ids.flatten().bincount().float()
        assert len(counts) == 3
        # Six standard deviations of a count.
        assert (counts - 1000).abs().max() < 6 * (3000 * 2 / 9) ** 0.5

    def test_slots_and_samples_are_independent(self, file: str) -> None:
        slots = [dict(s, name=str(i)) for i, s in enumerate(2 * SYNONYMS)]
        bank = PromptBank(file, slots=slots, seed=0)
        ids = torch.cat([bank.sample(torch.full((300,), 1)) for _ in range(10)])
        pairs = (3 * (ids[:, 0] - 3) + ids[:, 1] - 3).bincount(minlength=9).float()
        assert (pairs - 333).abs().max() < 6 * (3000 * 8 / 81) ** 0.5


class TestErrors:
    """What a user may get wrong."""

    @pytest.mark.parametrize("number", [2, 4])
    def test_number_of_classes(self, file: str, number: int) -> None:
        with pytest.raises(ValueError) as error:
            PromptBank(file, num_classes=number)
        for word in (file, "3 classes", f"num_classes={number}", "model.cls_head"):
            assert word in str(error.value)

    def test_preset(self, file: str) -> None:
        with pytest.raises(ValueError, match=r"preset 'parts9' is unknown, use one of"):
            PromptBank(file, preset="parts9")

    def test_preset_and_slots(self, file: str) -> None:
        with pytest.raises(ValueError, match=r"`preset` \('synonym'\) or `slots`, not"):
            PromptBank(file, preset="synonym", slots=SYNONYMS)

    def test_words_without_a_field(self, file: str) -> None:
        slots = [dict(name="all", joints="global", text=["a person doing", "label"])]
        with pytest.raises(ValueError, match=r"in braces .*'a person doing \{label\}'"):
            PromptBank(file, slots=slots)

    def test_nearly_a_field(self, file: str) -> None:
        slots = [dict(name="all", joints="global", text="synonym")]
        with pytest.raises(ValueError, match=r"did you mean 'synonyms'\?"):
            PromptBank(file, slots=slots)

    def test_misspelt_in_the_file(self, file: str) -> None:
        Path(file).write_text(Path(file).read_text().replace('"head"', '"haed"'))
        with pytest.raises(ValueError, match=r"did you mean 'head' for 'haed'\?"):
            PromptBank(file)

    def test_shared_text(self, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
        logged: list[str] = []

        def log(message: str, **_: Any) -> None:
            logged.append(message)

        monkeypatch.setattr(prompt_bank, "print_log", log)
        words = PromptBank(file, preset="synonym").texts
        assert not logged
        path = Path(file)
        path.write_text(path.read_text().replace(words[-1], words[0]))
        PromptBank(file, preset="synonym")
        assert len(logged) == 1 and f"share the text {words[0]!r}" in logged[0]

    def test_no_slot(self, file: str) -> None:
        with pytest.raises(ValueError, match="at least one slot"):
            PromptBank(file, slots=[])

    def test_slot_twice(self, file: str) -> None:
        with pytest.raises(ValueError, match=r"no name twice: \['all', 'all'\]"):
            PromptBank(file, slots=2 * SYNONYMS)

    def test_field(self, file: str) -> None:
        slots = [dict(name="tail", joints="global", text="tail")]
        with pytest.raises(ValueError, match=rf"{file}, line 1: .*'tail'.*slot 'tail'"):
            PromptBank(file, slots=slots)

    def test_file(self) -> None:
        with pytest.raises(FileNotFoundError, match=r"prompts\.descriptions"):
            PromptBank("data/descriptions/moon.yaml")
