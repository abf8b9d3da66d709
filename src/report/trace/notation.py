"""The four derivations: how each writes the network, and which of its equations says what.

They differ in how they number layers and nodes, in which index of a weight comes first, and in the sign of delta; see
`src.network.derivation`. Symbols are formulas as `formula` reads them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from src.language import say
from src.network.tracing import Place

_UNIT_BY_UNIT = (("sigmoid", "squared_error"), ("tanh", "squared_error"), ("identity", "squared_error"))


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


@dataclass(frozen=True)
class Equation:
    """A formula with generic indices, and where the derivation has it: "(8), (14)"; empty if it does not."""

    formula: str
    where: str


class Notation:
    """Derivation 2, whose W_ij leads to unit i from unit j as in the code, and whose input layer is layer 1.

    Layers l are numbered here as in the code, the input as 0, and units from 0; what is shown counts from 1.
    """

    number = 2
    source = "Neural Network Back Propagation 公式推导 (2017)"
    rate, objective, loss, sample, sign = "α", "J", "J_{s}", "s", 1
    output_delta = "δ_{i}^{(L)}"
    weight_form = "[layer, i, j]: W_ij leads to unit i of layer l from unit j of the one before"
    shift = weight_shift = (
        1  # what its layer numbers are ahead of the code's: of units, of the weights that lead to them
    )
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
        return f"z_{{{unit + 1}}}^{{({layer + self.shift})}}"

    def a(self, layer: int, unit: int) -> str:
        """What a unit puts out; a feature in layer 0."""
        return f"x_{{{unit + 1}}}" if layer == 0 else f"a_{{{unit + 1}}}^{{({layer + self.shift})}}"

    def delta(self, layer: int, unit: int) -> str:
        """A unit's error."""
        return f"δ_{{{unit + 1}}}^{{({layer + self.shift})}}"

    def target(self, unit: int) -> str:
        """What an output should be."""
        return f"y_{{{unit + 1}}}"

    def difference(self, output: str, target: str) -> str:
        """An output's difference from its target, with the sign that the error has."""
        return f"({output} − {target})" if self.sign > 0 else f"({target} − {output})"

    def equations(self) -> dict[str, Equation]:
        """The equations that hold for every network; those of the output and its loss are `output_equations`."""
        return {
            "forward": Equation(
                "z_{i}^{(l)} = Σ_{j} W_{ij}^{(l)} a_{j}^{(l−1)} + b_{i}^{(l)},  a_{i}^{(l)} = f(z_{i}^{(l)})",
                say("section 1, (1)"),
            ),
            "objective": Equation(
                "J = (1/K) Σ_{k} J(x_{k}, y_{k}) + (λ/2) Σ_{lij} (W_{ij}^{(l)})²", say("section 6 (its gradient)")
            ),
            "hidden error": Equation(
                "δ_{i}^{(l)} = f′(z_{i}^{(l)}) Σ_{k} W_{ki}^{(l+1)} δ_{k}^{(l+1)}", _numbered("8", "14", "15")
            ),
            "gradient": Equation(
                "∂J_{s}/∂W_{ij}^{(l)} = δ_{i}^{(l)} a_{j}^{(l−1)},  ∂J_{s}/∂b_{i}^{(l)} = δ_{i}^{(l)}",
                say("(9) to (12)"),
            ),
            "batch and penalty": Equation("(1/K) Δ W^{(l)} + λ W^{(l)},  (1/K) Δ b^{(l)}", say("section 6")),
            "step": Equation(
                "W^{(l)} ← W^{(l)} − α [(1/K) Δ W^{(l)} + λ W^{(l)}],  b^{(l)} ← b^{(l)} − α (1/K) Δ b^{(l)}",
                say("section 6"),
            ),
        }

    def where_output(self) -> Mapping[tuple[str, str], tuple[str, str]]:
        """Where the derivation has the loss and the output's error of a pair of output and loss."""
        of_units = dict.fromkeys(_UNIT_BY_UNIT, ("(3)", "(7)"))
        return {**of_units, ("softmax", "squared_error"): ("(3)", "(5)")}

    def output_letters(self, index: str) -> tuple[str, str]:
        """An output and its target, with an index that is a letter."""
        return f"a_{{{index}}}^{{(L)}}", f"y_{{{index}}}"


class Numbered(Notation):
    """Derivation 1, which numbers the nodes of the whole network; its delta is the negative of the others'."""

    number = 1
    source = "神经网络和反向传播算法 (2020)"
    rate, objective, loss, sample, sign = "η", "E", "E_{d}", "d", -1
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

    def z(self, layer: int, unit: int) -> str:
        """What a node takes in."""
        return f"net_{{{self.node(layer, unit)}}}"

    def a(self, layer: int, unit: int) -> str:
        """What a node puts out: x of an input, y of an output, each counted by itself, else a."""
        if layer in (0, self.last):
            return f"{'y' if layer else 'x'}_{{{unit + 1}}}"
        return f"a_{{{self.node(layer, unit)}}}"

    def delta(self, layer: int, unit: int) -> str:
        """A node's error."""
        return f"δ_{{{self.node(layer, unit)}}}"

    def target(self, unit: int) -> str:
        """What an output should be."""
        return f"t_{{{unit + 1}}}"

    def equations(self) -> dict[str, Equation]:
        """The equations that hold for every network."""
        replaced = {"derivative": "f′(net_{i})", "factor": "a_{i} (1 − a_{i})"}
        one, otherwise = say("one sample"), say("(sigmoid; else {derivative} for {factor})", **replaced)
        return {
            "forward": Equation(
                "net_{j} = Σ_{i} w_{ji} x_{ji} + w_{jb},  a_{j} = f(net_{j})", say("(3.2) to (3.8), (4.11)")
            ),
            "objective": Equation("E = (1/m) Σ_{d} E_{d} + (λ/2) Σ_{ji} w_{ji}²", ""),
            "hidden error": Equation(
                f"δ_{{i}} = a_{{i}} (1 − a_{{i}}) Σ_{{k}} w_{{ki}} δ_{{k}}  {otherwise}", _numbered("4.3", "4.4")
            ),
            "gradient": Equation("∂E_{d}/∂w_{ji} = −δ_{j} x_{ji},  ∂E_{d}/∂w_{jb} = −δ_{j}", "(4.12)"),
            "batch and penalty": Equation("(1/m) Σ_{d} ∂E_{d}/∂w_{ji} + λ w_{ji}", ""),
            "step": Equation(
                f"w_{{ji}} ← w_{{ji}} − η ∂E/∂w_{{ji}};  {one}: w_{{ji}} ← w_{{ji}} + η δ_{{j}} x_{{ji}}",
                say("(4.5) to (4.8), (4.10)"),
            ),
        }

    def where_output(self) -> Mapping[tuple[str, str], tuple[str, str]]:
        """Where the derivation has the loss and the output's error of a pair of output and loss."""
        return {("sigmoid", "squared_error"): ("(4.9)", _numbered("4.1", "4.2", "4.17"))}

    def output_letters(self, index: str) -> tuple[str, str]:
        """An output and its target, with an index that is a letter."""
        return f"y_{{{index}}}", f"t_{{{index}}}"


class LeadingAway(Notation):
    """Derivation 3: layers from 1, W^(l) leads away from layer l, and W_ij leads from unit i to unit j."""

    number = 3
    source = "反向传播算法"
    weight_form = "[layer, i, j]: W_ij leads from unit i of layer l to unit j of the next; i may be b"
    weight_shift = 0
    from_first = True

    def equations(self) -> dict[str, Equation]:
        """The equations that hold for every network; none of them has a number there."""
        return {
            "forward": Equation(
                "z_{j}^{(l+1)} = Σ_{i} W_{ij}^{(l)} a_{i}^{(l)} + b_{j}^{(l)},  a_{j}^{(l+1)} = f(z_{j}^{(l+1)})",
                say("forward pass"),
            ),
            "objective": Equation(
                "J = (1/m) Σ_{i} J(x^{(i)}, y^{(i)}) + (λ/2) Σ_{lij} (W_{ij}^{(l)})²", say("objective")
            ),
            "hidden error": Equation("δ_{j}^{(l)} = f′(z_{j}^{(l)}) Σ_{k} δ_{k}^{(l+1)} W_{jk}^{(l)}", say("step 4")),
            "gradient": Equation(
                "∂J_{s}/∂W_{ij}^{(l)} = δ_{j}^{(l+1)} a_{i}^{(l)},  ∂J_{s}/∂b_{j}^{(l)} = δ_{j}^{(l+1)}", say("step 4")
            ),
            "batch and penalty": Equation(
                "(1/m) Σ_{k} ∂J(x^{(k)}, y^{(k)})/∂W_{ij}^{(l)} + λ W_{ij}^{(l)}", say("objective, differentiated")
            ),
            "step": Equation("W_{ij}^{(l)} ← W_{ij}^{(l)} − α ∂J/∂W_{ij}^{(l)}", say("gradient descent")),
        }

    def where_output(self) -> Mapping[tuple[str, str], tuple[str, str]]:
        """Where the derivation has the loss and the output's error of a pair of output and loss."""
        return dict.fromkeys(_UNIT_BY_UNIT, (say("loss of one sample"), say("step 4")))


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

    def z(self, layer: int, unit: int) -> str:
        """What a unit takes in."""
        return f"{'po'[layer - 1]}_{{{unit + 1}}}" if self._is_example else super().z(layer, unit)

    def a(self, layer: int, unit: int) -> str:
        """What a unit puts out; a feature in layer 0."""
        return f"{'xhŷ'[layer]}_{{{unit + 1}}}" if self._is_example else super().a(layer, unit)

    def equations(self) -> dict[str, Equation]:
        """The equations that hold for every network; none of them has a number there."""
        return {
            "forward": Equation(
                "z_{j}^{(l)} = Σ_{i} W_{ij}^{(l)} a_{i}^{(l−1)} + b_{j}^{(l)},  a_{j}^{(l)} = g(z_{j}^{(l)})",
                say("propagation rule"),
            ),
            "objective": Equation(
                "J = (1/m) Σ_{i} J(h(x^{(i)}), y^{(i)}) + (λ/2) Σ_{lij} (W_{ij}^{(l)})²",
                say("loss; the part with λ is added here"),
            ),
            "hidden error": Equation(
                "δ_{i}^{(l)} = g′(z_{i}^{(l)}) Σ_{j} W_{ij}^{(l+1)} δ_{j}^{(l+1)}", say("back-propagation, step 1")
            ),
            "gradient": Equation(
                "∂J_{s}/∂W_{ij}^{(l)} = a_{i}^{(l−1)} δ_{j}^{(l)},  ∂J_{s}/∂b_{j}^{(l)} = δ_{j}^{(l)}",
                say("back-propagation, step 2"),
            ),
            "batch and penalty": Equation(
                "(1/m) Σ_{k} a_{i}^{(l−1)} δ_{j}^{(l)} + λ W_{ij}^{(l)}",
                say("loss, differentiated; the part with λ is added here"),
            ),
            "step": Equation("W_{ij}^{(l)} ← W_{ij}^{(l)} − α ∂J/∂W_{ij}^{(l)}", say("back-propagation, step 3")),
        }

    def where_output(self) -> Mapping[tuple[str, str], tuple[str, str]]:
        """Where the derivation has the loss and the output's error of a pair of output and loss."""
        return {
            ("softmax", "cross_entropy"): (say("cross-entropy of a softmax"), say("cross-entropy of a softmax")),
            ("sigmoid", "squared_error"): (say("squared error"), say("squared error")),
        }

    def output_letters(self, index: str) -> tuple[str, str]:
        """An output and its target, with an index that is a letter."""
        return (f"ŷ_{{{index}}}" if self._is_example else f"a_{{{index}}}^{{(L)}}"), f"y_{{{index}}}"


NOTATIONS: Mapping[int, type[Notation]] = {each.number: each for each in (Numbered, Notation, LeadingAway, Lettered)}


def _numbered(*numbers: str) -> str:
    """Equations by their numbers: (8), (14)."""
    return say(", ").join(f"({number})" for number in numbers)


def _side_by_side(*indices: int | str) -> str:
    """Two indices: 84, 4b; 12,3 where one has two digits."""
    texts = [str(index) for index in indices]
    return ("," if max(map(len, texts)) > 1 else "").join(texts)
