"""The derivative by one weight written out term by term, with the symbols of a derivation and with the numbers."""

from dataclasses import dataclass

from src.network.derivation import ACTIVATIONS, Pass
from src.network.tracing import Place, Trace
from src.report.trace.notation import Notation


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


def sum_of_inputs(shown: TracedUpdate, one: Pass) -> Written:
    """Write z of the weight's unit as the sum of what comes in."""
    trace, n, place = shown.trace, shown.notation, shown.place
    below = place.layer - 1
    symbols, numbers = [], []
    for source, a in enumerate(one.a[below]):
        weight = Place(place.layer, place.unit, source)
        symbols.append(f"{n.parameter(weight)} {n.a(below, source)}")
        numbers.append(f"{factor(trace.before_update.at(weight))} · {factor(a)}")
    bias = Place(place.layer, place.unit, None)
    return Written(
        " + ".join([*symbols, n.parameter(bias)]),
        " + ".join([*numbers, factor(trace.before_update.at(bias))]),
        one.z[place.layer][place.unit],
    )


def output_error_of(pair: tuple[str, str], a: str, difference: str, times: str = " ") -> str | None:
    """Write the error of an output `a` of a pair of output and loss; None where that is not known, or takes others."""
    return {
        **dict.fromkeys([("softmax", "cross_entropy"), ("sigmoid", "cross_entropy")], difference),
        ("identity", "squared_error"): difference,
        ("sigmoid", "squared_error"): f"{a}{times}(1 − {a}){times}{difference}",
        ("tanh", "squared_error"): f"(1 − {a}²){times}{difference}",
    }.get(pair)


def output_error(shown: TracedUpdate, one: Pass, unit: int) -> Written:
    """Write the error of an output as its pair's mathematics says; as itself where that is not known here."""
    n, outputs = shown.notation, one.a[shown.notation.last]
    pair = shown.trace.before.output, shown.trace.before.loss
    value = n.sign * one.delta[n.last][unit]
    a, shown_a = n.a(n.last, unit), factor(outputs[unit])

    def difference(k: int) -> tuple[str, str]:
        first, second = (outputs[k], one.sample.y[k])[:: n.sign]
        return n.difference(n.a(n.last, k), n.target(k)), f"({term(first)} − {factor(second)})"

    if pair == ("softmax", "squared_error"):
        terms = [(difference(k), n.a(n.last, k), factor(outputs[k]), int(k == unit)) for k in range(len(outputs))]
        return Written(
            " + ".join(f"{symbols} {a_k} ({same} − {a})" for (symbols, _), a_k, _, same in terms),
            " + ".join(f"{numbers} · {value_k} · ({same} − {shown_a})" for (_, numbers), _, value_k, same in terms),
            value,
        )
    symbols, numbers = difference(unit)
    return Written(
        output_error_of(pair, a, symbols) or n.delta(n.last, unit),
        output_error_of(pair, shown_a, numbers, " · ") or factor(value),
        value,
    )


def error_of_unit(shown: TracedUpdate, one: Pass) -> Written:
    """Write the error of the weight's unit: by the errors of the units it leads to, or as an output's."""
    trace, n, place = shown.trace, shown.notation, shown.place
    layer, unit = place.layer, place.unit
    if layer == n.last:
        return output_error(shown, one, unit)
    symbols, numbers = [], []
    for k in range(trace.layer_sizes[layer + 1]):
        weight = Place(layer + 1, k, unit)
        error = Written(n.delta(layer + 1, k), factor(n.sign * one.delta[layer + 1][k]), 0.0)
        if layer + 1 == n.last and trace.before.loss == "cross_entropy":  # derivation 4 writes its example so
            error = output_error(shown, one, k)
        symbols.append(f"{n.parameter(weight)} {error.symbols}")
        numbers.append(f"{factor(trace.before_update.at(weight))} · {error.numbers}")
    slope, slope_in_numbers = _slope(shown, one)
    return Written(
        f"{slope} ({' + '.join(symbols)})",
        f"{slope_in_numbers} · ({' + '.join(numbers)})",
        n.sign * one.delta[layer][unit],
    )


def _slope(shown: TracedUpdate, one: Pass) -> tuple[str, str]:
    """Write f'(z) of the weight's unit, by its output where that is how it is derived."""
    n, layer, unit = shown.notation, shown.place.layer, shown.place.unit
    name = shown.trace.before.activations[layer - 1]
    a, value = n.a(layer, unit), factor(one.a[layer][unit])
    if name == "sigmoid":
        return f"{a} (1 − {a})", f"{value} · (1 − {value})"
    if name == "tanh":
        return f"(1 − {a}²)", f"(1 − {value}²)"
    return f"f′({n.z(layer, unit)})", factor(ACTIVATIONS[name].slope(one.z[layer][unit]))


def of_one_sample(shown: TracedUpdate, one: Pass) -> Written:
    """Write the derivative of one sample's loss: the unit's error times what comes in."""
    n, place = shown.notation, shown.place
    delta = n.sign * one.delta[place.layer][place.unit]
    minus = "−" if n.sign < 0 else ""
    symbols, numbers = [n.delta(place.layer, place.unit)], [factor(delta)]
    if place.source is not None:
        symbols.append(n.a(place.layer - 1, place.source))
        numbers.append(factor(one.a[place.layer - 1][place.source]))
    return Written(minus + " ".join(symbols), minus + " · ".join(numbers), _derivative(one, place))


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
    count = len(passes)
    symbols = f"(1/{count}) Σ_{{{n.sample}}} {weight}∂{n.loss}/∂{n.parameter(place)}"
    numbers = f"(1/{count}) · ({' + '.join(terms)})"
    if place.source is not None and trace.settings.l2 > 0:
        symbols += f" + λ {n.parameter(place)}"
        numbers += f" + {term(trace.settings.l2)} · {factor(trace.before_update.at(place))}"
    return Written(symbols, numbers, trace.gradient.at(place))


def step_of(shown: TracedUpdate) -> Written:
    """Write the weight after the step; derivation 1, whose error is the negative, adds."""
    trace, n, place = shown.trace, shown.notation, shown.place
    name, before, rate = n.parameter(place), term(trace.before_update.at(place)), term(trace.learning_rate)
    after = trace.after_update.at(place)
    if n.sign < 0 and shown.is_one_sample:
        descent = of_one_sample(shown, trace.update.passes[0])
        symbols, numbers = descent.symbols.removeprefix("−"), descent.numbers.removeprefix("−")
        return Written(f"{name} + {n.rate} {symbols}", f"{before} + {rate} · {numbers}", after)
    derivative, value = f"∂{n.objective}/∂{name}", factor(trace.gradient.at(place))
    return Written(f"{name} − {n.rate} {derivative}", f"{before} − {rate} · {value}", after)
