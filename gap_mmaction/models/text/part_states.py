"""HAKE part states: read them, and find the ones that are nearest to a label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor
from torch.nn.functional import normalize

from .descriptions import PARTS

NO_INTERACTION = "no_interaction"
# Similarities closer than this are taken for equal: a feature's last digits depend on
# the machine and on the texts that were encoded with it.
DECIMALS = 4


@dataclass(frozen=True)
class PartState:
    """What a part of the body, one of ``PARTS``, does, such as ``'stand on'``."""

    part: str
    name: str

    @property
    def words(self) -> str:
        """The state without brackets and underscores."""
        plain = self.name.translate(str.maketrans("()_", "   "))
        return " ".join(plain.split())


def read_part_states(path: str | Path) -> list[PartState]:
    """Reads a file with one ``part: state`` a line, as HAKE's 93 (TPAMI 2023).

    ``no_interaction`` is left out. Any other line, or one twice, is a ValueError.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise FileNotFoundError(
            f"there is no file of part states {str(path)!r}; give one with lines like "
            "'foot: stand on', see docs/descriptions.md"
        ) from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no UTF-8 text: {error}") from error
    lines: dict[PartState, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        part, colon, name = line.partition(":")
        state = PartState(part.strip(), " ".join(name.split()))
        where = f"{path}, line {number}: {line.strip()!r}"
        if not colon or not state.words:
            raise ValueError(f"{where} is no 'part: state', like 'foot: stand on'")
        if state.part not in PARTS:
            raise ValueError(f"{where}: the part {state.part!r} is none of {PARTS}")
        if state in lines:
            raise ValueError(f"{where} stands in line {lines[state]} too, remove one")
        lines[state] = number
    states = [state for state in lines if state.name != NO_INTERACTION]
    if not states:
        raise ValueError(f"{path} has no part states, give lines like 'foot: stand on'")
    return states


def nearest_states(
    label_features: Tensor,
    state_features: Tensor,
    states: Sequence[PartState],
    k: int,
    threshold: float,
    at_least: int = 1,
) -> list[list[tuple[PartState, float]]]:
    """Returns each label's nearest states and similarities (GAP, section 3.5).

    Features are ``[N, D]`` and ``[S, D]``. A label gets at the most ``k`` states per
    part, whose cosine is ``threshold`` or more; ``at_least`` so many even below it, as
    far as ``k`` allows. The most similar come first, of equal ones the first of
    ``states``. A number that is out of its range is a ValueError.
    """
    for name, value in (("k", k), ("at_least", at_least)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if not -1 <= threshold <= 1:
        raise ValueError(f"threshold must be a cosine, in [-1, 1], got {threshold}")
    if len(states) != len(state_features):
        raise ValueError(f"{len(states)} states have {len(state_features)} features")
    cosines = normalize(label_features, dim=1) @ normalize(state_features, dim=1).T
    nearest = []
    for row in cosines.tolist():
        similarity = [round(value, DECIMALS) for value in row]
        # Sorting is stable.
        order = sorted(range(len(states)), key=similarity.__getitem__, reverse=True)
        left = dict.fromkeys(PARTS, k)
        kept: list[tuple[PartState, float]] = []
        for index in order:
            part = states[index].part
            near = similarity[index] >= threshold or len(kept) < at_least
            if left[part] and near:
                left[part] -= 1
                kept.append((states[index], similarity[index]))
        nearest.append(kept)
    return nearest


def part_state_fields(states: Sequence[PartState]) -> dict[str, str]:
    """Returns the fields of a description file for a class's states.

    ``hake`` is all of them, as in GAP's Fig. 4: "foot stand on, hand put on";
    ``hake_head`` and so on are those of a part, or "head no interaction".
    """
    fields = {"hake": ", ".join(f"{state.part} {state.words}" for state in states)}
    for part in PARTS:
        own = [f"{part} {state.words}" for state in states if state.part == part]
        fields[f"hake_{part}"] = ", ".join(own) or f"{part} no interaction"
    return fields
