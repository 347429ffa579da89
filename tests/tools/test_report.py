"""tools/report.py: what is on the page, what is escaped, and what is left out."""

from __future__ import annotations

import base64
import io
import pickle
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gap_mmaction.models.text.descriptions import write_descriptions
from gap_mmaction.report import RunFolder
from tests.evaluation.score_files import dump
from tests.evaluation.training_logs import epochs, write_run
from tests.visualization.clips import standing
from tools.report import main

EVIL = "<script>document.title='run'</script>"
CONFIG = """\
model = dict(data_preprocessor=dict(layout='nw-ucla', stream='joint'))
test_dataloader = dict(dataset=dict(ann_file='none.pkl', split='val'))
train_cfg = dict(by_epoch=True, max_epochs=4)
note = '</pre><script>alert(1)</script>'
"""
ENVIRONMENT = """\
2026/01/01 - mmengine - INFO -
------------------------------------------------------------
System environment:
    Python: 3.11 <b onclick="x">
------------------------------------------------------------
rest
"""
LABELS = np.array([0, 1, 2, 0, 1, 2])
NAMES = [f'a{i}"><img src=x onerror=alert(1)>' for i in range(6)]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class Page(HTMLParser):
    """Collects tags and text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.html = path.read_text("utf-8")
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def images(self) -> list[Image.Image]:
        found: list[Image.Image] = []
        for tag, attributes in self.tags:
            if tag == "img":
                head, data = str(attributes["src"]).split(",")
                assert head in ("data:image/png;base64", "data:image/gif;base64")
                found.append(Image.open(io.BytesIO(base64.b64decode(data))))
        return found

    def count(self, name: str) -> int:
        return sum(attributes.get("class") == name for _, attributes in self.tags)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of a name with a tag in it."""
    folder = tmp_path / "<i>run"
    log = write_run(folder, epochs(1, 4, loss=2.0))
    (log.parent / "config.py").write_text(CONFIG)
    (log.parent.parent / "20260101_000000.log").write_text(ENVIRONMENT)
    return folder


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    """Six samples, of which 1, 2 and 5 are wrong; names with tags in them."""
    scores = np.full((6, 3), 0.1, np.float32)
    scores[np.arange(6), [0, 0, 1, 0, 1, 1]] = [0.8, 0.5, 0.9, 0.8, 0.8, 0.7]
    path = dump(tmp_path / "scores.pkl", scores, LABELS, NAMES)
    classes = [{"label": label} for label in ("sit", EVIL, "dollar $\\frac$")]
    write_descriptions(tmp_path / "labels.yaml", "made", classes)
    write_annotations(tmp_path / "ann.pkl")
    labels = ["--labels", str(tmp_path / "labels.yaml")]
    return ["--scores", path, "--ann-file", str(tmp_path / "ann.pkl"), *labels]


def write_annotations(path: Path, labels: np.ndarray = LABELS) -> None:
    items = [
        {"frame_dir": name, "label": int(label), "keypoint": standing(frames=4 + i)}
        for i, (name, label) in enumerate(zip(NAMES, labels))
    ]
    content = {"split": {"val": NAMES}, "annotations": [*items]}
    path.write_bytes(pickle.dumps(content))


def test_config_is_that_of_the_training(run: Path) -> None:
    tested = run / "20990101_000000" / "vis_data" / "config.py"
    tested.parent.mkdir(parents=True)
    tested.write_text("model = dict(text_branch=None)")
    (run / "own.py").write_text("model = dict(text_branch=None)")
    assert RunFolder.read(run).config_text == CONFIG


def test_whole_page(run: Path, options: list[str], tmp_path: Path) -> None:
    out = tmp_path / "new" / "report.html"
    assert main([str(run), *options, "--out", str(out)]) == 0
    page = Page(out)
    kinds = [(image.format, getattr(image, "n_frames", 1)) for image in page.images()]
    # Curves, confusion, and samples 2, 5 and 1, of as many frames as they have.
    assert kinds == [("PNG", 1), ("PNG", 1), ("GIF", 6), ("GIF", 9), ("GIF", 5)]
    for words in (
        *("50.00 %", "epoch 4 of 4", "layout nw-ucla", "Python: 3.11", "max_epochs=4"),
        *(EVIL, NAMES[2], "dollar $\\frac$", "<i>run", "</pre><script>"),
    ):
        assert words in page.text
    assert page.count("missing") == 0
    widths = [a["style"] for tag, a in page.tags if tag == "i" and a.get("style")]
    bars = [style for style in widths if style and style.startswith("width")]
    assert bars == ["width: 0.0%", "width: 50.0%", "width: 100.0%"]


def test_page_loads_and_runs_nothing(
    run: Path, options: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "report.html"
    assert main([str(run), *options, "--title", EVIL, "--out", str(out)]) == 0
    page = Page(out)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "iframe", "object", "embed", "a", "form", "base"}
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "href"):
            assert str(attributes.get(name, "data:")).startswith("data:"), tag
    assert "url(" not in page.html and "@import" not in page.html
    (policy,) = [a["content"] for tag, a in page.tags if "http-equiv" in a]
    assert policy is not None and policy.startswith("default-src 'none'")


def test_what_is_missing_is_said(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.html"
    assert main([str(run), "--out", str(out)]) == 0
    page = Page(out)
    assert len(page.images()) == 1
    assert page.count("missing") == 1
    assert "--scores scores.pkl" in page.text
    # A run of which the config alone is left.
    (log,) = run.glob("*/vis_data/scalars.json")
    log.unlink()
    (log.parent.parent / "20260101_000000.log").unlink()
    assert main([str(run), "--out", str(out)]) == 0
    page = Page(out)
    assert not page.images()
    assert page.count("missing") == 3
    assert "no vis_data/scalars.json" in page.text and "layout nw-ucla" in page.text
    assert "note: " in capsys.readouterr().err


def test_scores_without_names(
    run: Path, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are those of the split tested on, if the labels agree."""
    out = tmp_path / "report.html"
    dump(Path(options[1]), np.eye(3, dtype=np.float32)[LABELS * 0], LABELS)
    assert main([str(run), *options, "--out", str(out)]) == 0
    assert [image.format for image in Page(out).images()][2:] == ["GIF"] * 4
    out.unlink()
    write_annotations(tmp_path / "ann.pkl", LABELS[::-1])
    assert main([str(run), *options, "--out", str(out)]) == 1
    assert "has no names of samples" in capsys.readouterr().err
    assert not out.exists()


def test_without_annotations_and_names(
    run: Path, options: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "report.html"
    assert main([str(run), *options[:2], "--out", str(out)]) == 0
    page = Page(out)
    assert "--ann-file names the file" in page.text
    assert page.count("clip") == 3 and len(page.images()) == 2
    assert main([str(run), *options, "--clips", "1", "--out", str(out)]) == 0
    assert Page(out).count("clip") == 1


def test_errors(
    run: Path, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.html"
    (tmp_path / "empty").mkdir()
    broken = tmp_path / "broken.pkl"
    broken.write_bytes(b"\x80")
    for arguments, message in (
        ([str(tmp_path / "none")], "no such run folder"),
        ([str(tmp_path / "empty")], "neither a log nor a config"),
        ([str(run), "--scores", "none.pkl"], "there is no such file"),
        ([str(run), *options, "--ann-file", str(broken)], "broken.pkl"),
        ([str(run), *options, "--labels", "nwucla"], "describes 10 classes"),
        ([str(run), *options, "--layout", "coco"], "20 joints"),
    ):
        assert main([*arguments, "--out", str(out)]) == 1
        assert message in capsys.readouterr().err
        assert not out.exists()
    with pytest.raises(SystemExit):
        main([str(run), "--out", "report.txt"])


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_in_a_browser(run: Path, options: list[str], tmp_path: Path) -> None:
    out, shot = tmp_path / "report.html", tmp_path / "shot.png"
    assert main([str(run), *options, "--out", str(out)]) == 0
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu"]
    command += ["--disable-quic", "--no-first-run", "--disable-background-networking"]
    command += ["--disable-component-update", "--disable-sync", "--hide-scrollbars"]
    command += ["--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--window-size=1200,3000", f"--screenshot={shot}", out.as_uri()]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    # Chromium logs what a page's console has as "CONSOLE".
    assert "CONSOLE" not in done.stderr
    with Image.open(shot) as image:
        assert image.size == (1200, 3000)
        assert len(set(image.convert("L").resize((60, 150)).tobytes())) > 20
