"""The derivative by one weight written out term by term, with the symbols of a derivation and with the numbers."""

import re
from dataclasses import dataclass

from src.network.derivation import ACTIVATIONS, Pass
from src.network.tracing import Place, Trace
from src.report.trace.notation import Notation, output_error


@dataclass(frozen=True)
class TracedUpdate:
    """What is shown.

    trace : the numbers.
    notation : the derivation whose symbols they are shown with.
    place : the weight whose derivative is written out.
    labels : what each sample is called: "row 0".
    origin : where samples and first weights come from, in sentences.
    """

    trace: Trace
    notation: Notation
    place: Place
    labels: tuple[str, ...]
    origin: tuple[str, ...]

    @property
    def is_one_sample(self) -> bool:
        """Whether J is the loss of one sample, without weight and penalty: derivations 1 and 4 know no other."""
        return len(self.labels) == 1 and self.trace.samples[0].weight == 1 and self.trace.settings.l2 == 0


def number(value: float) -> str:
    """Six decimals; a number that these would show as none, or a large one, with its exponent."""
    shown = "0" if value == 0 else f"{value:.6f}" if 1e-3 <= abs(value) < 1e6 else f"{value:.5e}"
    return shown.replace("-", "−")


def term(value: float) -> str:
    """A number in a formula: without zeros at its end."""
    shown = number(value)
    return shown if "e" in shown or "." not in shown else shown.rstrip("0").rstrip(".")


def factor(value: float) -> str:
    """A number within a product or a sum: a negative one in brackets."""
    return f"({term(value)})" if value < 0 else term(value)


@dataclass(frozen=True)
class Written:
    """A value as its formula, and as the formula with the numbers in it."""

    symbols: str
    numbers: str
    value: float

    def lines(self, name: str, sign: str = "=") -> tuple[str, ...]:
        """``name = symbols``, ``= numbers``, ``= value``."""
        return (f"{name} {sign} {self.symbols}", f"= {self.numbers}", f"= {term(self.value)}")


def _values(shown: TracedUpdate, one: Pass) -> dict[str, float]:
    """The number that each symbol stands for in one sample's pass, and in the step."""
    trace, n = shown.trace, shown.notation
    values = {n.target(unit): y for unit, y in enumerate(one.sample.y)}
    for layer, size in enumerate(trace.layer_sizes):
        values |= {n.a(layer, unit): one.a[layer][unit] for unit in range(size)}
        if layer:
            values |= {n.delta(layer, unit): n.sign * one.delta[layer][unit] for unit in range(size)}
            values |= {n.parameter(place): trace.before_update.at(place) for place in trace.before_update.places(layer)}
        if 0 < layer < n.last:
            slope = ACTIVATIONS[trace.before.activations[layer - 1]].slope
            values |= {f"f′({n.z(layer, unit)})": slope(one.z[layer][unit]) for unit in range(size)}
    derivative = f"∂{n.objective}/∂{n.parameter(shown.place)}"
    return {**values, n.rate: trace.learning_rate, derivative: trace.gradient.at(shown.place)}


def _written(shown: TracedUpdate, one: Pass, symbols: str, value: float) -> Written:
    """Write a formula, and the same with the numbers that its symbols stand for."""
    values = _values(shown, one)

    def in_numbers(symbol: re.Match[str]) -> str:
        begins = re.search(r"(^|\()$", symbol.string[: symbol.start()]) and symbol.string[symbol.end() :][:2] in (
            " +",
            " −",
        )
        return (term if begins else factor)(values[symbol[0]])

    known = "|".join(map(re.escape, sorted(values, key=len, reverse=True)))
    return Written(symbols, re.sub(known, in_numbers, re.sub("(?<![+−]) (?![+−])", " · ", symbols)), value)


def sum_of_inputs(shown: TracedUpdate, one: Pass) -> Written:
    """Write z of the weight's unit as the sum of what comes in."""
    n, layer, unit = shown.notation, shown.place.layer, shown.place.unit
    sources = range(len(one.a[layer - 1]))
    terms = [f"{n.parameter(Place(layer, unit, source))} {n.a(layer - 1, source)}" for source in sources]
    return _written(shown, one, " + ".join([*terms, n.parameter(Place(layer, unit, None))]), one.z[layer][unit])


def _output_error(shown: TracedUpdate, unit: int) -> str:
    """Write the error of an output as its pair's mathematics says; as itself where that is not known here."""
    n, pair = shown.notation, (shown.trace.before.output, shown.trace.before.loss)
    outputs = [n.a(n.last, k) for k in range(shown.trace.layer_sizes[-1])]
    differences = [n.difference(a, n.target(k)) for k, a in enumerate(outputs)]
    if pair == ("softmax", "squared_error"):
        each = enumerate(zip(differences, outputs, strict=True))
        return " + ".join(f"{difference} {a} ({int(k == unit)} − {outputs[unit]})" for k, (difference, a) in each)
    return output_error(*pair, outputs[unit], differences[unit]) or n.delta(n.last, unit)


def error_of_unit(shown: TracedUpdate, one: Pass) -> Written:
    """Write the error of the weight's unit: by the errors of the units it leads to, or as an output's."""
    trace, n, layer, unit = shown.trace, shown.notation, shown.place.layer, shown.place.unit
    symbols = _output_error(shown, unit) if layer == n.last else ""
    if layer < n.last:
        # Derivation 4 writes its example so.
        in_full = layer + 1 == n.last and trace.before.loss == "cross_entropy"
        above = range(trace.layer_sizes[layer + 1])
        errors = [_output_error(shown, k) if in_full else n.delta(layer + 1, k) for k in above]
        terms = [f"{n.parameter(Place(layer + 1, k, unit))} {error}" for k, error in zip(above, errors, strict=True)]
        a = n.a(layer, unit)
        by_output = {"sigmoid": f"{a} (1 − {a})", "tanh": f"(1 − {a}²)"}  # as they are derived
        slope = by_output.get(trace.before.activations[layer - 1], f"f′({n.z(layer, unit)})")
        symbols = f"{slope} ({' + '.join(terms)})"
    return _written(shown, one, symbols, n.sign * one.delta[layer][unit])


def of_one_sample(shown: TracedUpdate, one: Pass) -> Written:
    """Write the derivative of one sample's loss: the unit's error times what comes in."""
    n, place = shown.notation, shown.place
    symbols = ("−" if n.sign < 0 else "") + n.delta(place.layer, place.unit)
    if place.source is not None:
        symbols += f" {n.a(place.layer - 1, place.source)}"
    return _written(shown, one, symbols, _derivative(one, place))


def _derivative(one: Pass, place: Place) -> float:
    below = 1.0 if place.source is None else one.a[place.layer - 1][place.source]
    return one.delta[place.layer][place.unit] * below


def of_batch(shown: TracedUpdate) -> Written:
    """Write the derivative of J: the mean over the samples, weighted if they have weights, and the penalty's part."""
    trace, n, place = shown.trace, shown.notation, shown.place
    passes = trace.update.passes
    weighted = any(one.sample.weight != 1 for one in passes)
    terms = [(f"{term(one.sample.weight)} · " if weighted else "") + factor(_derivative(one, place)) for one in passes]
    weight = f"weight_{{{n.sample}}} " if weighted else ""
    symbols = f"(1/{len(passes)}) Σ_{{{n.sample}}} {weight}∂{n.loss}/∂{n.parameter(place)}"
    numbers = f"(1/{len(passes)}) · ({' + '.join(terms)})"
    if place.source is not None and trace.settings.l2 > 0:
        symbols += f" + λ {n.parameter(place)}"
        numbers += f" + {term(trace.settings.l2)} · {factor(trace.before_update.at(place))}"
    return Written(symbols, numbers, trace.gradient.at(place))


def step_of(shown: TracedUpdate) -> Written:
    """Write the weight after the step; derivation 1, whose error is the negative, adds."""
    n, name, one = shown.notation, shown.notation.parameter(shown.place), shown.trace.update.passes[0]
    descent = f"− {n.rate} ∂{n.objective}/∂{name}"
    if n.sign < 0 and shown.is_one_sample:
        descent = f"+ {n.rate} {of_one_sample(shown, one).symbols.removeprefix('−')}"
    return _written(shown, one, f"{name} {descent}", shown.trace.after_update.at(shown.place))
