"""One network, sum by sum, as the derivations write it. Read this first.

Everything here is a plain number, and nothing is fast. First come the activations, then the output layers with their
losses, then one sample forward and backward, then J over all samples, its gradient and a step along it. The engine
computes the same for stacks of networks by matrix products (`propagation.py`, `outputs.py`, `training.py`), and the
tests hold it to this file, number by number.

Notation: x = a[0] enters layer 1, and layer l = 1, ..., L computes

    z[l][i] = sum_j W[l][i][j] a[l-1][j] + b[l][i],    a[l][i] = f(z[l][i]),    a[L] = h(x).

W[l][i][j] leads from unit j of layer l - 1 to unit i of layer l, and delta[l][i] = dloss/dz[l][i]. Layers are numbered
as in derivation 4, and units from 0, as Python does. The four sources, named in README, differ in convention:

- derivation 1 numbers the nodes of the whole network: its w_ji leads from node i to node j. It writes net for z, y for
  the output and t for the target. Its delta is the negative of this one (4.17), so its rule adds (4.5).
- derivation 2 has the same W_ij and delta, and calls the input layer 1: its W^(2) is W[1] here.
- derivation 3 calls the input layer 1 too, but W^(1) what leads away from it; where it derives, its W_ij leads from
  unit i to unit j, and its f'(a) means f'(z).
- derivation 4 has W transposed: its w_32 leads from hidden unit 3 to output 2.
"""

# ruff: noqa: E741, N802 -- l and J are the derivations' own letters

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import exp, expm1, log, log1p, pi, sqrt, tanh

Vector = list[float]
Matrix = list[Vector]


def sigmoid(z: float) -> float:
    """Return 1 / (1 + exp(-z)): derivation 1 (1.2), derivation 2 (1). For z < 0 both are times exp z: no overflow."""
    return 1 / (1 + exp(-z)) if z >= 0 else exp(z) / (1 + exp(z))


def softplus(z: float) -> float:
    """Return log(1 + exp z) = max(z, 0) + log(1 + exp(-|z|)), which does not overflow."""
    return max(z, 0.0) + log1p(exp(-abs(z)))


def gelu(z: float) -> float:
    """Return z/2 (1 + tanh u), u = c (z + k z^3), c = sqrt(2/pi), k = 0.044715 (Hendrycks and Gimpel 2016)."""
    return z / 2 * (1 + tanh(sqrt(2 / pi) * (z + 0.044715 * z * z * z)))


def gelu_slope(z: float) -> float:
    """Return (1 + t)/2 + z/2 (1 - t^2) u' with t = tanh u and u' = c (1 + 3 k z^2)."""
    t = tanh(sqrt(2 / pi) * (z + 0.044715 * z * z * z))
    return (1 + t) / 2 + z / 2 * (1 - t * t) * sqrt(2 / pi) * (1 + 3 * 0.044715 * z * z)


@dataclass(frozen=True)
class Activation:
    """What a hidden unit makes of its pre-activation z: a = f(z), with the slope f'(z)."""

    f: Callable[[float], float]
    slope: Callable[[float], float]


ACTIVATIONS = {
    "identity": Activation(lambda z: z, lambda z: 1.0),
    "sigmoid": Activation(sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),  # derivation 1 (1.4), derivation 2 (2)
    "tanh": Activation(tanh, lambda z: 1 - tanh(z) ** 2),
    "relu": Activation(lambda z: z if z > 0 else 0.0, lambda z: 1.0 if z > 0 else 0.0),
    "leaky_relu": Activation(lambda z: z if z > 0 else 0.01 * z, lambda z: 1.0 if z > 0 else 0.01),
    "elu": Activation(lambda z: z if z > 0 else expm1(z), lambda z: 1.0 if z > 0 else exp(z)),
    "softplus": Activation(softplus, sigmoid),
    "silu": Activation(lambda z: z * sigmoid(z), lambda z: sigmoid(z) * (1 + z * (1 - sigmoid(z)))),
    "gelu": Activation(gelu, gelu_slope),
}


def softmax(z: Vector) -> Vector:
    """Return exp(z_c) / sum_c exp(z_c), derivation 4; all are divided by exp(max z), which changes no quotient."""
    largest = max(z)
    powers = [exp(z_c - largest) for z_c in z]
    total = sum(powers)
    return [power / total for power in powers]


def unit_by_unit(f: Callable[[float], float]) -> Callable[[Vector], Vector]:
    """Return h with h(z)_i = f(z_i)."""
    return lambda z: [f(z_i) for z_i in z]


def squared_error(z: Vector, a: Vector, y: Vector) -> float:
    """Return 1/2 sum_i (a_i - y_i)^2: derivation 1 (4.9), derivation 2 (3), derivations 3 and 4."""
    return 0.5 * sum((a[i] - y[i]) ** 2 for i in range(len(y)))


def softmax_cross_entropy(z: Vector, a: Vector, y: Vector) -> float:
    """Return -sum_c y_c log a_c, derivation 4, where -log a_c = log(sum_k exp z_k) - z_c: no logarithm of 0."""
    largest = max(z)
    log_sum = log(sum(exp(z_k - largest) for z_k in z))
    return sum(y[c] * (log_sum - (z[c] - largest)) for c in range(len(y)))


def sigmoid_cross_entropy(z: Vector, a: Vector, y: Vector) -> float:
    """Return -sum_c [y_c log a_c + (1 - y_c) log(1 - a_c)] = sum_c [log(1 + exp z_c) - y_c z_c]."""
    return sum(softplus(z[c]) - y[c] * z[c] for c in range(len(y)))


def difference(a: Vector, y: Vector) -> Vector:
    """Return delta = a - y, true for three pairs: softmax (where y sums to 1) and sigmoid with cross-entropy,
    derivation 4, and identity with squared error, derivation 2 (7), as f' = 1.
    """
    return [a[i] - y[i] for i in range(len(y))]


def sigmoid_squared_error_delta(a: Vector, y: Vector) -> Vector:
    """Return delta_i = a_i (1 - a_i) (a_i - y_i): derivation 1 (4.16), derivation 4."""
    return [a[i] * (1 - a[i]) * (a[i] - y[i]) for i in range(len(y))]


def tanh_squared_error_delta(a: Vector, y: Vector) -> Vector:
    """Return delta_i = (1 - a_i^2) (a_i - y_i): derivation 2 (7) with f = tanh."""
    return [(1 - a[i] ** 2) * (a[i] - y[i]) for i in range(len(y))]


def softmax_squared_error_delta(a: Vector, y: Vector) -> Vector:
    """Return delta_i = sum_k (a_k - y_k) da_k/dz_i, where da_k/dz_i = a_k ([k = i] - a_i): derivation 4."""
    units = range(len(y))
    return [sum((a[k] - y[k]) * a[k] * ((k == i) - a[i]) for k in units) for i in units]


@dataclass(frozen=True)
class Output:
    """An output layer with its loss: a = h(z), the loss of one sample from (z, a, y), and delta from (a, y)."""

    h: Callable[[Vector], Vector]
    loss: Callable[[Vector, Vector, Vector], float]
    delta: Callable[[Vector, Vector], Vector]


OUTPUTS = {
    ("softmax", "cross_entropy"): Output(softmax, softmax_cross_entropy, difference),
    ("softmax", "squared_error"): Output(softmax, squared_error, softmax_squared_error_delta),
    ("sigmoid", "cross_entropy"): Output(unit_by_unit(sigmoid), sigmoid_cross_entropy, difference),
    ("sigmoid", "squared_error"): Output(unit_by_unit(sigmoid), squared_error, sigmoid_squared_error_delta),
    ("tanh", "squared_error"): Output(unit_by_unit(tanh), squared_error, tanh_squared_error_delta),
    ("identity", "squared_error"): Output(unit_by_unit(lambda z: z), squared_error, difference),
}


@dataclass(frozen=True)
class Network:
    """A network of L layers, the last of them the output.

    W : W[l][i][j] for l = 1, ..., L; W[l] has a row for each unit of layer l, a column for each of layer l - 1.
    b : b[l][i].
    activations : the names of f in layers 1, ..., L - 1, from `ACTIVATIONS`.
    output, loss : the names of the pair in layer L, from `OUTPUTS`.
    """

    W: dict[int, Matrix]
    b: dict[int, Vector]
    activations: tuple[str, ...]
    output: str
    loss: str

    @property
    def top(self) -> Output:
        """The output layer with its loss."""
        return OUTPUTS[self.output, self.loss]


def network_of(matrices: Sequence[Matrix], activations: Sequence[str], output: str, loss: str) -> Network:
    """Return the network with these matrices [W b], one a layer, each bias last in its row: derivation 1 (3.7)."""
    W = {l: [row[:-1] for row in matrix] for l, matrix in enumerate(matrices, start=1)}
    b = {l: [row[-1] for row in matrix] for l, matrix in enumerate(matrices, start=1)}
    return Network(W, b, tuple(activations), output, loss)


@dataclass(frozen=True)
class Sample:
    """Features x, one an input; targets y, one an output; the weight of its loss, which the derivations do not have."""

    x: Vector
    y: Vector
    weight: float = 1.0


@dataclass(frozen=True)
class Pass:
    """One sample's way through the network and back: z[l][i] and delta[l][i] for l >= 1, a[l][i] for l >= 0."""

    sample: Sample
    z: dict[int, Vector]
    a: dict[int, Vector]
    loss: float
    delta: dict[int, Vector]


def forward(network: Network, x: Vector) -> tuple[dict[int, Vector], dict[int, Vector]]:
    """Return z[l][i] and a[l][i] of every layer: derivation 1 (3.2) to (3.4), 2 section 1, derivations 3 and 4."""
    z: dict[int, Vector] = {}
    a = {0: x}
    for l, W in network.W.items():
        z[l] = [sum(W[i][j] * a[l - 1][j] for j in range(len(W[i]))) + network.b[l][i] for i in range(len(W))]
        is_hidden = l < len(network.W)
        h = unit_by_unit(ACTIVATIONS[network.activations[l - 1]].f) if is_hidden else network.top.h
        a[l] = h(z[l])
    return z, a


def errors(network: Network, z: dict[int, Vector], a: dict[int, Vector], y: Vector) -> dict[int, Vector]:
    """Return delta[l][i] of every layer, the last layer's first.

    The output's is its pair's: derivation 1 (4.1), derivation 2 (7), derivation 4. A hidden unit's is the sum over the
    units k that it leads to, delta[l][i] = f'(z[l][i]) sum_k W[l+1][k][i] delta[l+1][k]: derivation 1 (4.3) and (4.4),
    derivation 2 (14).
    """
    L = len(network.W)
    delta = {L: network.top.delta(a[L], y)}
    for l in range(L - 1, 0, -1):
        W, slope = network.W[l + 1], ACTIVATIONS[network.activations[l - 1]].slope
        sums = [sum(W[k][i] * delta[l + 1][k] for k in range(len(W))) for i in range(len(W[0]))]
        delta[l] = [slope(z[l][i]) * sums[i] for i in range(len(sums))]
    return delta


def propagate(network: Network, sample: Sample) -> Pass:
    """Return every number of one sample: forward, its loss, and backward."""
    L = len(network.W)
    z, a = forward(network, sample.x)
    return Pass(sample, z, a, network.top.loss(z[L], a[L], sample.y), errors(network, z, a, sample.y))


@dataclass(frozen=True)
class Objective:
    """J = data + penalty."""

    data: float
    penalty: float

    @property
    def J(self) -> float:
        """What is minimized."""
        return self.data + self.penalty


@dataclass(frozen=True)
class Gradient:
    """The derivatives of J: dJ/dW = W[l][i][j], the sum of its data's part and its penalty's, and dJ/db = b[l][i]."""

    W_data: dict[int, Matrix]
    W_penalty: dict[int, Matrix]
    W: dict[int, Matrix]
    b: dict[int, Vector]


@dataclass(frozen=True)
class Update:
    """One step of gradient descent with every number that led to it; `network` is the one after the step."""

    passes: list[Pass]
    objective: Objective
    gradient: Gradient
    network: Network


def objective(network: Network, passes: Sequence[Pass], l2: float = 0.0) -> Objective:
    """Return J = (1/m) sum_s w_s loss_s + (lambda/2) sum_l sum_i sum_j W[l][i][j]^2: derivation 3; biases are free."""
    data = sum(each.sample.weight * each.loss for each in passes) / len(passes)
    squares = sum(w * w for W in network.W.values() for row in W for w in row)
    return Objective(data, l2 / 2 * squares)


def gradient(network: Network, passes: Sequence[Pass], l2: float = 0.0) -> Gradient:
    """Return the derivatives of J, sums over the m samples s.

    They are dJ/dW = (1/m) sum_s w_s delta[l][i] a[l-1][j] + lambda W[l][i][j], dJ/db = (1/m) sum_s w_s delta[l][i]:
    derivation 1 (4.12), derivation 2 (9), (11) and section 6, derivation 3.
    """
    m, data, penalty, total, b = len(passes), {}, {}, {}, {}
    for l, W in network.W.items():
        units, below = range(len(W)), range(len(W[0]))
        weighted = [[each.sample.weight * each.delta[l][i] for i in units] for each in passes]
        data[l] = [[sum(weighted[s][i] * passes[s].a[l - 1][j] for s in range(m)) / m for j in below] for i in units]
        penalty[l] = [[l2 * W[i][j] for j in below] for i in units]
        total[l] = [[data[l][i][j] + penalty[l][i][j] for j in below] for i in units]
        b[l] = [sum(weighted[s][i] for s in range(m)) / m for i in units]
    return Gradient(data, penalty, total, b)


def step(network: Network, descent: Gradient, learning_rate: float) -> Network:
    """Return the network after W <- W - alpha dJ/dW, b <- b - alpha dJ/db: derivation 1 (4.10), 2 section 6."""
    W, b = {}, {}
    for l, W_l in network.W.items():
        units, below = range(len(W_l)), range(len(W_l[0]))
        W[l] = [[W_l[i][j] - learning_rate * descent.W[l][i][j] for j in below] for i in units]
        b[l] = [network.b[l][i] - learning_rate * descent.b[l][i] for i in units]
    return replace(network, W=W, b=b)


def update(network: Network, samples: Sequence[Sample], learning_rate: float, l2: float = 0.0) -> Update:
    """Return one update of the network by these samples (a batch, or all), with every number on the way."""
    passes = [propagate(network, sample) for sample in samples]
    descent = gradient(network, passes, l2)
    return Update(passes, objective(network, passes, l2), descent, step(network, descent, learning_rate))
