"""NTU RGB+D 60 and 120: from raw ``.skeleton`` files to one annotation file.

The chain is that of CTR-GCN (github.com/Uason-Chen/CTR-GCN, ``data/ntu*``), which GAP
trains on: read, clean of ghosts, choose two actors, move to the first actor's spine.
``tools/data/prepare_ntu.py`` runs it over a data set; ``docs/ntu.md`` is its page.
"""

from gap_mmaction.datasets.ntu.sample import convert_skeleton
from gap_mmaction.datasets.ntu.skeleton_file import parse_skeleton
from gap_mmaction.datasets.ntu.splits import SampleName, make_splits

__all__ = ["SampleName", "convert_skeleton", "make_splits", "parse_skeleton"]
