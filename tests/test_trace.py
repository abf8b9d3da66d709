"""``python -m src.trace``: the derivations' own networks checked by hand, the three forms, and what is refused.

By hand: sums and products in exact fractions, so that nothing is rounded before the exponential; no line of `src` is
called for a number. What is printed has six decimals and is compared to half of the last.
"""

import re
from fractions import Fraction
from html.parser import HTMLParser
from math import exp, log
from pathlib import Path

import pytest
import yaml
from rich.cells import cell_len

from tests.commandline import Ended, command

ROOT = Path(__file__).resolve().parents[1]
PRINTED = 0.51e-6


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")


def trace(*overrides: str) -> Ended:
    return command(*overrides, module="src.trace")


def traced(*overrides: str) -> str:
    ended = trace(*overrides)
    assert (ended.status, ended.err) == (0, "")
    return ended.out


def traces() -> list[Path]:
    """The folders that traces were written to, where none was named."""
    return [page.parent for page in Path("outputs/trace").rglob("trace.html")]


def plain(text: str) -> str:
    """Raised and lowered letters as ordinary ones: w₄₁ is w41, b₁⁽²⁾ is b1(2)."""
    return text.translate(str.maketrans("₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾ₛ−", "01234567890123456789()s-")).replace("_", "")


def section(text: str, heading: str) -> list[str]:
    """The lines below a heading, up to the next."""
    headings = "Samples|Forward|Loss|Backward|Gradient|Step|One weight, term by term|Where each equation stands"
    parts = re.split(rf"^({headings})$", text, flags=re.MULTILINE)
    return parts[parts.index(heading) + 1].splitlines()


def column(lines: list[str], place: int) -> dict[str, float]:
    """The numbers in one column of the tables, by what stands first in their lines."""
    rows = [re.split(r"\s{2,}", line.strip()) for line in lines]
    return {name: float(values[place]) for name, *values in rows if values and re.fullmatch(r"-?[\d.e+-]+", values[-1])}


def network(name: str) -> tuple[dict, list]:
    """Return what a file of experiments/traces holds: W and b of both layers as exact fractions, and the samples."""
    asked = yaml.safe_load((ROOT / "experiments" / "traces" / f"{name}.yaml").read_text())
    exact = {
        key: [[Fraction(str(number)) for number in row] for row in rows]
        for layer, of in enumerate(asked["trace"]["start"], start=1)
        for key, rows in ((f"W{layer}", of["W"]), (f"b{layer}", [of["b"]]))
    }
    return exact, [([Fraction(str(each)) for each in one["x"]], one["y"]) for one in asked["trace"]["samples"]]


def sigmoid(z):
    return Fraction(1 / (1 + exp(-z)))


def inputs_of(W, b, a):
    return [sum(w * a_j for w, a_j in zip(row, a, strict=True)) + b_i for row, b_i in zip(W, b, strict=True)]


def close(found: dict[str, float], expected: dict[str, Fraction | float]) -> None:
    assert found == pytest.approx({name: float(value) for name, value in expected.items()}, abs=PRINTED)


def test_derivation_1_from_4_1_to_4_8():
    numbers, [(x, t)] = network("derivation_1")
    eta = Fraction(7, 10)
    net = dict(zip((4, 5, 6, 7), inputs_of(numbers["W1"], *numbers["b1"][:1], x), strict=True))
    assert net[4] == Fraction("0.455")
    a = {j: sigmoid(net[j]) for j in net}
    net |= dict(zip((8, 9), inputs_of(numbers["W2"], numbers["b2"][0], list(a.values())), strict=True))
    y = {j: sigmoid(net[j]) for j in (8, 9)}
    w = {(j, i): numbers["W1"][j - 4][i - 1] for j in (4, 5, 6, 7) for i in (1, 2, 3)}
    w |= {(j, i): numbers["W2"][j - 8][i - 4] for j in (8, 9) for i in (4, 5, 6, 7)}
    w |= {(j, "b"): numbers["b1"][0][j - 4] for j in (4, 5, 6, 7)} | {(j, "b"): numbers["b2"][0][j - 8] for j in (8, 9)}
    delta = {j: y[j] * (1 - y[j]) * (t[j - 8] - y[j]) for j in (8, 9)}  # (4.1)
    for i in (4, 5, 6, 7):
        delta[i] = a[i] * (1 - a[i]) * (w[8, i] * delta[8] + w[9, i] * delta[9])  # (4.3)
    comes_in = {1: x[0], 2: x[1], 3: x[2], **a, "b": 1}
    after = {f"w{j}{i}": value + eta * delta[j] * comes_in[i] for (j, i), value in w.items()}  # (4.5)
    downhill = {f"w{j}{i}": -delta[j] * comes_in[i] for j, i in w}  # (4.12)

    shown = plain(traced("trace=derivation_1"))
    forward = section(shown, "Forward")
    close(column(forward, 0), {f"net{j}, {'a' if j < 8 else 'y'}{j if j < 8 else j - 7}": net[j] for j in net})
    for by_derivation_or_engine in (1, 2):
        values = column(forward, by_derivation_or_engine)
        close(values, dict(zip(values, [*a.values(), *y.values()], strict=True)))
    E = sum((t[j - 8] - y[j]) ** 2 for j in (8, 9)) / 2
    assert column(section(shown, "Loss"), 0) == pytest.approx({"sample 0": float(E), "E": float(E)}, abs=PRINTED)
    for each in (0, 1):
        close(column(section(shown, "Backward"), each), {f"δ{j}": delta[j] for j in delta})
    for each in (0, 1, 2):  # sum by sum, engine, central differences
        close(column(section(shown, "Gradient"), each), downhill)
    for each in (1, 2):
        close(column(section(shown, "Step"), each), after)
    close(column(section(shown, "Step"), 0), {f"w{j}{i}": value for (j, i), value in w.items()})


@pytest.mark.parametrize(
    "weight, sentence",
    [
        ("[8,4]", "w84 <- w84 + η δ8 a4"),  # (4.6)
        ("[4,1]", "w41 <- w41 + η δ4 x1"),  # (4.7)
        ("[4,b]", "w4b <- w4b + η δ4"),  # (4.8)
    ],
)
def test_derivation_1_writes_its_rule_as_it_does(weight, sentence):
    lines = plain(traced("trace=derivation_1", f"trace.weight={weight}")).replace("←", "<-")
    assert re.search(rf"^ *{re.escape(sentence)}\s*$", lines, re.MULTILINE), sentence


def test_derivation_4_w_32_and_v_43():
    numbers, [(x, y)] = network("derivation_4")
    p = inputs_of(numbers["W1"], numbers["b1"][0], x)
    assert p[2] == Fraction("0.42")
    h = [sigmoid(each) for each in p]
    powers = [Fraction(exp(each)) for each in inputs_of(numbers["W2"], numbers["b2"][0], h)]
    y_hat = [power / sum(powers) for power in powers]
    w, alpha = numbers["W2"], Fraction(6, 10)
    by_w32 = h[2] * (y_hat[1] - y[1])
    by_v43 = x[3] * h[2] * (1 - h[2]) * sum(w[j][2] * (y_hat[j] - y[j]) for j in range(3))

    shown = plain(traced("trace=derivation_4"))
    assert column(section(shown, "Loss"), 0)["J"] == pytest.approx(-log(y_hat[1]), abs=PRINTED)
    for each in (0, 1, 2):
        gradient = column(section(shown, "Gradient"), each)
        assert (gradient["w32"], gradient["v43"]) == pytest.approx((float(by_w32), float(by_v43)), abs=PRINTED)
    for each in (1, 2):
        after = column(section(shown, "Step"), each)
        assert after["w32"] == pytest.approx(float(w[1][2] - alpha * by_w32), abs=PRINTED)
        assert after["v43"] == pytest.approx(float(numbers["W1"][2][3] - alpha * by_v43), abs=PRINTED)
    written = " ".join(section(shown, "One weight, term by term"))
    assert "h3 (1 - h3) (w31 (ŷ1 - y1) + w32 (ŷ2 - y2) + w33 (ŷ3 - y3))" in written
    other = " ".join(section(plain(traced("trace=derivation_4", "trace.weight=[2,3,2]")), "One weight, term by term"))
    assert "= (ŷ2 - y2)" in other
    assert "∂J/∂w32" in other


@pytest.mark.parametrize("name, alpha, penalty", [("derivation_2", "0.5", "0.1"), ("derivation_3", "0.8", "0.05")])
def test_derivations_2_and_3_batch_and_lambda(name, alpha, penalty):
    """Section 6 of derivation 2 and the objective of derivation 3, by products of matrices in exact fractions."""
    numbers, samples = network(name)
    W, b = [numbers["W1"], numbers["W2"]], [numbers["b1"][0], numbers["b2"][0]]
    gradients, losses = [], []
    for x, y in samples:
        a1 = [sigmoid(each) for each in inputs_of(W[0], b[0], x)]
        a2 = [sigmoid(each) for each in inputs_of(W[1], b[1], a1)]
        losses.append(sum((a - t) ** 2 for a, t in zip(a2, y, strict=True)) / 2)
        delta2 = [(a - t) * a * (1 - a) for a, t in zip(a2, y, strict=True)]
        back = [sum(w[i] * d for w, d in zip(W[1], delta2, strict=True)) for i in range(len(a1))]
        delta1 = [s * a * (1 - a) for s, a in zip(back, a1, strict=True)]
        gradients.append(
            [d * a for delta, below in ((delta1, [*x, 1]), (delta2, [*a1, 1])) for d in delta for a in below]
        )
    K, rate, lam = len(samples), Fraction(alpha), Fraction(penalty)
    before = [w for W_l, b_l in zip(W, b, strict=True) for row, b_i in zip(W_l, b_l, strict=True) for w in (*row, b_i)]
    weights = [w * is_weight for w, is_weight in zip(before, _are_weights(W), strict=True)]
    descent = [sum(each) / K + lam * w for each, w in zip(zip(*gradients, strict=True), weights, strict=True)]

    shown = plain(traced(f"trace={name}"))
    J = sum(losses) / K + lam / 2 * sum(w * w for w in weights)
    objective = [line for line in section(shown, "Loss") if line.startswith("J ")]
    assert column(objective, 2)["J"] == pytest.approx(float(J), abs=PRINTED)
    for each in (2, 3, 4):  # sum by sum, engine, central differences
        assert list(column(section(shown, "Gradient"), each).values()) == pytest.approx(
            list(map(float, descent)), abs=PRINTED
        )
    after = [float(w - rate * g) for w, g in zip(before, descent, strict=True)]
    for each in (1, 2):
        assert list(column(section(shown, "Step"), each).values()) == pytest.approx(after, abs=PRINTED)
    assert shown.count("not in derivation") == 0


def _are_weights(W):
    """Whether each parameter is a weight, in the order of a trace: each unit's bias after its weights."""
    return [place < len(row) for W_l in W for row in W_l for place in range(len(row) + 1)]


def test_a_heading_says_what_its_formula_adds():
    lines = traced("trace=derivation_4").splitlines()
    under = {lines[place - 1] for place, line in enumerate(lines) if "λ/2" in line}
    assert under == {"derivation 4, loss; the part with λ is added here"}
    assert not any("without λ" in line for line in lines)


# What a sum that is written out with numbers holds: brackets, numbers, + - · and nothing else.
SUM = re.compile(r"^ *= ([-+·().\de ]+)$", re.MULTILINE)


WRITTEN_OUT = {
    "batch_and_penalty": ["data=iris", "trace.rows=[0,50,149]", "training.l2=0.1"],
    "softmax_squared": ["data=iris", "model.output=softmax", "model.loss=squared_error", "model.activation=tanh"],
    "weighted": [
        "trace.rows=[3]",
        "model.output=sigmoid",
        "model.hidden_layer_sizes=[3,2]",
        "training.class_weight=balanced",
    ],
    "tanh_output": ["model.output=tanh", "model.loss=squared_error", "model.hidden_layer_sizes=[]", "trace.rows=[1,2]"],
}


@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("place", range(4), ids=WRITTEN_OUT)
def test_what_is_written_out_with_numbers_is_what_it_says(place, more):
    """Each line of numbers, computed again, is the value below it; no number of the update itself is used.

    Each choice in two notations, each notation twice.
    """
    overrides, derivation = [*WRITTEN_OUT.values()][place], 1 + (place + more) % 4
    out = traced(*overrides, f"trace.derivation={derivation}", "trace.output=here")
    assert "One weight" in out
    lines = plain(Path("here/trace.md").read_text())
    formulas = [line[1:-1] for line in lines.splitlines() if line.startswith("$=")]
    values = [re.sub(r"\\cdot +", "*", formula.removeprefix("=").replace("^2", "**2")) for formula in formulas]
    pairs = list(zip(values[::2], values[1::2], strict=True))
    assert len(pairs) >= 4
    for written, value in pairs:
        assert eval(written) == pytest.approx(float(value), rel=2e-4, abs=3e-6), written


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_formula_breaks_before_a_sign_and_not_beside_an_equals_sign(lang, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    printed = traced("trace=derivation_1", f"lang={lang}")
    monkeypatch.setenv("COLUMNS", "600")
    lines, whole = printed.splitlines(), traced("trace=derivation_1", f"lang={lang}").splitlines()
    formulas, unbroken = ([line for line in each if re.match(r"  \S", line)] for each in (lines, whole))
    assert len(formulas) > len(unbroken)
    assert "".join("".join(formulas).split()) == "".join("".join(unbroken).split())
    for line in formulas:
        assert cell_len(line) <= 60
        assert line == line.rstrip()
        assert not re.search("[·−+=←]$", line), line


def test_the_files_need_nothing_else():
    traced("trace=derivation_4")
    ((page, text),) = ([(folder / f"trace.{ending}").read_text() for ending in ("html", "md")] for folder in traces())

    class Links(HTMLParser):
        links: list[str] = []  # noqa: RUF012 - filled by one parser
        open_tags: list[str] = []  # noqa: RUF012

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.links += [value or "" for name, value in attrs if name in ("src", "href")]
            if tag not in ("meta",):
                self.open_tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open_tags.pop() == tag

    parser = Links()
    parser.feed(page)
    assert (parser.links, parser.open_tags) == ([], [])
    assert "<i>v</i><sub>43</sub>" in page
    assert '<i>δ</i><span class="both"><sup>(1)</sup><sub>3</sub></span>' in page
    assert r"$\partial J/\partial v_{43} = \delta_{3}^{(1)} x_{4}$" in text
    assert "| $v_{43}$ |" in text
    assert "_{" not in re.sub(r"\$[^$\n]*\$", "", text)


def test_a_trace_replaces_no_other():
    told = [traced("trace.derivation=2"), traced("trace.derivation=4")]
    assert len(traces()) == 2
    for out in told:
        (folder,) = (folder for folder in traces() if f"{folder}/trace.html" in "".join(out.split()))
        number = re.search(r"are those of derivation (\d)", out)[1]
        assert f"those of derivation {number}" in (folder / "trace.md").read_text()


@pytest.mark.parametrize("derivation, unit", [(3, "i"), (4, "j")])
def test_the_step_of_a_derivation_names_the_biases_as_it_does(derivation, unit):
    traced(f"trace=derivation_{derivation}", "trace.output=here")
    step = Path("here/trace.md").read_text().partition("## Step")[2]
    b = f"b_{{{unit}}}^{{(l)}}"
    assert rf"{b} \leftarrow  {b} - \alpha \partial J/\partial {b}" in step


def test_ascii_terminals_get_ascii(monkeypatch):
    from io import BytesIO, TextIOWrapper

    from rich.console import Console

    from src.command.trace import traced_update
    from src.report.trace.forms import print_trace

    page = BytesIO()
    console = Console(file=TextIOWrapper(page, encoding="ascii", write_through=True), width=80)
    print_trace(console, traced_update({}))
    printed = page.getvalue()
    assert b"W_11^(2) <- W_11^(2) - alpha dJ/dW_11^(2)" in printed
    assert b" * (" in printed
    assert b"\\x" not in printed
    assert b"\\u2" not in printed


def test_a_file_of_weights_starts_the_network(tmp_path):
    Path("start.yaml").write_text("- {W: [[1, 2]], b: [3]}\n- {W: [[4], [5]], b: [6, 7]}\n")
    out = plain(traced("model.hidden_layer_sizes=[1]", "trace.start=start.yaml"))
    assert column(section(out, "Step"), 0) == {
        **{"W11(2)": 1, "W12(2)": 2, "b1(2)": 3},
        **{"W11(3)": 4, "b1(3)": 6, "W21(3)": 5, "b2(3)": 7},
    }
    assert "those of start.yaml" in out


REFUSED = {
    "trace.rows=[80]": "trace.rows: there is no row 80; ex4 has 80 rows, counted from 0 to 79.",
    "trace.rows=[-1]": "trace.rows: [-1] is not a list of rows' numbers",
    "trace.weight=[3,3,1]": "trace.weight: [3, 3, 1] is no weight of this 2-4-2 network. Derivation 2 writes",
    "trace.weight=[2,1]": "trace.weight: [2, 1] is no weight of this 2-4-2 network.",
    "model=sklearn_logistic": "model.name: 'sklearn_logistic' is no network",
    "trace.start=nowhere.yaml": "trace.start: nowhere.yaml cannot be read: no such file or directory.",
    "trace.start=bad.yaml": "trace.start: bad.yaml does not hold first weights.",
    "trace.start=[{W:[[1]],b:[1]}]": "trace.start: trace.start holds 1 layer of weights, and the network has 2",
    "trace.start=[{W:[[1]],b:[1]},{W:[[1]],b:[1]}]": "trace.start: layer 1 of trace.start needs W with 4 rows of 2",
    "trace.samples=[{x:[1],y:[1,1]}]": "trace.samples: the targets of sample 0 sum to 2",
    "trace.samples=[{x:[1],y:[1]}]": "trace.samples: sample 0 has 1 target, and a softmax of one output is always 1",
    "trace.samples=[{x:[1],y:[1,0]},{x:[1,2],y:[1,0]}]": "trace.samples: sample 1 has 2 features and 2 targets",
    "trace.derivation=5": "trace.derivation: 5 is not a derivation's number, from 1 to 4.",
    "trace.row=[0]": "trace.row: there is no such key. Did you mean 'trace.rows'?",
    "trace=derivation_9": "trace: 'derivation_9' is not a choice of trace. Did you mean",
    "training.optimizer=adam": "training.optimizer: a trace follows gradient descent",
    "training.clip_norm=1": "training.clip_norm: a trace follows gradient descent",
    "model.hidden_layer_sizes=[400]": "model.hidden_layer_sizes: with 2 inputs this network has 2,002 weights",
    "trace.output=start.yaml/x": "trace.output: start.yaml/x cannot be written: not a directory.",
    "model.activation=sigmod": "model.activation: 'sigmod' is not an activation. Did you mean 'sigmoid'?",
}


@pytest.mark.parametrize("override", REFUSED)
def test_bad_input_is_one_sentence(override):
    Path("bad.yaml").write_text("W: 3\n")
    Path("start.yaml").write_text("")
    ended = trace(override)
    assert ended.status == 2
    assert ended.err.startswith(f"error: {REFUSED[override]}")
    assert len(ended.err.splitlines()) == 1


def test_the_last_weight_named_in_the_refusal_exists():
    for derivation in (1, 2, 3, 4):
        told = trace("trace.weight=[9]", f"trace.derivation={derivation}").err
        for written in re.findall(r"(?:first is|last) (\[.*?\])", told):
            assert traced(f"trace.weight={written.replace(' ', '')}", f"trace.derivation={derivation}")


def test_a_record_never_knows_the_keys_of_trace():
    from src.config import JobConfig, validated
    from src.config.messages import leaves
    from src.config.trace import TracedConfig

    assert set(leaves(TracedConfig)) - set(leaves(JobConfig)) == {
        f"trace.{key}" for key in yaml.safe_load((ROOT / "conf" / "trace.yaml").read_text())
    }
    told = command("trace.rows=[0]")
    assert (told.status, "error: trace: there is no such key." in told.err) == (2, True)
    given = yaml.safe_load((ROOT / "conf" / "trace.yaml").read_text())
    assert given.pop("output").startswith(f"{TracedConfig().trace.output}/$")
    assert validated({"trace": given}, TracedConfig).trace == TracedConfig().trace


def test_the_table_of_equations_names_functions_that_exist():
    from src.network import checking, derivation, optimizers, outputs, propagation, updates
    from src.report.trace.notation import code

    modules = {"derivation": derivation, "outputs": outputs, "checking": checking, "optimizers": optimizers}
    classes = {"Propagation": propagation.Propagation, "Optimizer": updates.Optimizer}
    for _, by_sums, by_matrices in code().values():
        for where in (by_sums, by_matrices):
            holder, name = where.split(".")
            assert hasattr({**modules, **classes}[holder], name), where
