"""From raw text to samples: the reader, and the chain against the public scripts."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gap_mmaction.datasets.ntu import SampleName, convert_skeleton, make_splits
from gap_mmaction.datasets.ntu.conversion import StreamedList, publish
from gap_mmaction.datasets.ntu.denoising import select_actors
from gap_mmaction.datasets.ntu.sample import finish_annotation
from gap_mmaction.datasets.ntu.skeleton_file import (
    PADDING,
    Body,
    RawSequence,
    parse_decimals,
    parse_skeleton,
)
from gap_mmaction.datasets.ntu.splits import find_dataset
from tests.ntu_recordings import format_skeleton


def parse_tokens(tokens: list[str]) -> np.ndarray:
    text = PADDING + " ".join(tokens).encode() + b"\n"
    lengths = np.array([len(token) for token in tokens])
    end = np.cumsum(lengths + 1) + len(PADDING) - 1
    return parse_decimals(text, end - lengths, end)


def test_numbers_are_those_of_float() -> None:
    rng = np.random.default_rng(0)
    tokens = [
        f"{value:.{digits}{kind}}"
        for value in rng.normal(0, 3, 300)
        for digits in (0, 1, 6, 7, 14)
        for kind in "fge"
    ]
    plain = [token for token in tokens if "e" not in token and "." in token]
    for chosen in (tokens, plain):
        np.testing.assert_array_equal(parse_tokens(chosen), list(map(float, chosen)))


@pytest.mark.parametrize("others", [[], ["1.25", "-0.5"]])
def test_unusual_numbers(others: list[str]) -> None:
    for token in (
        *("0", "7", "-3", "+0.5", ".5", "-.5", "5.", "-0.0", "1e-05", "2.5E+3"),
        *("123456789012.345", "-123456789012345.6", "0.123456789012345678901"),
        *("99999999999999.9", "0.00000000000001", "000000000000000000.5"),
    ):
        found = parse_tokens([*others, token])
        expected = np.array([float(word) for word in (*others, token)])
        assert found.tobytes() == expected.tobytes()  # with the sign of zero
    for token in (".", "-", "1.2.3", "--1.0", "1.-2", "1_0.5", "abc", "1,5", "1.5x"):
        with pytest.raises(ValueError):
            parse_tokens(["1.5", *others, token, "2.5"])


@pytest.fixture
def lines() -> list[str]:
    """Three frames, the second without a body, the third with two."""
    one, two, three = np.random.default_rng(1).normal(size=(3, 25, 3))
    frames = [[("71", one)], [], [("72", two), ("71", three)]]
    return format_skeleton(frames).decode().split("\n")[:-1]


def parse(lines: list[str], newline: str = "\n") -> list[tuple[str, list[int], bytes]]:
    sequence = parse_skeleton(newline.join(lines).encode(), "a.skeleton")
    return [
        (body.identity, body.frames.tolist(), body.joints.tobytes())
        for body in sequence.bodies
    ]


def test_bodies(lines: list[str]) -> None:
    sequence = parse_skeleton("\n".join([*lines, "1", "", "2"]).encode(), "a")
    assert [body.identity for body in sequence.bodies] == ["71", "72"]
    assert [body.frames.tolist() for body in sequence.bodies] == [[0, 1], [1]]
    assert (sequence.num_frames, sequence.num_empty_frames) == (2, 1)
    assert sequence.num_extra_lines == 2
    words = [line.split() for line in lines]
    for body, frame, first in ((0, 0, 4), (1, 0, 33), (0, 1, 60)):
        expected = np.array(words[first : first + 25])[:, :3].astype(np.float32)
        np.testing.assert_array_equal(sequence.bodies[body].joints[frame], expected)
    assert parse_skeleton(b"2\n0\n0\n", "a").bodies == []
    # Ids beyond float64 are not mixed up.
    both = [(f"7205759403793627{i}", np.ones((25, 3))) for i in (4, 5)]
    assert len(parse_skeleton(format_skeleton([both]), "a").bodies) == 2


def test_forms_of_white_space(lines: list[str]) -> None:
    expected = parse(lines)
    assert parse([*lines, "", " "]) == expected
    for newline in ("\r\n", "\r", " \n", "\n "):
        assert parse(lines, newline) == expected
    for blank in ("  ", "\t"):
        assert parse([line.replace(" ", blank) for line in lines]) == expected


def test_every_truncation_is_found(lines: list[str]) -> None:
    for data in (b"\n \r\n", b"\x00\xff\xfe"):
        with pytest.raises(ValueError, match=r"^a/b, line 1: .*--skip-list"):
            parse_skeleton(data, "a/b")
    data = ("\n".join(lines) + "\n").encode()
    # A cut after the '2' that ends the last line leaves the file whole.
    for length in range(len(data) - 2):
        with pytest.raises(ValueError, match=r"^dir/a, line .*--skip-list") as caught:
            parse_skeleton(data[:length], "dir/a")
        number = int(re.findall(r"line (\d+)", str(caught.value))[0])
        assert abs(number - max(1, len(data[:length].splitlines()))) <= 1


@pytest.mark.parametrize(
    ("line", "text", "found"),
    [
        *((1, text, "number of frames") for text in ("x", "", "0_3")),
        (1, "4", "number of bodies of frame 4 of 4"),
        (2, "1.5", "'1.5' where the number of bodies of frame 1 of 3 should be"),
        (2, "2", "'0' where the 10 fields of a body should be"),
        (2, "0", "number of bodies of frame 2 of 3"),
        (3, "71 0 1", "'71 0 1' where the 10 fields"),
        (4, "20", "'20' where the number of joints, 25"),
        (5, "1 2 3", "12 fields, this line has 3"),
        (20, "a 1 2 3 4 5 6 7 8 9 10 2", "'a' is not a number.*coordinate x"),
        (29, "0 1 2,5 3 4 5 6 7 8 9 10 2", "'2,5' is not a number.*coordinate z"),
        (40, "0 1 nan 3 4 5 6 7 8 9 10 2", "'nan' is not a finite.*coordinate z"),
        (40, "1e39 0 1 3 4 5 6 7 8 9 10 2", "'1e39' is not a finite.*coordinate x"),
        (85, "5 \u00e9", "12 fields, this line has 2"),
    ],
)
def test_malformed(lines: list[str], line: int, text: str, found: str) -> None:
    lines[line - 1] = text
    # A wrong number sends the reader to another line.
    line = {(1, "4"): len(lines), (2, "2"): 30, (2, "0"): 3}.get((line, text), line)
    with pytest.raises(ValueError, match=rf"a\.skeleton, line {line}: .*{found}"):
        parse(lines)


def test_control_characters(lines: list[str]) -> None:
    # 31 is a digit that has lost bits; where a blank was, all fields are still there.
    for code in map(chr, (0, 14, 28, 31)):
        for text in (lines[6].replace(" ", code, 1), lines[6] + code):
            with pytest.raises(ValueError, match=r"a\.skeleton, line 7: "):
                parse([*lines[:6], text, *lines[7:]])


TRAIN_60 = "1 2 4 5 8 9 13 14 15 16 17 18 19 25 27 28 31 34 35 38"
TRAIN_120 = (
    f"{TRAIN_60} 45 46 47 49 50 52 53 54 55 56 57 58 59 70 74 78 80 81 82 83 84 85 86 "
    "89 91 92 93 94 95 97 98 100 103"
)


@pytest.fixture(scope="module")
def folder(golden_folder: Path) -> Path:
    return golden_folder / "ntu_raw"


@pytest.fixture(scope="module")
def expected(folder: Path) -> dict[str, Any]:
    with np.load(folder / "expected.npz") as file:
        return dict(file)


def flatten(annotation: dict[str, Any] | None) -> np.ndarray:
    assert annotation is not None
    keypoint = annotation["keypoint"]
    return np.asarray(keypoint.transpose(1, 0, 2, 3).reshape(keypoint.shape[1], -1))


def test_samples_are_the_references(folder: Path, expected: dict[str, Any]) -> None:
    padded = 0
    for i, name in enumerate(map(str, expected["names"])):
        data = (folder / f"{name}.skeleton").read_bytes()
        sequence = parse_skeleton(data, name)
        assert sequence.num_frames == expected["raw_num_frames"][i]
        assert len(sequence.bodies) == expected["num_body_ids"][i]
        parts = SampleName.parse(name)
        for key in ("label", "performer", "camera", "setup", "replication"):
            assert getattr(parts, key) == expected[key][i]
        actors, _ = select_actors(sequence, "reference")
        columns = 75 * expected["num_bodies"][i]
        assert actors.joints.shape[1] == columns
        wanted = expected[f"denoised/{name}"]
        np.testing.assert_array_equal(actors.joints, wanted[:, :columns])
        annotation = convert_skeleton(data, name).annotation
        flat, wanted = flatten(annotation), expected[f"translated/{name}"]
        assert annotation is not None and annotation["frame_dir"] == name
        assert annotation["label"] == expected["label"][i]
        assert annotation["total_frames"] == expected["frames"][i]
        assert flat.dtype == np.float32
        np.testing.assert_array_equal(flat, wanted[:, : flat.shape[1]])
        assert not wanted[:, flat.shape[1] :].any()
        if f"translated120/{name}" in expected:
            padded += 1
            assert finish_annotation(annotation, "ntu60", "reference") is annotation
            assert finish_annotation(annotation, "ntu120", "clean") is annotation
            finished = finish_annotation(annotation, "ntu120", "reference")
            wanted = expected[f"translated120/{name}"]
            np.testing.assert_array_equal(flatten(finished), wanted)
    assert padded == 2


def test_order_of_the_splits(expected: dict[str, Any]) -> None:
    names = expected["names"].tolist()
    for dataset, protocols in (("60", ("xsub", "xview")), ("120", ("xsub", "xset"))):
        splits = make_splits(names, f"ntu{dataset}")
        assert len(splits) == 4
        for protocol in protocols:
            for subset, key in (("train", "train"), ("val", "test")):
                rows = expected[f"order_{key}/{protocol}{dataset}"]
                assert splits[f"{protocol}_{subset}"] == [names[i] for i in rows]


def make_name(**parts: int) -> str:
    parts = dict(setup=1, camera=1, performer=1, action=1) | parts
    return "S{setup:03d}C{camera:03d}P{performer:03d}R001A{action:03d}".format(**parts)


def test_subjects_views_and_setups() -> None:
    for dataset, train, limit in (("ntu60", TRAIN_60, 40), ("ntu120", TRAIN_120, 106)):
        splits = make_splits(
            [make_name(performer=i + 1) for i in range(limit)], dataset
        )
        found = [SampleName.parse(name).performer for name in splits["xsub_train"]]
        assert found == [int(number) for number in train.split()]
        found += [SampleName.parse(name).performer for name in splits["xsub_val"]]
        assert sorted(found) == list(range(1, limit + 1))
    later = make_name(performer=41)
    splits = make_splits([later], "ntu60")
    assert not splits["xsub_train"] and not splits["xsub_val"]
    assert splits["xview_val"] == [later]
    names = [make_name(camera=i) for i in (3, 1, 2)]
    splits = make_splits(names, "ntu60")
    assert splits["xview_train"] == [names[2], names[0]]
    assert splits["xview_val"] == [names[1]]
    names = [make_name(setup=i) for i in range(1, 33)]
    splits = make_splits(names, "ntu120")
    assert (splits["xset_train"], splits["xset_val"]) == (names[1::2], names[::2])


def test_names() -> None:
    assert find_dataset([make_name()]) == "ntu60"
    for more in (dict(action=61), dict(performer=41), dict(setup=18)):
        assert find_dataset([make_name(), make_name(**more)]) == "ntu120"
    found = [i for i in range(1, 121) if SampleName(1, 1, 1, 1, i).is_two_person]
    assert found == [*range(50, 61), *range(106, 121)]
    for name, fault in (
        ("S001C001P001R001A121", "action 121"),
        ("S001C001P001R001A000", "action 0"),
        ("S001C001P001R001A001_rgb", "form"),
    ):
        with pytest.raises(ValueError, match=f"{name}: .*{fault}"):
            SampleName.parse(name)


def make_body(identity: str, frames: list[int], value: float, move: float = 1) -> Body:
    """A narrow body; ``move`` is the size of its movements."""
    rng = np.random.default_rng(len(frames))
    joints = rng.normal(0, 0.1 * move, (len(frames), 25, 3)) + value
    joints[..., 1] += np.linspace(-1, 1, 25)
    joints[..., 0] *= 0.1
    return Body(identity, joints.astype(np.float32), np.array(frames))


def choose(bodies: list[Body], num_frames: int, *rules: str) -> list[np.ndarray]:
    """Runs both protocols, which differ by the rules; returns the actors of each."""
    sequence = RawSequence(bodies, num_frames, 0, 0)
    reference, _ = select_actors(sequence, "reference")
    clean, changes = select_actors(sequence, "clean")
    assert [change[:6] for change in changes] == list(rules)
    return [reference.joints, clean.joints]


def test_rules_3_to_5_and_7() -> None:
    """Ghosts and furniture are dropped, the one who moves most comes first."""
    still, moving, ghost, wide, half = (
        make_body("still", [*range(0, 30)], 1),
        make_body("moving", [*range(0, 30)], 2, move=3),
        make_body("ghost", [*range(0, 11)], 3, move=9),
        make_body("wide", [*range(0, 30)], 4, move=9),
        make_body("half wide", [*range(0, 30)], 5, move=1.5),
    )
    wide.joints[..., 0] *= 200
    half.joints[:15, :, 0] *= 200  # no part of what it moves
    for body in (still, half):
        joints = np.concatenate([moving.joints, body.joints], axis=1)
        found, _ = choose([body, ghost, moving, wide], 30)
        np.testing.assert_array_equal(found, joints.reshape(30, 150))
    # The last one is never dropped, but its frames of zeros are.
    wide.joints[3] = 0
    found, _ = choose([replace(wide, joints=wide.joints + 1), wide], 30)
    np.testing.assert_array_equal(found, np.delete(wide.joints, 3, 0).reshape(29, 75))


def test_dropped() -> None:
    for frames, value, reason in (
        (["0", "01", "1"], 1, "none of its 2 bodies has more than 11 frames"),
        (["0"], 0, "all coordinates of actor 1 are zero"),
        (["00"], 1, "body 0 is twice in a frame"),
    ):
        joints = np.full((25, 3), value)
        bodies = [[(identity, joints) for identity in ids] for ids in frames]
        sample = convert_skeleton(format_skeleton(bodies), make_name())
        ((kind, found),) = sample.notes
        assert sample.annotation is None
        assert kind == "dropped" and found.startswith(reason)


def test_rules_of_clean() -> None:
    # Rule 2: a gap stays one.
    main = make_body("a", [*range(0, 40)], 1, move=3)
    other = make_body("b", [*range(5, 15), *range(30, 40)], 2)
    reference, clean = choose([main, other], 40, "rule 2")
    present = clean[:, 75:].any(axis=1)
    assert np.flatnonzero(present).tolist() == other.frames.tolist()
    np.testing.assert_array_equal(clean[30:, 75:], other.joints[10:].reshape(10, 75))
    assert np.flatnonzero(reference[:, 75:].any(axis=1)).tolist() == [*range(5, 25)]

    # Rule 6: where actor 2 starts.
    main = make_body("a", [*range(0, 50)], 1, move=9)
    late = make_body("b", [*range(25, 50)], 2, move=3)
    early = make_body("c", [*range(3, 21)], 3)
    reference, clean = choose([main, late, early], 50, "rule 6")
    assert not reference[:20, 75:].any()
    np.testing.assert_array_equal(clean[3:21, 75:], early.joints.reshape(18, 75))

    # Rule 6: a frame that two share is kept.
    main = make_body("a", [*range(0, 21)], 1, move=3)
    same = make_body("b", [*range(20, 40)], 2)
    reference, clean = choose([main, same], 40, "rule 6")
    assert reference.shape == (40, 150)
    assert clean.shape == (40, 75)  # nobody is actor 2
    np.testing.assert_array_equal(reference[20, :75], same.joints[0].ravel())
    np.testing.assert_array_equal(clean[20], main.joints[20].ravel())
    others = np.arange(40) != 20
    np.testing.assert_array_equal(clean[others], reference[others, :75])


def test_twice_in_a_frame() -> None:
    body = make_body("a", [0, 1, 1, 2], 1)
    clean, found = select_actors(RawSequence([body], 3, 0, 0), "clean")
    np.testing.assert_array_equal(clean.joints, body.joints[[0, 1, 3]].reshape(3, 75))
    assert found == ["a body that is twice in a frame counts once"]
    # A third body at once is left out.
    bodies = [make_body(x, [*range(30)], i, 9 - i) for i, x in enumerate("abc")]
    for protocol in ("reference", "clean"):
        actors, _ = select_actors(RawSequence(bodies, 30, 0, 0), protocol)
        assert actors.left_out == ("c",)


@pytest.mark.parametrize("count", [0, 1, 2500])  # pickle appends 1,000 at a time
def test_streamed_list_reads_as_a_list(count: int, tmp_path: Path) -> None:
    path = tmp_path / "new" / "o.pkl"
    items = [{"label": i, "keypoint": np.full((1, 4, 25, 3), i)} for i in range(count)]
    publish({"split": {}, "annotations": StreamedList(items)}, path, tmp_path / "new")
    content = pickle.loads(path.read_bytes())
    assert list(content) == ["split", "annotations"]
    np.testing.assert_equal(content["annotations"], items)
