"""The old place of the reader of NW-UCLA, for ``apis/input_reader.py``."""

from gap_mmaction.datasets.readers.nwucla import read_keypoint as read_keypoint
