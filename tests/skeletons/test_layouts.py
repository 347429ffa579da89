"""The table of joint layouts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mmaction.models.utils import Graph
from mmengine.config import ConfigDict

from gap_mmaction.skeletons import STREAMS, Skeleton, get_skeleton, layouts

JOINTS = {
    **{"nturgb+d": 25, "nw-ucla": 20, "coco": 17, "openni-15": 15, "jhmdb-15": 15},
    **{"mediapipe": 33, "openpose18": 18, "openpose25": 25, "halpe26": 26},
}
IN_SPACE = ("nturgb+d", "nw-ucla", "openni-15", "mediapipe")
NAME = pytest.mark.parametrize("name", JOINTS)
FOUR = ("head", "hand-arm", "hip", "leg-foot")
_TOES = ("big toe", "small toe")
_ENDS = {"hand": "wrist", "foot": "ankle"}
SIX = ("head", "arm", "hand", "hip", "leg", "foot")


def _bases(skeleton: Skeleton, part: str, stream: str) -> set[str]:
    """Joint names of a part without left and right."""
    names = [skeleton.joint_names[joint] for joint in skeleton.part(part, stream)]
    return {name.replace("left ", "").replace("right ", "") for name in names}


def _span(first: int, last: int) -> list[int]:
    return list(range(first, last + 1))


@NAME
def test_trees(name: str) -> None:
    skeleton = get_skeleton(name)
    joints = JOINTS[name]
    assert skeleton.name == name and layouts() == list(JOINTS)
    assert skeleton.num_joints == joints == len(set(skeleton.joint_names))
    assert len(skeleton.bones) == joints
    assert skeleton.num_coordinates == (3 if name in IN_SPACE else 2)
    # The authors' edges are in the table only where they are not mmaction2's.
    for edges in (skeleton.edges, skeleton.bones, skeleton.author_edges):
        pairs = {(child, parent) for child, parent in edges if child != parent}
        loops = [child for child, parent in edges if child == parent]
        assert loops == ([skeleton.centre] if edges is skeleton.bones else [])
        reached = {skeleton.centre}
        for _ in pairs:
            for pair in pairs:
                reached |= set(pair) if reached & set(pair) else set()
        if edges:
            assert len(pairs) == joints - 1 and reached == set(range(joints))

    # They are mmaction2's.
    layout: Any = name
    if name == "openpose18":  # mmaction2's own name for it
        layout = "openpose"
    elif name not in ("nturgb+d", "coco"):  # which mmaction2 does not know
        inward = list(skeleton.edges)
        layout = dict(num_node=joints, inward=inward, center=skeleton.centre)
    graph = Graph(layout, mode="spatial")
    assert set(skeleton.edges) == set(graph.inward)
    assert skeleton.centre == graph.center
    assert skeleton.adjacency().dtype == np.float32
    np.testing.assert_array_equal(skeleton.adjacency(), graph.A.astype(np.float32))


@NAME
@pytest.mark.parametrize("stream", STREAMS)
def test_parts(name: str, stream: str) -> None:
    skeleton = get_skeleton(name)
    every = set(range(skeleton.num_joints))
    names = ("upper", "lower", *FOUR, *SIX)
    group = {part: set(skeleton.part(part, stream)) for part in names}
    assert set(skeleton.part("global", stream)) == every
    assert group["upper"] ^ group["lower"] == every
    # On the bone streams of NTU the public code leaves out the tip of a hand.
    left_out = {21} if name == "nturgb+d" and stream.startswith("bone") else set()
    assert every - set().union(*(group[part] for part in FOUR)) == left_out
    assert len(every - set().union(*(group[part] for part in SIX))) <= 2
    assert group["head"] <= group["upper"]
    assert group["leg"] | group["foot"] <= group["leg-foot"] <= group["lower"]

    # They hold what they say.
    bases = {part: _bases(skeleton, part, stream) for part in SIX}
    # Wrists and ankles are in arm and leg only if there are joints beyond them.
    wrist, ankle = ({w} if {w} < bases[p] else set() for p, w in _ENDS.items())
    assert bases["arm"] == {"shoulder", "elbow"} | wrist
    assert bases["leg"] == {"hip", "knee"} | ankle
    assert {"wrist", "hand"} & bases["hand"]
    assert not bases["hand"] & {"elbow", "shoulder", "knee", "ankle"}
    assert bases["foot"] and bases["foot"] <= {
        "ankle",
        "foot",
        "foot index",
        "heel",
        *_TOES,
    }
    assert "hip" in bases["hip"] and {"head", "nose", "face"} & bases["head"]
    for part in ("arm", "leg", "hand", "foot", "hip", "leg-foot"):
        joints = [skeleton.joint_names[j] for j in skeleton.part(part, stream)]
        left, right = (
            {joint.replace(side, "") for joint in joints if side in joint}
            for side in ("left", "right")
        )
        assert left == right


@pytest.mark.parametrize("motion", ["", "-motion"])
@pytest.mark.parametrize(
    ("name", "kind", "head", "hand", "hip"),
    [
        ("nturgb+d", "joint", [2, 3, 20], [*_span(4, 11), *_span(21, 24)],
         [0, 1, 2, 12, 16]),
        ("nturgb+d", "bone", [2, 3], [*_span(4, 11), 20, 22, 23, 24], [0, 1, 12, 16]),
        ("nw-ucla", "joint", [2, 3], _span(4, 11), [0, 1, 12, 16]),
        ("nw-ucla", "bone", [2, 3], _span(4, 11), [0, 1, 12, 16]),
    ],
)  # fmt: skip
def test_parts_of_the_public_code(
    name: str, kind: str, motion: str, head: list[int], hand: list[int], hip: list[int]
) -> None:
    skeleton = get_skeleton(name)
    for part, joints in zip(FOUR, (head, hand, hip, _span(12, 19))):
        assert list(skeleton.part(part, kind + motion)) == joints


def test_edges_of_the_authors_of_ctrgcn() -> None:
    def read(text: str) -> set[tuple[int, int]]:
        pairs = (pair.split("-") for pair in text.split())
        return {(int(child) - 1, int(parent) - 1) for child, parent in pairs}

    body = "6-5 7-6 8-7 10-9 11-10 12-11 13-1 14-13 15-14 16-15 17-1 18-17 19-18 20-19"
    ucla, ntu = get_skeleton("nw-ucla"), get_skeleton("nturgb+d")
    authors = read(f"{body} 1-2 2-3 4-3 5-3 9-3")
    assert set(ucla.edges) == authors and set(ucla.bones) == authors | {(2, 2)}
    np.testing.assert_array_equal(ucla.adjacency(), ucla.adjacency(authors=True))

    trunk = read(f"{body} 1-2 2-21 3-21 4-3 5-21 9-21 23-8 25-12")
    authors = trunk | read("22-23 24-25")
    assert set(ntu.edges) == trunk | read("22-8 24-12")
    assert set(ntu.author_edges) == authors
    assert set(ntu.bones) == authors | {(20, 20)}
    ours, theirs = ntu.adjacency(), ntu.adjacency(authors=True)
    different = np.argwhere((ours > 0) != (theirs > 0))
    # The tips of the hands and their parents.
    assert set(different[:, 1:].ravel()) <= {7, 11, 21, 22, 23, 24}


def test_bad_lookups() -> None:
    with pytest.raises(ValueError, match=r"'ntu' is unknown; use .*coco"):
        get_skeleton("ntu")
    for arguments in (("tail",), ("head", "bones")):
        with pytest.raises(ValueError, match=f"'{arguments[-1]}'"):
            get_skeleton("coco").part(*arguments)
    with pytest.raises(TypeError, match="a name or a dict, got int"):
        get_skeleton(25)  # type: ignore[arg-type]


ABSENT = object()
GOOD: dict[str, Any] = dict(
    name="mine",
    joints=["root", "mid", "tip"],
    inward=[("mid", "root"), ("tip", "mid")],
    center="root",
    parts=dict(end=["mid", "tip"]),
)


def test_dict_of_numbers_and_names() -> None:
    layout = dict(num_node=3, inward=[[1, 0], [2, 1]], center=0)
    skeleton = get_skeleton({**layout, "_delete_": True, "parts": {"end": [1, 2]}})
    assert skeleton.name == "custom"
    assert skeleton.joint_names == ("joint 0", "joint 1", "joint 2")
    named = get_skeleton(GOOD)
    assert skeleton.edges == named.edges == ((1, 0), (2, 1))
    assert skeleton.bones == named.bones == ((1, 0), (2, 1), (0, 0))
    assert skeleton.part("end") == named.part("end") == (1, 2)
    np.testing.assert_array_equal(skeleton.adjacency(), Graph(layout).A)


def test_what_is_not_taken_from_the_edges() -> None:
    bones = [("root", "root"), ("mid", "root"), ("tip", "root")]
    more = dict(bones=bones, num_coordinates=2, bone_parts=dict(end=["tip"]))
    skeleton = get_skeleton(ConfigDict({**GOOD, **more}))
    assert get_skeleton(skeleton) is skeleton
    assert skeleton.edges == ((1, 0), (2, 1))
    assert skeleton.bones == ((0, 0), (1, 0), (2, 0))
    assert skeleton.num_coordinates == 2
    ends = [skeleton.part("end", stream) for stream in STREAMS]
    assert ends == [(1, 2), (2,), (1, 2), (2,)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(centre=0), ["centre", "use", "'center'"]),
        (dict(center=3), ["center", "3", "0 to 2"]),
        (dict(joints="abc"), ["joints", "list", "'abc'"]),
        (dict(joints=["root", "mid", "mid"]), ["joints", "twice", "'mid'"]),
        (dict(num_node=4), ["num_node is 4", "3 names in joints"]),
        (dict(num_coordinates=4), ["num_coordinates is 4", "2 or 3"]),
        (dict(spine=[0]), ["spine is (0,)", "two joints"]),
        (dict(shoulders=["tip", "hip"]), ["shoulders", "no joint is named 'hip'"]),
        (dict(inward=[(1, 0, 2)]), ["inward", "(1, 0, 2)", "no pair"]),
        (dict(inward=[(1, 0.5), (2, 1)]), ["inward", "0.5 is no joint"]),
        (dict(inward=[(1, 2), (2, 1)]), ["no path", "joint 1 ('mid')", "0 ('root')"]),
        (dict(inward=[(1, 0), (2, 1), (2, 0)]), ["inward: 'tip' has 2 parents"]),
        (dict(inward=[(1, 0)]), ["inward: 'tip' has 0 parents", "(child, parent)"]),
        (dict(inward=[(1, 0), (2, 1), (0, 1)]), ["'root' has 1 parents", "center"]),
        (dict(bones=[(1, 0), (2, 1)]), ["bones", "joint 0 ('root') has 0"]),
        (dict(bones=[(1, 0), (2, 1), (0, 1)]), ["center 0", "its own parent"]),
        (dict(parts=["end"]), ["parts", "['end']", "dict"]),
        (dict(parts=dict(end=[])), ["parts['end']", "empty"]),
        (dict(parts=dict(end=[1, "mid"])), ["parts['end']", "twice"]),
        (dict(parts=dict(end=[True])), ["parts['end']", "True is no joint"]),
        (dict(parts={"global": [1]}), ["parts", "'global'", "another name"]),
        (dict(num_node="3"), ["num_node is '3'", "a whole number"]),
        (dict(joints=ABSENT), ["give `joints`"]),
        (dict(center=ABSENT), ["the key 'center' is missing"]),
    ],
)
def test_bad(change: dict[str, Any], words: list[str]) -> None:
    layout = {**GOOD, **change}
    with pytest.raises(ValueError) as error:
        get_skeleton({k: v for k, v in layout.items() if v is not ABSENT})
    for word in ("layout 'mine'", *words):
        assert word in str(error.value)
