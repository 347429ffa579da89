"""plain_text: names that matplotlib would take for formulas."""

from __future__ import annotations

from matplotlib.figure import Figure

from gap_mmaction.visualization.plain_text import plain_text


def test_names() -> None:
    assert plain_text("sit down") == "sit down"
    assert plain_text("a\nb\x00") == "a b "
    assert plain_text("pick up with two hands", 12) == "pick up with\ntwo hands"
    assert len(plain_text("x" * 10_000)) == 300
    figure = Figure()
    figure.text(0, 0, plain_text(r"$\frac$ and $"))
    figure.canvas.draw()
