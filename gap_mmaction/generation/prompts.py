"""The paper's three prompts."""

from __future__ import annotations

from dataclasses import dataclass

from gap_mmaction.models.text.descriptions import PARTS

NUM_SYNONYMS = 10
"""How many synonyms the second prompt asks for."""

_ACTION = "<action>"


@dataclass(frozen=True)
class Prompt:
    """A question about an action.

    Attributes:
        kind: The name of what is asked for.
        template: The question, with ``<action>`` where the label goes.
        fields: The fields of a description file that the answer fills.
    """

    kind: str
    template: str
    fields: tuple[str, ...]

    def fill(self, label: str) -> str:
        """Ask about one action."""
        return self.template.replace(_ACTION, label)


# The wording of the three is the paper's: GAP, Fig. 5.
PROMPTS = (
    Prompt("paragraph", f'Describe a person "{_ACTION}" in details.', ("paragraph",)),
    Prompt(
        "synonyms",
        f'Suggest {NUM_SYNONYMS} synonyms for "{_ACTION}"',
        ("synonyms",),
    ),
    Prompt(
        "parts",
        f'Describing following body parts actions when "{_ACTION}": '
        f"{', '.join(PARTS)}.",
        PARTS,
    ),
)
