"""Formulas written once, shown three times: on the terminal, in Markdown (LaTeX between dollars), in HTML.

A formula is a line of text in which a symbol with indices is written as in LaTeX, its indices in braces: ``w_{84}``,
``W_{ij}^{(l)}``, ``δ_{k}^{(l+1)}``. Letters beyond ASCII stand for themselves.
"""

import re
from html import escape

from markupsafe import Markup

_SYMBOL = re.compile(r"(?<!\d)([^\W\d_]+)(?:_\{([^}]*)\})?(?:\^\{([^}]*)\})?")
_LETTER = re.compile(r"[^\W\d]")
_UPRIGHT = {"net", "log", "exp", "softmax", "sigmoid", "tanh", "identity", "else", "for", "sum"}
_LATEX = {
    **{"δ": r"\delta", "η": r"\eta", "α": r"\alpha", "λ": r"\lambda", "Δ": r"\Delta", "Σ": r"\sum", "ŷ": r"\hat{y}"},
    **{"∂": r"\partial ", "·": r"\cdot ", "−": "-", "←": r"\leftarrow ", "½": r"\tfrac{1}{2}", "²": "^2", "′": "'"},
}
_ASCII = {
    **{"δ": "delta", "η": "eta", "α": "alpha", "λ": "lambda", "Δ": "Delta", "Σ": "sum", "ŷ": "yhat", "∂": "d"},
    **{"·": "*", "−": "-", "←": "<-", "½": "1/2", "²": "^2", "′": "'"},
}
_SUB = str.maketrans("0123456789+−=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
_SUPER = str.maketrans("0123456789+−=()lLik", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ˡᴸⁱᵏ")


def is_formula(text: str) -> bool:
    """Whether a text is a formula: it has an index, or a letter that only formulas have."""
    return any(mark in text for mark in ("_{", "^{", "δ", "∂"))


def to_text(formula: str, *, ascii_only: bool = False) -> str:
    """The formula in letters: with raised and lowered ones where there are such, or in ASCII alone."""

    def shown(found: re.Match[str]) -> str:
        letter, sub, sup = found.groups()
        return letter + _script(sub, "_", _SUB, ascii_only) + _script(sup, "^", _SUPER, ascii_only)

    text = _SYMBOL.sub(shown, formula)
    return "".join(_ASCII.get(char, char) for char in text) if ascii_only else text


def _script(index: str | None, mark: str, letters: dict[int, int], ascii_only: bool) -> str:
    if index is None:
        return ""
    if ascii_only or any(ord(char) not in letters for char in index):
        return mark + index
    return index.translate(letters)


def to_latex(formula: str) -> str:
    """The formula between dollars, as GitHub and MLflow set it."""

    def shown(found: re.Match[str]) -> str:
        letter, sub, sup = found.groups()
        words = len(letter) > 1 and not letter.isascii()  # of Chinese
        name = rf"\text{{{letter}}}" if words else rf"\mathrm{{{letter}}}" if letter in _UPRIGHT else letter
        return name + "".join(f"{mark}{{{index}}}" for mark, index in (("_", sub), ("^", sup)) if index is not None)

    latex = "".join(_LATEX.get(char, char) for char in _SYMBOL.sub(shown, formula).replace("Σ_", "Σ\\limits_"))
    return f"${latex}$"


def to_markup(formula: str) -> Markup:
    """The formula for a page, each of its `terms` in a box, so that a long line breaks between them.

    Its indices are HTML's own: MathML's stand on the line where no font for mathematics is installed.
    """
    boxes = (f"<span>{_SYMBOL.sub(_html, escape(term))}</span>" for term in terms(formula.replace("  ", "\u2003 ")))
    return Markup(f'<span class="formula">{" ".join(boxes)}</span>')


def _html(found: re.Match[str]) -> str:
    letter, *indices = found.groups()
    name = f"<i>{letter}</i>" if len(letter) == 1 and letter.isalpha() and letter not in "ΣΔ" else letter
    sub, sup = (index and _LETTER.sub(r"<i>\g<0></i>", index) for index in indices)
    if sub and sup:
        return f'{name}<span class="both"><sup>{sup}</sup><sub>{sub}</sub></span>'
    return name + (f"<sub>{sub}</sub>" if sub else f"<sup>{sup}</sup>" if sup else "")


def terms(formula: str) -> list[str]:
    """The parts of a formula between which a line breaks best: before a plus, behind a comma and a wide space."""
    return re.split(r" (?=\+)|(?<=[,; \u2003]) (?! )", formula)
