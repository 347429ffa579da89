"""Stock transforms without their loops over frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmaction.datasets.transforms import PreNormalize3D, UniformSampleFrames
from mmaction.registry import TRANSFORMS

from gap_mmaction.skeletons import get_skeleton

# The absolute tolerance of np.isclose: a frame within it is empty for mmaction2.
_ABSENT = 1e-8


def take_3d(results: dict[str, Any], transform: str) -> np.ndarray:
    """Takes the coordinates ``[M, T, V, 3]`` of a sample that is to be turned."""
    keypoint: np.ndarray = results["keypoint"]
    if keypoint.shape[-1] != 3:
        raise ValueError(
            f"{transform}: 'keypoint' of '{results.get('frame_dir')}' has "
            f"{keypoint.shape[-1]} coordinates, 3 are needed; leave this transform out "
            "for 2D data"
        )
    return keypoint


@TRANSFORMS.register_module()
class FastPreNormalize3D(PreNormalize3D):
    """Stock ``PreNormalize3D``, the same to the last bit, but sooner.

    Empty frames are found for all frames at once. The rotations are mmaction2's, in its
    order and by its einsum: the axis of the spine cancels in the first frame, and what
    is left of it shows every change of the arithmetic.

    Required key: ``keypoint`` ``[M, T, V, 3]``, M of 1 or 2 persons, in metres.
    Modified: ``keypoint`` (frames without the longer present person are left out;
    float64 where a rotation is asked for) and ``total_frames``. Added:
    ``body_center``. A sequence of zeros stays as it is, and so does one whose key
    ``pre_normalized`` says that this was done before, by
    ``tools/data/pre_normalize.py``.

    Args:
        zaxis: Bottom and top of the spine, which becomes parallel to z in the first
            frame; by default those of the layout.
        xaxis: Right and left shoulder, the line between which becomes parallel to x;
            by default those of the layout.
        align_spine, align_shoulder: Whether to turn them.
        align_center: Whether to move the spine's joint to the origin.
        layout: Joint layout, a name or a dict, see ``get_skeleton``. By default that of
            the data set, and without one NTU's, as mmaction2 has it.
    """

    def __init__(
        self,
        zaxis: Sequence[int] | None = None,
        xaxis: Sequence[int] | None = None,
        align_spine: bool = True,
        align_shoulder: bool = True,
        align_center: bool = True,
        layout: str | dict[str, Any] | None = None,
    ) -> None:
        skeleton = get_skeleton("nturgb+d" if layout is None else layout)
        self._skeleton = skeleton
        self._used: list[int] = []
        self._is_from_layout = layout is not None
        for is_used, axis, key in (
            (align_spine, zaxis, "spine"),
            (align_shoulder, xaxis, "shoulders"),
        ):
            if not is_used:
                continue
            joints = getattr(skeleton, key) if axis is None else axis
            if not joints:
                raise ValueError(
                    f"{type(self).__name__}: layout {skeleton.name!r} has no {key!r}; "
                    "add spine=(bottom, top) and shoulders=(right, left) to it, set "
                    "zaxis and xaxis here, or leave this transform out"
                )
            self._used += joints
            self._is_from_layout |= axis is None
        super().__init__(
            list(skeleton.spine if zaxis is None else zaxis),
            list(skeleton.shoulders if xaxis is None else xaxis),
            align_spine,
            align_shoulder,
            align_center,
        )

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Normalizes ``results['keypoint']``."""
        if self._is_done(results):
            return results
        keypoint = take_3d(results, type(self).__name__)
        num_persons, num_frames = keypoint.shape[:2]
        if num_persons > 2 or results.get("total_frames", num_frames) != num_frames:
            raise ValueError(
                f"{type(self).__name__}: '{results.get('frame_dir')}' has "
                f"{num_persons} persons and {num_frames} frames, 'total_frames' is "
                f"{results.get('total_frames')}; keep two persons, and every frame"
            )
        self._check_joints(keypoint.shape[2], results.get("frame_dir"))
        if keypoint.sum() == 0:
            return results
        persons, frames = self._leading(keypoint, results.get("frame_dir"))
        keypoint = keypoint[persons] if frames.all() else keypoint[persons, frames]
        if "keypoint_score" in results:
            results["keypoint_score"] = results["keypoint_score"][persons, frames]
        if self.align_center:
            joint = -1  # as mmaction2 has it
            if keypoint.shape[2] == self._skeleton.num_joints:
                spine = self._skeleton.spine
                joint = spine[1] if spine else self._skeleton.centre
            results["body_center"] = keypoint[0, 0, joint].copy()
            keypoint = _move(keypoint, results["body_center"])
        if self.align_spine:
            keypoint = self._turn(keypoint, self.zaxis[::-1], [0, 0, 1])
        if self.align_shoulder:
            keypoint = self._turn(keypoint, self.xaxis, [1, 0, 0])
        results["keypoint"] = keypoint
        results["total_frames"] = keypoint.shape[1]
        return results

    def settings(self) -> dict[str, Any]:
        """Returns the arguments, as ``pre_normalized`` holds them."""
        flags = ("align_spine", "align_shoulder", "align_center")
        axes = {"zaxis": list(self.zaxis), "xaxis": list(self.xaxis)}
        return {**axes, **{name: getattr(self, name) for name in flags}}

    def _check_joints(self, number: int, name: str | None) -> None:
        wanted = self._skeleton.num_joints
        if self._is_from_layout and number != wanted:
            raise ValueError(
                f"{type(self).__name__}: '{name}' has {number} joints, layout "
                f"{self._skeleton.name!r}, by whose spine and shoulders it would be "
                f"turned, has {wanted}; set 'layout' of the data set, or here, to that "
                "of the data, or set zaxis and xaxis"
            )
        if any(joint >= number for joint in self._used):
            raise ValueError(
                f"{type(self).__name__}: zaxis={self.zaxis}, xaxis={self.xaxis}, but "
                f"'{name}' has joints 0..{number - 1}; set them for its layout"
            )

    def _is_done(self, results: dict[str, Any]) -> bool:
        done = results.get("pre_normalized")
        if done is not None and done != self.settings():
            raise ValueError(
                f"{type(self).__name__}: '{results.get('frame_dir')}' was normalized "
                f"before with {done}, the pipeline asks for {self.settings()}; make "
                "the two the same, or use the annotation file that it was made from"
            )
        return done is not None

    def _leading(
        self, keypoint: np.ndarray, name: str | None
    ) -> tuple[slice, np.ndarray]:
        """Returns the persons, the one present longer first, and that one's frames."""
        present = _present_frames(keypoint)
        lead = int(present.sum(1).argmax())
        if not present[lead].any():
            raise ValueError(
                f"{type(self).__name__}: nobody in '{name}' is further than {_ABSENT} "
                "from the origin; leave the sequence out, or check its unit (metres)"
            )
        return slice(None, None, -1 if lead else 1), present[lead]

    def _turn(
        self, keypoint: np.ndarray, joints: Sequence[int], target: list[int]
    ) -> np.ndarray:
        """Turns the line to one joint from another, in the first frame, to a target."""
        end, start = joints
        # In the data's own type, as mmaction2 computes the angle.
        vector = keypoint[0, 0, end] - keypoint[0, 0, start]
        angle = self.angle_between(vector, target)
        matrix = self.rotation_matrix(np.cross(vector, target), angle)
        # Left to einsum, the conversion takes longer than the product.
        wide = keypoint.astype(np.float64, copy=False)
        return np.einsum("abcd,kd->abck", wide, matrix)


def _present_frames(keypoint: np.ndarray) -> np.ndarray:
    """Finds the frames ``[M, T]`` in which mmaction2 sees somebody."""
    # The largest number of this type that the tolerance does not reach beyond.
    limit = keypoint.dtype.type(_ABSENT)
    if float(limit) > _ABSENT:
        limit = np.nextafter(limit, keypoint.dtype.type(0))
    flat = keypoint.reshape(*keypoint.shape[:2], -1)
    # Not '> limit', which is false for NaN: mmaction2 counts that as present.
    return np.asarray(~(np.abs(flat) <= limit).all(-1))


def _move(keypoint: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """Subtracts a point from all joints but those that are at zero."""
    num_joints = keypoint.shape[2]
    absent = (keypoint[..., 0] == 0) & (keypoint[..., 1] == 0) & (keypoint[..., 2] == 0)
    # As rows of V * 3 numbers: numpy is slow where the last axis is short.
    rows = keypoint.reshape(*keypoint.shape[:2], -1) - np.tile(origin, num_joints)
    moved = rows.reshape(keypoint.shape)
    if absent.any():
        moved[absent] = 0
    return np.asarray(moved)


@TRANSFORMS.register_module()
class FastUniformSampleFrames(UniformSampleFrames):
    """Stock ``UniformSampleFrames``, the same draws in a tenth of the time.

    The stock transform looks through all frames for those in which persons come and go,
    to round the indices there; the indices are whole numbers in any case.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds ``results['frame_inds']``."""
        num_frames = results["total_frames"]
        keypoint = results.get("keypoint")
        if keypoint is not None and keypoint.shape[1] != num_frames:
            raise ValueError(
                f"{type(self).__name__}: 'total_frames' of "
                f"'{results.get('frame_dir')}' is {num_frames}, but 'keypoint' has "
                f"{keypoint.shape[1]} frames; correct the annotation"
            )
        draw = self._get_test_clips if self.test_mode else self._get_train_clips
        frames = np.mod(draw(num_frames, self.clip_len), num_frames)
        frames = frames + results.get("start_index", 0)
        results["frame_inds"] = frames.astype(np.int32)
        results.update(clip_len=self.clip_len, num_clips=self.num_clips)
        results["frame_interval"] = None
        return results
