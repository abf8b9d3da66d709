"""The words and number formats every table, figure and page shares, and the escaping of text that is not ours."""

import math
import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

MISSING = "–"

METRIC_LABELS: Mapping[str, str] = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "log_loss": "log loss",
    "macro_f1": "macro F1",
    "roc_auc": "ROC AUC",
    "brier_score": "Brier score",
    "matthews_corrcoef": "Matthews correlation",
    "average_precision": "average precision",
    "calibration_error": "calibration error",
}

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
    """Label of a metric in the field's words: `test/macro_f1` is `macro F1`."""
    name = short_name(metric)
    return METRIC_LABELS.get(name, name.replace("_", " "))


def is_missing(value: Any) -> bool:
    """Whether a table's cell holds nothing: None, NaN, NaT; a list or a text never is missing."""
    return value is None or (not isinstance(value, (str, list, tuple, dict)) and bool(pd.isna(value)))


def value_text(value: Any) -> str:
    """A parameter's value as the configuration spells it: 0.001, [4, 4], true, null.

    Whole floats keep no trailing `.0`, so that 1, 1.0 and the text '1.0' (MLflow holds texts) read the same.
    """
    if is_missing(value):
        return "null"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(value_text(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {value_text(item)}" for key, item in value.items()) + "}"
    text = str(value)
    if text in ("None", "True", "False"):
        return {"None": "null", "True": "true", "False": "false"}[text]
    try:
        number = float(text)
    except ValueError:
        return text
    # Whole numbers too long for a float's 17 digits stay as they were written.
    return f"{number:.15g}" if math.isfinite(number) and "_" not in text and len(text) < 16 else text


def number(value: Any, digits: int = 3) -> str:
    """A number with `digits` decimals; a dash for what is missing or not finite."""
    if is_missing(value) or not math.isfinite(float(value)):
        return MISSING
    return f"{float(value):.{digits}f}"


def mean_and_spread(mean: Any, spread: Any, digits: int = 3) -> str:
    """`mean ± spread`; the mean alone where there is no spread (one fold)."""
    shown = number(mean, digits)
    spread_shown = number(spread, digits)
    return shown if MISSING in (shown, spread_shown) else f"{shown} ± {spread_shown}"


def duration(seconds: Any) -> str:
    """A time a person reads at once: 0.42 s, 12.3 s, 2 min 5 s, 1 h 3 min."""
    if is_missing(seconds) or not math.isfinite(float(seconds)):
        return MISSING
    value = float(seconds)
    if value < 9.995:
        return f"{value:.2f} s"
    if value < 59.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def p_value(p: Any) -> str:
    """A p-value as papers print it: `p = 0.031`, `p < 0.001`."""
    if is_missing(p) or not math.isfinite(float(p)):
        return "p not defined"
    return "p < 0.001" if float(p) < 0.001 else f"p = {float(p):.3f}"


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
