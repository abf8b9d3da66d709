"""One update of a network as headings, sentences, formulas and tables, in the symbols of one of the derivations.

The three forms in `forms` show these blocks. Formulas are written as `formula` reads them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from src.language import say, say_number
from src.network.derivation import Pass
from src.network.tracing import EnginePass, Parameters, Trace
from src.report.terminal import Cells
from src.report.trace.notation import Equation, Notation, code
from src.report.trace.terms import (
    TracedUpdate,
    error_of_unit,
    number,
    of_batch,
    of_one_sample,
    step_of,
    sum_of_inputs,
    term,
)
from src.report.words import MISSING, metric_label


class Heading(str):
    """A heading; the first is the title."""


class Line(str):
    """A sentence."""


@dataclass(frozen=True)
class Formula:
    """Formulas, each on a line of its own, and what stands before the first: where a derivation has it."""

    formulas: tuple[str, ...]
    label: str = ""


Block = Heading | Line | Formula | Cells


def _table(title: str, headers: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> Cells:
    """A table of formulas, words and numbers: all columns but the first ones, of `words`, are numbers."""
    return Cells.of_rows(headers, rows, numbers=range(words, len(headers)), title=title)


def blocks_of(shown: TracedUpdate) -> Iterator[Block]:
    """Yield everything that is shown, in the order of an update."""
    trace, n = shown.trace, shown.notation
    equations = n.equations(trace.before.output, trace.before.loss)
    layers = range(1, n.last + 1)

    def equation(name: str) -> Formula:
        return Formula((equations[name].formula,), where(n, equations[name]))

    yield Heading(say("One update of a {sizes} network", sizes="-".join(map(str, trace.layer_sizes))))
    yield from map(Line, _introduction(shown))
    yield Heading(say("Samples"))
    yield from _samples(shown)
    yield Heading(say("Forward"))
    yield equation("forward")
    yield from (_forward(shown, layer) for layer in layers)
    yield Heading(say("Loss"))
    yield equation("loss")
    yield _losses(shown)
    yield equation("objective")
    yield _objective(shown)
    yield Heading(say("Backward"))
    yield equation("output error")
    if n.last > 1:
        yield equation("hidden error")
    yield from (_backward(shown, layer) for layer in reversed(layers))
    yield Heading(say("Gradient"))
    yield equation("gradient")
    if len(shown.labels) > 1 or trace.settings.l2 > 0:
        yield equation("batch and penalty")
    yield from (_gradient(shown, layer) for layer in layers)
    yield Line(
        say(
            "The engine's gradient and central differences differ by {error} of their length. Above 1e-06 a derivative "
            "would be wrong, or a unit would stand on a kink (relu).",
            error=f"{trace.gradient_error:.1e}",
        )
    )
    yield Heading(say("Step"))
    yield equation("step")
    yield from (_step(shown, layer) for layer in layers)
    yield Heading(say("One weight, term by term"))
    yield from _term_by_term(shown, equations)
    yield Heading(say("Where each equation stands"))
    yield _table(
        say("Functions in src/network; derivation.py is there to be read beside the derivations"),
        (say("what"), say("derivation {number}", number=n.number), say("sum by sum"), say("by matrices")),
        ((words, equations[name].where or MISSING, *places) for name, (words, *places) in code().items()),
        words=4,
    )


def where(n: Notation, equation: Equation) -> str:
    """Say where the derivation has an equation."""
    if not equation.where:
        return say("not in derivation {number}", number=n.number)
    return say("derivation {number}, {where}", number=n.number, where=equation.where)


def _introduction(shown: TracedUpdate) -> Iterator[str]:
    trace, n = shown.trace, shown.notation
    layers = [
        say_number("{number} input", "{number} inputs", trace.layer_sizes[0]),
        *(
            say("{size} {function}", size=size, function=function)
            for size, function in zip(trace.layer_sizes[1:], _functions(trace), strict=True)
        ),
    ]
    loss = metric_label(trace.before.loss)
    yield say("Its layers: {layers}; its loss: {loss}.", layers=say(", ").join(layers), loss=loss)
    yield from shown.origin
    yield say(
        "The batch is {samples}; learning rate {rate}, penalty {penalty}. Beside each number of the derivation stands "
        "the engine's.",
        samples=say_number("{number} sample", "{number} samples", len(shown.labels)),
        rate=f"{n.rate} = {trace.learning_rate:g}",
        penalty=f"λ = {trace.settings.l2:g}",
    )
    source = {"number": n.number, "source": n.source}
    if n.sign < 0:
        yield say(
            "Symbols and equation numbers are those of derivation {number}, {source}; its error δ is the negative of "
            "the others', so that its rule adds.",
            **source,
        )
    else:
        yield say("Symbols and equation numbers are those of derivation {number}, {source}.", **source)


def _functions(trace: Trace) -> tuple[str, ...]:
    return (*trace.before.activations, trace.before.output)


def _caption(shown: TracedUpdate, layer: int) -> str:
    function = _functions(shown.trace)[layer - 1]
    if layer == shown.notation.last:
        return say("Output layer, {function}", function=function)
    return say("Hidden layer {layer}, {function}", layer=layer, function=function)


def _samples(shown: TracedUpdate) -> Iterator[Formula]:
    n = shown.notation
    for sample, label in zip(shown.trace.samples, shown.labels, strict=True):
        x = ", ".join(f"{n.a(0, unit)} = {term(value)}" for unit, value in enumerate(sample.x))
        y = ", ".join(f"{n.target(unit)} = {term(value)}" for unit, value in enumerate(sample.y))
        weight = "" if sample.weight == 1 else f";  {say('weight')} {term(sample.weight)}"
        yield Formula((f"{x};  {y}{weight}",), label)


def _table_by_unit(
    shown: TracedUpdate, layer: int, headers: Sequence[str], cells: Callable[[Pass, EnginePass, int], Sequence[str]]
) -> Cells:
    """A row for each sample and each unit of a layer, the sample's name first if there are several."""
    passes = zip(shown.labels, shown.trace.update.passes, shown.trace.engine.passes, strict=True)
    units = range(shown.trace.layer_sizes[layer])
    rows = [(label, *cells(one, engine, unit)) for label, one, engine in passes for unit in units]
    first = 0 if len(shown.labels) > 1 else 1
    headers = (say("sample"), *headers)
    return _table(_caption(shown, layer), headers[first:], (row[first:] for row in rows), 2 - first)


def _forward(shown: TracedUpdate, layer: int) -> Cells:
    n = shown.notation
    z, a = (symbol.partition("_")[0] for symbol in (n.z(layer, 0), n.a(layer, 0)))

    def cells(one: Pass, engine: EnginePass, unit: int) -> Sequence[str]:
        values = one.z[layer][unit], one.a[layer][unit], engine.a[layer][unit]
        return f"{n.z(layer, unit)}, {n.a(layer, unit)}", *map(number, values)

    return _table_by_unit(shown, layer, (say("unit"), z, a, say("{symbol}, engine", symbol=a)), cells)


def _losses(shown: TracedUpdate) -> Cells:
    passes = zip(shown.labels, shown.trace.update.passes, shown.trace.engine.passes, strict=True)
    rows = [(label, number(one.loss), number(engine.loss)) for label, one, engine in passes]
    return _table(say("Loss of each sample"), (say("sample"), say("loss"), say("engine")), rows)


def _objective(shown: TracedUpdate) -> Cells:
    found = shown.trace.update.objective
    values = found.data, found.penalty, found.J, shown.trace.engine.J
    headers = (say("objective"), say("data"), say("penalty"), say("sum"), say("engine"))
    return _table(say("What is minimized"), headers, [(shown.notation.objective, *map(number, values))])


def _backward(shown: TracedUpdate, layer: int) -> Cells:
    n = shown.notation

    def cells(one: Pass, engine: EnginePass, unit: int) -> Sequence[str]:
        return n.delta(layer, unit), *(number(n.sign * each.delta[layer][unit]) for each in (one, engine))

    return _table_by_unit(shown, layer, (say("error"), "δ", say("engine")), cells)


def _table_by_weight(shown: TracedUpdate, layer: int, columns: dict[str, Parameters]) -> Cells:
    """A row for each weight and bias of a layer."""
    rows = [
        (shown.notation.parameter(place), *(number(column.at(place)) for column in columns.values()))
        for place in shown.trace.before_update.places(layer)
    ]
    return _table(_caption(shown, layer), (say("weight"), *columns), rows)


def _gradient(shown: TracedUpdate, layer: int) -> Cells:
    trace, gradient = shown.trace, shown.trace.update.gradient
    parts: dict[str, Parameters] = {}
    if trace.settings.l2 > 0:
        no_biases = {each: [0.0] * len(b) for each, b in gradient.b.items()}
        parts[say("data")] = Parameters(gradient.W_data, gradient.b)
        parts[say("penalty")] = Parameters(gradient.W_penalty, no_biases)
    derivative = f"∂{shown.notation.objective}/∂w"
    others = {say("engine"): trace.engine.gradient, say("differences"): trace.differences}
    return _table_by_weight(shown, layer, {**parts, derivative: trace.gradient, **others})


def _step(shown: TracedUpdate, layer: int) -> Cells:
    trace = shown.trace
    both = {say("before"): trace.before_update, say("after"): trace.after_update}
    return _table_by_weight(shown, layer, {**both, say("engine"): trace.engine.after})


def _term_by_term(shown: TracedUpdate, equations: dict[str, Equation]) -> Iterator[Block]:
    trace, n, place = shown.trace, shown.notation, shown.place
    name, error = n.parameter(place), "output error" if place.layer == n.last else "hidden error"
    derivative = f"∂{n.objective}/∂{name}"
    for one, label in zip(trace.update.passes, shown.labels, strict=True):
        if not shown.is_one_sample:
            yield Line(say("{label}:", label=label))
        z, delta = n.z(place.layer, place.unit), n.delta(place.layer, place.unit)
        yield Formula(sum_of_inputs(shown, one).lines(z), where(n, equations["forward"]))
        yield Formula(error_of_unit(shown, one).lines(delta), where(n, equations[error]))
        of_sample = derivative if shown.is_one_sample else f"∂{n.loss}/∂{name}"
        yield Formula(of_one_sample(shown, one).lines(of_sample), where(n, equations["gradient"]))
    if not shown.is_one_sample:
        yield Line(say("The batch:"))
        yield Formula(of_batch(shown).lines(derivative), where(n, equations["batch and penalty"]))
    yield Formula(step_of(shown).lines(name, "←"), where(n, equations["step"]))
    columns = trace.gradient, trace.engine.gradient, trace.differences
    headers = ("", say("sum by sum"), say("engine"), say("differences"))
    yield _table(
        say("The same three times"), headers, [(derivative, *(number(column.at(place)) for column in columns))]
    )
