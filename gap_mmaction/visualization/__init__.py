"""Pictures of skeletons, features and runs."""

from .clip_picture import ClipPicture, spread_frames
from .movie_file import write_gif, write_mp4
from .skeleton_clip import SkeletonClip, View
from .skeleton_panel import PartColours

__all__ = [
    "ClipPicture",
    "PartColours",
    "SkeletonClip",
    "View",
    "spread_frames",
    "write_gif",
    "write_mp4",
]
