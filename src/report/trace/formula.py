"""Formulas written once, shown three times: on the terminal, in Markdown (LaTeX between dollars), in HTML (MathML).

A formula is a line of text in which a symbol with indices is written as in LaTeX, its indices in braces: ``w_{84}``,
``W_{ij}^{(l)}``, ``δ_{k}^{(l+1)}``. Letters beyond ASCII stand for themselves.
"""

import re
from html import escape

_SYMBOL = re.compile(r"(?<!\d)([^\W\d_]+)(?:_\{([^}]*)\})?(?:\^\{([^}]*)\})?")
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
_SUPER = str.maketrans("0123456789+−=()lLi", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ˡᴸⁱ")


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


def to_mathml(formula: str) -> str:
    """The formula for an HTML page: each symbol in MathML, so that a long line can break between them."""
    parts, end = [], 0
    for found in _SYMBOL.finditer(formula):
        parts += [escape(formula[end : found.start()]), _mathml(*found.groups())]
        end = found.end()
    return f'<span class="formula">{"".join(parts)}{escape(formula[end:])}</span>'


def _mathml(letter: str, sub: str | None, sup: str | None) -> str:
    slanted = len(letter) == 1 and letter not in "ΣΔ"
    name = f"<mi>{letter}</mi>" if slanted else f'<mi mathvariant="normal">{letter}</mi>'
    scripts = "".join(f"<mrow>{_index(index)}</mrow>" for index in (sub, sup) if index is not None)
    if not scripts:
        return f"<math>{name}</math>"
    tag = "msubsup" if sub is not None and sup is not None else "msub" if sub is not None else "msup"
    return f"<math><{tag}>{name}{scripts}</{tag}></math>"


def _index(index: str) -> str:
    """Letters, numbers and signs of an index, each as MathML has them."""
    found = re.finditer(r"(?P<mi>[^\W\d])|(?P<mn>\d+)|(?P<mo>.)", index)
    return "".join(f"<{one.lastgroup}>{escape(one[0])}</{one.lastgroup}>" for one in found)
