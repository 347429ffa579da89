"""A sample that cannot be used, through no fault of its file."""

from __future__ import annotations


class UnusableSampleError(ValueError):
    """The chain has no result for a sample; it is left out and reported.

    The reference ends with an error of Python at these.
    """
