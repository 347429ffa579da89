"""What the name of an NTU RGB+D sample says."""

from __future__ import annotations

import re
from typing import NamedTuple

_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")

# Largest value of each part in NTU RGB+D 120 (Liu et al., TPAMI 2019), and in NTU
# RGB+D (Shahroudy et al., CVPR 2016), which is the first half of it.
_LIMITS_120 = {
    "setup": 32,
    "camera": 3,
    "performer": 106,
    "replication": 2,
    "action": 120,
}
_LIMITS_60 = {**_LIMITS_120, "setup": 17, "performer": 40, "action": 60}

# Actions of two persons, A050 to A060 and A106 to A120.
_FIRST_TWO_PERSON_60 = 50
_FIRST_TWO_PERSON_120 = 106


class SampleName(NamedTuple):
    """The parts of a name such as ``S001C002P003R002A013``, each from 1 on.

    Attributes:
        setup: Setup, 1..32.
        camera: Camera, 1..3.
        performer: Performer, 1..106.
        replication: Repetition, 1 or 2.
        action: Action, 1..120; the class label is one less.
    """

    setup: int
    camera: int
    performer: int
    replication: int
    action: int

    @classmethod
    def parse(cls, name: str, where: str = "") -> SampleName:
        """Take a name apart.

        Args:
            name: The file name without its suffix.
            where: What error messages call it, the name by default.

        Returns:
            Its parts.

        Raises:
            ValueError: If the name has another form, or a part that neither data set
                has.
        """
        match = _NAME.fullmatch(name)
        if match is None:
            raise ValueError(
                f"{where or name}: not a name of the form SsssCcccPpppRrrrAaaa"
            )
        parts = cls(*map(int, match.groups()))
        for key, limit in _LIMITS_120.items():
            value = getattr(parts, key)
            if not 1 <= value <= limit:
                raise ValueError(
                    f"{where or name}: unknown {key} {value}, NTU RGB+D 120 has 1 to "
                    f"{limit}"
                )
        return parts

    @property
    def label(self) -> int:
        """The 0-based class index."""
        return self.action - 1

    @property
    def is_ntu60(self) -> bool:
        """Whether NTU RGB+D 60 has such a sample."""
        return all(getattr(self, key) <= limit for key, limit in _LIMITS_60.items())

    @property
    def is_two_person(self) -> bool:
        """Whether the action is one of two persons."""
        last_60 = _LIMITS_60["action"]
        return (
            _FIRST_TWO_PERSON_60 <= self.action <= last_60
            or self.action >= _FIRST_TWO_PERSON_120
        )
