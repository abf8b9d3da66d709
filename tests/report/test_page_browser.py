"""The page as a browser lays it out: at several widths, light and dark, every figure loaded."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.comparison.outcome import Outcome
from src.evaluation.results import Curve
from src.report.figures.curves import learning_curve
from src.report.figures.scores import intervals
from src.report.page import ComparisonReport, Picture, to_html

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
# The page stands in a frame of its own origin, where a script that is not the page's can measure it.
FRAME = """<!DOCTYPE html><iframe srcdoc="{page}" style="width:{width}px;height:900px;border:0"></iframe><pre></pre>
<script>
const frame = document.querySelector("iframe");
frame.onload = () => {{
  const page = frame.contentDocument, style = name => getComputedStyle(page.querySelector(name));
  document.querySelector("pre").textContent = JSON.stringify({{
    overflow: page.documentElement.scrollWidth - frame.clientWidth,
    images: [...page.images].map(image => image.complete && image.naturalWidth),
    background: style("body").backgroundColor, ink: style("body").color, answer: style(".answer").backgroundColor,
    requests: frame.contentWindow.performance.getEntriesByType("resource").map(entry => entry.name.slice(0, 30)),
  }});
}};
</script>"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (Debian's package chromium)"),
]


@pytest.fixture
def page(verdicts: Outcome) -> str:
    curve = Curve(np.arange(1, 9), np.linspace(2, 1, 8), np.linspace(2, 1.5, 8))
    pictures = (
        Picture("leaderboard", "Accuracy", "Of every job.", intervals(verdicts.candidates, verdicts.metric, 0.95)),
        Picture("curves", "Loss", "By epoch.", learning_curve({"a very_long_name_of_a_model " * 3: [curve] * 2})),
    )
    words = {"digest": "0123456789abcdef" * 8, "grid": "learning_rate = " + ", ".join("0.1" for _ in range(60))}
    report = ComparisonReport(
        "homework5", "Does it?", verdicts, pictures=pictures, method=words, commands=("x" * 300,), notes=("y" * 300,)
    )
    return to_html(report)


def measured(page: str, folder: Path, width: int, *options: str) -> dict[str, Any]:
    frame = folder / "frame.html"
    frame.write_text(FRAME.format(page=html.escape(page), width=width), encoding="utf-8")
    assert CHROMIUM is not None
    command = [CHROMIUM, *OPTIONS, *options, f"--user-data-dir={folder}/profile", "--window-size=1400,1000"]
    done = subprocess.run(
        [*command, "--virtual-time-budget=10000", "--dump-dom", frame.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = re.search(r"<pre>(.*?)</pre>", done.stdout, re.DOTALL)
    assert found is not None, done.stderr
    answer: dict[str, Any] = json.loads(html.unescape(found[1]))
    return answer


@pytest.mark.parametrize("width", [340, 700, 1200])
def test_the_page_never_scrolls_sideways_and_shows_its_figures(page: str, width: int, tmp_path: Path) -> None:
    found = measured(page, tmp_path, width)
    assert found["overflow"] <= 0
    assert len(found["images"]) == 2
    assert all(found["images"])
    assert all(name.startswith("data:") for name in found["requests"])


def test_the_page_follows_the_readers_choice_of_light_or_dark(page: str, tmp_path: Path) -> None:
    def brightness(color: str) -> int:
        return sum(int(part) for part in re.findall(r"\d+", color)[:3])

    light = measured(page, tmp_path, 1000, "--blink-settings=preferredColorScheme=1")
    dark = measured(page, tmp_path, 1000, "--blink-settings=preferredColorScheme=0")
    for one in ("background", "answer"):
        assert brightness(light["ink"]) < 200 < 600 < brightness(light[one])
        assert brightness(dark["ink"]) > 600 > 200 > brightness(dark[one])
