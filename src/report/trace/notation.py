"""The four derivations: how each writes the network, and which of its equations says what.

They differ in how they number layers and nodes, in which index of a weight comes first, and in the sign of delta; see
`src.network.derivation`. Symbols are formulas as `formula` reads them.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from src.language import say
from src.network.tracing import Place


def code() -> Mapping[str, tuple[str, str, str]]:
    """What is computed, in an update's order: its words, and where it is in the code, sum by sum and by matrices."""
    return {
        "forward": (say("forward"), "derivation.forward", "Propagation.forward"),
        "loss": (say("loss"), "derivation.OUTPUTS", "outputs.OUTPUTS"),
        "objective": (say("objective"), "derivation.objective", "checking.objective"),
        "output error": (say("output error"), "derivation.OUTPUTS", "outputs.OUTPUTS"),
        "hidden error": (say("hidden error"), "derivation.errors", "Propagation.backward"),
        "gradient": (say("gradient"), "derivation.gradient", "Propagation.backward"),
        "batch and penalty": (say("batch and penalty"), "derivation.gradient", "Optimizer.step"),
        "step": (say("step"), "derivation.step", "optimizers.sgd"),
    }


class Equation(NamedTuple):
    """A formula with generic indices, and where the derivation has it: "(8), (14)"; empty if it does not."""

    formula: str
    where: str


class Notation:
    """Derivation 2, whose W_ij leads to unit i from unit j as in the code, and whose input layer is layer 1.

    Layers l are numbered here as in the code, the input as 0, and units from 0; what is shown counts from 1.
    """

    number = 2
    source = "Neural Network Back Propagation 公式推导 (2017)"
    rate, objective, loss, sample, sign, wanted = "α", "J", "J_{s}", "s", 1, "y"
    output_delta = "δ_{i}^{(L)}"
    weight_form = "[layer, i, j]: W_ij leads to unit i of layer l from unit j of the one before"
    # What its layer numbers are ahead of the code's: of units, of the weights that lead to them.
    shift = weight_shift = 1
    from_first = False  # whether a weight's first index is the unit it comes from

    def __init__(self, layer_sizes: Sequence[int]) -> None:
        """Take the numbers of inputs, hidden units and outputs."""
        self.sizes = tuple(layer_sizes)
        self.last = len(layer_sizes) - 1

    def place(self, written: Sequence[int | str]) -> Place | None:
        """The weight or bias of these indices, as the derivation writes it; None if the network has none."""
        places = (
            Place(layer, unit, source)
            for layer in range(1, self.last + 1)
            for unit in range(self.sizes[layer])
            for source in (*range(self.sizes[layer - 1]), None)
        )
        return next((each for each in places if self.written(each) == list(written)), None)

    def written(self, place: Place) -> list[int | str]:
        """The indices of a weight or a bias, as `place` reads them."""
        unit, source = place.unit + 1, "b" if place.source is None else place.source + 1
        return [place.layer + self.weight_shift, *([source, unit] if self.from_first else [unit, source])]

    def parameter(self, place: Place) -> str:
        """A weight or a bias."""
        layer, *pair = self.written(place)
        name = f"b_{{{place.unit + 1}}}" if place.source is None else f"W_{{{_side_by_side(*pair)}}}"
        return f"{name}^{{({layer})}}"

    def z(self, layer: int, unit: int) -> str:
        """What a unit takes in."""
        return self._of_unit("z", layer, unit)

    def a(self, layer: int, unit: int) -> str:
        """What a unit puts out; a feature in layer 0."""
        return self._of_unit("a", layer, unit) if layer else f"x_{{{unit + 1}}}"

    def delta(self, layer: int, unit: int) -> str:
        """A unit's error."""
        return self._of_unit("δ", layer, unit)

    def _of_unit(self, letter: str, layer: int, unit: int) -> str:
        return f"{letter}_{{{unit + 1}}}^{{({layer + self.shift})}}"

    def target(self, unit: int) -> str:
        """What an output should be."""
        return f"{self.wanted}_{{{unit + 1}}}"

    def output(self, index: str) -> str:
        """An output, with an index that is a letter."""
        return f"a_{{{index}}}^{{(L)}}"

    def difference(self, output: str, target: str) -> str:
        """An output's difference from its target, with the sign that the error has."""
        return f"({output} − {target})" if self.sign > 0 else f"({target} − {output})"

    def equations(self, output: str, loss: str) -> dict[str, Equation]:
        """All equations by their names in `code`, those of the loss and the output's error for such a pair."""
        a, y = self.output("i"), f"{self.wanted}_{{i}}"
        losses = {
            ("softmax", "cross_entropy"): f"−Σ_{{i}} {y} log {a}",
            ("sigmoid", "cross_entropy"): f"−Σ_{{i}} [{y} log {a} + (1 − {y}) log(1 − {a})]",
        }
        error = output_error(output, loss, a, self.difference(a, y)) or self.difference(a, y)
        if (output, loss) == ("softmax", "squared_error"):
            a_k = self.output("k")
            error = f"Σ_{{k}} {self.difference(a_k, f'{self.wanted}_{{k}}')} {a_k} ([k = i] − {a})"
        of_loss = losses.get((output, loss), f"½ Σ_{{i}} {self.difference(a, y)}²")
        formulas = {
            **self.formulas(),
            "loss": f"{self.loss} = {of_loss}",
            "output error": f"{self.output_delta} = {error}",
        }
        places = _where(self.number, output, loss)
        return {name: Equation(formula, places[name]) for name, formula in formulas.items()}

    def formulas(self) -> dict[str, str]:
        """The formulas that hold for every network."""
        return {
            "forward": "z_{i}^{(l)} = Σ_{j} W_{ij}^{(l)} a_{j}^{(l−1)} + b_{i}^{(l)},  a_{i}^{(l)} = f(z_{i}^{(l)})",
            "objective": "J = (1/K) Σ_{k} J(x_{k}, y_{k}) + (λ/2) Σ_{lij} (W_{ij}^{(l)})²",
            "hidden error": "δ_{i}^{(l)} = f′(z_{i}^{(l)}) Σ_{k} W_{ki}^{(l+1)} δ_{k}^{(l+1)}",
            "gradient": "∂J_{s}/∂W_{ij}^{(l)} = δ_{i}^{(l)} a_{j}^{(l−1)},  ∂J_{s}/∂b_{i}^{(l)} = δ_{i}^{(l)}",
            "batch and penalty": "(1/K) Δ W^{(l)} + λ W^{(l)},  (1/K) Δ b^{(l)}",
            "step": "W^{(l)} ← W^{(l)} − α [(1/K) Δ W^{(l)} + λ W^{(l)}],  b^{(l)} ← b^{(l)} − α (1/K) Δ b^{(l)}",
        }


class Numbered(Notation):
    """Derivation 1, which numbers the nodes of the whole network; its delta is the negative of the others'.

    Inputs and outputs are counted each by themselves: x and y.
    """

    number = 1
    source = "神经网络和反向传播算法 (2020)"
    rate, objective, loss, sample, sign, wanted = "η", "E", "E_{d}", "d", -1, "t"
    output_delta = "δ_{i}"
    weight_form = "[j, i]: w_ji leads to node j from node i, the network's nodes numbered through; i may be b"

    def node(self, layer: int, unit: int) -> int:
        """Number of a node: the inputs come first."""
        return sum(self.sizes[:layer]) + unit + 1

    def written(self, place: Place) -> list[int | str]:
        """The indices of a weight; a bias is the one whose source is b."""
        source = "b" if place.source is None else self.node(place.layer - 1, place.source)
        return [self.node(place.layer, place.unit), source]

    def parameter(self, place: Place) -> str:
        """A weight or a bias."""
        return f"w_{{{_side_by_side(*self.written(place))}}}"

    def _of_unit(self, letter: str, layer: int, unit: int) -> str:
        if letter == "a" and layer == self.last:
            return f"y_{{{unit + 1}}}"
        return f"{'net' if letter == 'z' else letter}_{{{self.node(layer, unit)}}}"

    def output(self, index: str) -> str:
        """An output, with an index that is a letter."""
        return f"y_{{{index}}}"

    def formulas(self) -> dict[str, str]:
        """The formulas that hold for every network."""
        replaced = {"derivative": "f′(net_{i})", "factor": "a_{i} (1 − a_{i})"}
        one, otherwise = say("one sample"), say("(sigmoid; else {derivative} for {factor})", **replaced)
        return {
            "forward": "net_{j} = Σ_{i} w_{ji} x_{ji} + w_{jb},  a_{j} = f(net_{j})",
            "objective": "E = (1/m) Σ_{d} E_{d} + (λ/2) Σ_{ji} w_{ji}²",
            "hidden error": f"δ_{{i}} = a_{{i}} (1 − a_{{i}}) Σ_{{k}} w_{{ki}} δ_{{k}}  {otherwise}",
            "gradient": "∂E_{d}/∂w_{ji} = −δ_{j} x_{ji},  ∂E_{d}/∂w_{jb} = −δ_{j}",
            "batch and penalty": "(1/m) Σ_{d} ∂E_{d}/∂w_{ji} + λ w_{ji}",
            "step": f"w_{{ji}} ← w_{{ji}} − η ∂E/∂w_{{ji}};  {one}: w_{{ji}} ← w_{{ji}} + η δ_{{j}} x_{{ji}}",
        }


class LeadingAway(Notation):
    """Derivation 3: layers from 1, W^(l) leads away from layer l, and W_ij leads from unit i to unit j."""

    number = 3
    source = "反向传播算法"
    weight_form = "[layer, i, j]: W_ij leads from unit i of layer l to unit j of the next; i may be b"
    weight_shift = 0
    from_first = True

    def formulas(self) -> dict[str, str]:
        """The formulas that hold for every network."""
        return {
            "forward": (
                "z_{j}^{(l+1)} = Σ_{i} W_{ij}^{(l)} a_{i}^{(l)} + b_{j}^{(l)},  a_{j}^{(l+1)} = f(z_{j}^{(l+1)})"
            ),
            "objective": "J = (1/m) Σ_{i} J(x^{(i)}, y^{(i)}) + (λ/2) Σ_{lij} (W_{ij}^{(l)})²",
            "hidden error": "δ_{j}^{(l)} = f′(z_{j}^{(l)}) Σ_{k} δ_{k}^{(l+1)} W_{jk}^{(l)}",
            "gradient": "∂J_{s}/∂W_{ij}^{(l)} = δ_{j}^{(l+1)} a_{i}^{(l)},  ∂J_{s}/∂b_{j}^{(l)} = δ_{j}^{(l+1)}",
            "batch and penalty": "(1/m) Σ_{k} ∂J(x^{(k)}, y^{(k)})/∂W_{ij}^{(l)} + λ W_{ij}^{(l)}",
            "step": "W_{ij}^{(l)} ← W_{ij}^{(l)} − α ∂J/∂W_{ij}^{(l)},  b_{i}^{(l)} ← b_{i}^{(l)} − α ∂J/∂b_{i}^{(l)}",
        }


class Lettered(Notation):
    """Derivation 4: layers from 0, W_ij leads from unit i to unit j.

    A network with one hidden layer has the letters of its example: x, v, p, h, w, o and ŷ.
    """

    number = 4
    source = "李旻先：第六章 神经网络"
    weight_form = "[layer, i, j]: the weight of layer l that leads from unit i to unit j of layer l; i may be b"
    shift = weight_shift = 0
    from_first = True

    @property
    def _is_example(self) -> bool:
        return self.last == 2

    def parameter(self, place: Place) -> str:
        """A weight or a bias."""
        if not self._is_example or place.source is None:
            return super().parameter(place)
        return f"{'vw'[place.layer - 1]}_{{{_side_by_side(*self.written(place)[1:])}}}"

    def _of_unit(self, letter: str, layer: int, unit: int) -> str:
        letters = {"z": "po", "a": "hŷ"} if self._is_example else {}
        if letter not in letters:
            return super()._of_unit(letter, layer, unit)
        return f"{letters[letter][layer - 1]}_{{{unit + 1}}}"

    def output(self, index: str) -> str:
        """An output, with an index that is a letter."""
        return f"ŷ_{{{index}}}" if self._is_example else super().output(index)

    def formulas(self) -> dict[str, str]:
        """The formulas that hold for every network."""
        return {
            "forward": "z_{j}^{(l)} = Σ_{i} W_{ij}^{(l)} a_{i}^{(l−1)} + b_{j}^{(l)},  a_{j}^{(l)} = g(z_{j}^{(l)})",
            "objective": "J = (1/m) Σ_{i} J(h(x^{(i)}), y^{(i)}) + (λ/2) Σ_{lij} (W_{ij}^{(l)})²",
            "hidden error": "δ_{i}^{(l)} = g′(z_{i}^{(l)}) Σ_{j} W_{ij}^{(l+1)} δ_{j}^{(l+1)}",
            "gradient": "∂J_{s}/∂W_{ij}^{(l)} = a_{i}^{(l−1)} δ_{j}^{(l)},  ∂J_{s}/∂b_{j}^{(l)} = δ_{j}^{(l)}",
            "batch and penalty": "(1/m) Σ_{k} a_{i}^{(l−1)} δ_{j}^{(l)} + λ W_{ij}^{(l)}",
            "step": "W_{ij}^{(l)} ← W_{ij}^{(l)} − α ∂J/∂W_{ij}^{(l)},  b_{j}^{(l)} ← b_{j}^{(l)} − α ∂J/∂b_{j}^{(l)}",
        }


NOTATIONS: Mapping[int, type[Notation]] = {each.number: each for each in (Numbered, Notation, LeadingAway, Lettered)}


def output_error(output: str, loss: str, a: str, difference: str) -> str | None:
    """The error of an output `a` of such a pair; None where that is not known, or takes other outputs."""
    return {
        **dict.fromkeys([("softmax", "cross_entropy"), ("sigmoid", "cross_entropy")], difference),
        ("identity", "squared_error"): difference,
        ("sigmoid", "squared_error"): f"{a} (1 − {a}) {difference}",
        ("tanh", "squared_error"): f"(1 − {a}²) {difference}",
    }.get((output, loss))


def _where(number: int, output: str, loss: str) -> dict[str, str]:
    """Where a derivation has each equation, the loss's and the output error's for such a pair; empty if nowhere."""
    batch, delta, softmax = say("section 6"), say("step 4"), say("cross-entropy of a softmax")
    of_all = say("loss; the part with λ is added here")
    of_all_differentiated = say("loss, differentiated; the part with λ is added here")
    places = {
        "forward": (say("(3.2) to (3.8), (4.11)"), say("section 1, (1)"), say("forward pass"), say("propagation rule")),
        "objective": ("", say("section 6 (its gradient)"), say("objective"), of_all),
        "hidden error": (_numbered(4.3, 4.4), _numbered(8, 14, 15), delta, say("back-propagation, step 1")),
        "gradient": ("(4.12)", say("(9) to (12)"), delta, say("back-propagation, step 2")),
        "batch and penalty": ("", batch, say("objective, differentiated"), of_all_differentiated),
        "step": (say("(4.5) to (4.8), (4.10)"), batch, say("gradient descent"), say("back-propagation, step 3")),
    }
    unit_by_unit = [(function, "squared_error") for function in ("sigmoid", "tanh", "identity")]
    of_pairs: dict[int, dict[tuple[str, str], tuple[str, str]]] = {
        1: {("sigmoid", "squared_error"): ("(4.9)", _numbered(4.1, 4.2, 4.17))},
        2: {**dict.fromkeys(unit_by_unit, ("(3)", "(7)")), ("softmax", "squared_error"): ("(3)", "(5)")},
        3: dict.fromkeys(unit_by_unit, (say("loss of one sample"), delta)),
        4: {("softmax", "cross_entropy"): (softmax,) * 2, ("sigmoid", "squared_error"): (say("squared error"),) * 2},
    }
    of_loss, of_error = of_pairs[number].get((output, loss), ("", ""))
    return {name: each[number - 1] for name, each in places.items()} | {"loss": of_loss, "output error": of_error}


def _numbered(*numbers: float) -> str:
    """Equations by their numbers: (8), (14)."""
    return say(", ").join(f"({number})" for number in numbers)


def _side_by_side(*indices: int | str) -> str:
    """Two indices: 84, 4b; 12,3 where one has two digits."""
    texts = [str(index) for index in indices]
    return ("," if max(map(len, texts)) > 1 else "").join(texts)
