"""The words and number formats every table, figure and page shares, and the escaping of text that is not ours."""

import math
import re
from typing import Any

from src.language import say

MISSING = "–"
LAST_FIGURE = "figures/roc_curve.png"  # of a job's: where it is kept, the others are

# Control characters, separators of lines and paragraphs, and marks that reverse the reading direction.
_SEPARATOR = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
# Neither XML 1.0 (section 2.2, Char) nor, therefore, SVG may hold these.
_NOT_XML = re.compile("[\ufffe\uffff]")
# What Markdown (CommonMark and GitHub's tables) gives a meaning to inside a line; an underscore inside a word has none.
_MARKDOWN_SPECIAL = re.compile(r"[\\`*\[\]|~$#@]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")
# What would begin a list, a rule or an underlined heading at the start of a line; a negative number does not.
_MARKDOWN_BLOCK = re.compile(r"^(\d*)([.)](?=\s|$)|[-+=](?!\d))")


def short_name(metric: str) -> str:
    """Name of a metric without its prefix: `test/log_loss` is `log_loss`."""
    return metric.rsplit("/", 1)[-1]


def metric_label(metric: str) -> str:
    """Label of a metric or a loss in the field's words: `test/macro_f1` is `macro F1`."""
    labels = {
        "accuracy": say("accuracy"),
        "balanced_accuracy": say("balanced accuracy"),
        "log_loss": say("log loss"),
        "macro_f1": say("macro F1"),
        "roc_auc": say("ROC AUC"),
        "brier_score": say("Brier score"),
        "matthews_corrcoef": say("Matthews correlation"),
        "average_precision": say("average precision"),
        "calibration_error": say("calibration error"),
        "loss": say("loss"),
        "cross_entropy": say("cross entropy"),
        "squared_error": say("squared error"),
    }
    name = short_name(metric)
    return labels.get(name, name.replace("_", " "))


def number(value: Any, digits: int = 3) -> str:
    """A number with `digits` decimals; a dash for what is missing or not finite."""
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{float(value):.{digits}f}"


def mean_and_spread(mean: Any, spread: Any, digits: int = 3) -> str:
    """`mean ± spread`; the mean alone where there is no spread (one fold)."""
    shown = number(mean, digits), number(spread, digits)
    return shown[0] if MISSING in shown else " ± ".join(shown)


def duration(seconds: Any) -> str:
    """A time a person reads at once: 0.42 s, 12.3 s, 2 min 5 s, 1 h 3 min."""
    if not math.isfinite(seconds):
        return MISSING
    value = float(seconds)
    if value < 9.995:
        return f"{value:.2f} s"
    if value < 59.95:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def percent(share: float, digits: int | None = None) -> str:
    """A share as a percentage: `95%`, `97.5%`; with so many decimals if `digits` says."""
    return f"{100 * share:.6g}%" if digits is None else f"{share:.{digits}%}"


def probability(share: float, threshold: float, digits: int = 1) -> str:
    """A probability as a percentage that does not look like a threshold which it has not reached: 94.97%, not 95.0%."""
    if not math.isfinite(share):
        return MISSING
    text = percent(share, digits)
    while (float(text[:-1]) / 100 >= threshold) != (share >= threshold) and digits < 10:
        digits += 1
        text = percent(share, digits)
    return text


def p_value(p: Any) -> str:
    """A p-value as papers print it: `p = 0.031`, `p < 0.001`."""
    if not math.isfinite(p):
        return say("p not defined")
    return "p < 0.001" if float(p) < 0.001 else f"p = {float(p):.3f}"


def p_in_column(p: float) -> str:
    """A p-value in a column of its own: `0.031`, `< 0.001`."""
    return p_value(p).removeprefix("p ").removeprefix("= ")


def with_sign(value: float, digits: int = 3) -> str:
    """A difference: `+0.012`, `−0.012`."""
    return f"{value:+.{digits}f}".replace("-", "−")


def plain(text: Any, limit: int | None = None) -> str:
    """A text on one line, without what controls a terminal or a reading direction, cut to `limit` characters.

    Names of classes, features and data sets come from a person's file and may hold anything.
    """
    line = str(text).encode("utf-8", "backslashreplace").decode("utf-8")
    line = _NOT_XML.sub("\ufffd", _SEPARATOR.sub(" ", line))
    line = " ".join(line.split())
    return line if limit is None or len(line) <= limit else line[: limit - 1].rstrip() + "…"


def markdown(text: Any) -> str:
    """A text escaped for a cell or a line of Markdown: a Markdown reader shows the text itself, on one line."""
    line = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN_BLOCK.sub(r"\1\\\2", _MARKDOWN_SPECIAL.sub(r"\\\g<0>", line))
