"""Joint layouts, their bones and part groups."""

from .layouts import Layout, get_skeleton, layouts
from .skeleton import GLOBAL_PART, STREAMS, Edge, Skeleton, check_stream

__all__ = [
    "GLOBAL_PART",
    "STREAMS",
    "Edge",
    "Layout",
    "Skeleton",
    "check_stream",
    "get_skeleton",
    "layouts",
]
