"""A plot of the figures that peers have too: how many times better Holdfast is."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from bench.measures import AEGRA, APART, PEER, Row

COLORS = {PEER: "#8a8f98", AEGRA: "#c9a227"}
HEIGHT = 0.35  # of a bar, where the rows are 1 apart


def plot(rows: Sequence[Row], file: Path) -> None:
    """Writes a PNG: a bar for each row and peer, as long as its ratio is large, on a logarithmic scale."""
    shown = [row for row in reversed(rows) if row.ratio(APART, PEER) or row.ratio(APART, AEGRA)]
    figure = Figure(figsize=(9, 1.2 + 0.45 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    for place, (peer, color) in enumerate(COLORS.items()):
        ratios = [row.ratio(APART, peer) or 1.0 for row in shown]
        heights = [number + (0.5 - place) * HEIGHT for number in range(len(shown))]
        bars = axes.barh(heights, ratios, HEIGHT, left=0, color=color, label=f"than {peer}")
        axes.bar_label(bars, [f" {ratio:.3g}x" for ratio in ratios], fontsize=8)
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(shown)), [f"{row.name}, {row.unit}" for row in shown])
    axes.set_xlabel("how many times better `holdfast serve` and `holdfast worker` are")
    axes.legend(loc="lower right", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=110)
