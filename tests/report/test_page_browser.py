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
# The page stands in frames of its own origin, where a script that is not the page's can measure it.
FRAMES = """<!DOCTYPE html>{frames}<pre></pre>
<script>
const measured = {{}};
for (const frame of document.querySelectorAll("iframe")) frame.onload = () => {{
  const page = frame.contentDocument, style = name => getComputedStyle(page.querySelector(name));
  measured[frame.clientWidth] = {{
    overflow: page.documentElement.scrollWidth - frame.clientWidth,
    images: [...page.images].map(image => image.complete && image.naturalWidth),
    background: style("body").backgroundColor, ink: style("body").color, answer: style(".answer").backgroundColor,
    requests: frame.contentWindow.performance.getEntriesByType("resource").map(entry => entry.name.slice(0, 30)),
  }};
  document.querySelector("pre").textContent = JSON.stringify(measured);
}};
</script>"""
FRAME = '<iframe srcdoc="{page}" style="width:{width}px;height:900px;border:0"></iframe>'

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


def measured(page: str, folder: Path, scheme: int) -> dict[int, Any]:
    """What the page looks like by its width, in light (1) or dark (0)."""
    file = folder / "frames.html"
    frames = [FRAME.format(page=html.escape(page), width=width) for width in (340, 700, 1200)]
    file.write_text(FRAMES.format(frames="".join(frames)), encoding="utf-8")
    assert CHROMIUM is not None
    options = (*OPTIONS, f"--blink-settings=preferredColorScheme={scheme}", f"--user-data-dir={folder}/profile")
    done = subprocess.run(
        [CHROMIUM, *options, "--window-size=1400,1000", "--virtual-time-budget=10000", "--dump-dom", file.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = re.search(r"<pre>(.*?)</pre>", done.stdout, re.DOTALL)
    assert found is not None, done.stderr
    by_width = {int(width): seen for width, seen in json.loads(html.unescape(found[1])).items()}
    assert set(by_width) == {340, 700, 1200}
    return by_width


def brightness(color: str) -> int:
    return sum(int(part) for part in re.findall(r"\d+", color)[:3])


def test_the_page_never_scrolls_sideways_shows_its_figures_and_is_light_or_dark(page: str, tmp_path: Path) -> None:
    light, dark = (measured(page, tmp_path, scheme) for scheme in (1, 0))
    for seen in (*light.values(), *dark.values()):
        assert seen["overflow"] <= 0
        assert len(seen["images"]) == 2
        assert all(seen["images"])
        assert all(name.startswith("data:") for name in seen["requests"])
    for one in ("background", "answer"):
        assert all(brightness(seen["ink"]) < 200 < 600 < brightness(seen[one]) for seen in light.values())
        assert all(brightness(seen["ink"]) > 600 > 200 > brightness(seen[one]) for seen in dark.values())
