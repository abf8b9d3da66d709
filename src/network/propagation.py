"""Forward and backward propagation of a stack of networks: the four equations of back-propagation.

Activations have shape ``(stack, units + 1, samples)``; the last unit is the bias unit, whose output is always 1, so
that [W b] [a; 1] = W a + b is one matrix product (derivation 1 (3.5) to (3.8)). Element-wise work runs over whole
contiguous buffers, the bias unit among them; what it computes there is never read, as the unit is set to 1 again.
Each network of the stack is a slice of its own in every product, so its numbers do not depend on its neighbors.
"""

import numpy as np

from src.network.activations import ACTIVATIONS
from src.network.arrays import Array, layer_values, output_values
from src.network.batches import Part
from src.network.outputs import OUTPUTS
from src.network.shape import Shape


class Propagation:
    """The buffers for one pass of `samples` samples through `stack` networks of one shape, allocated once."""

    def __init__(self, shape: Shape, stack: int, samples: int, dtype: str) -> None:
        *hidden_sizes, outputs = shape.layer_sizes[1:]
        self.hidden = [ACTIVATIONS[name] for name in shape.activations]
        self.top = OUTPUTS[shape.output, shape.loss]
        self.activations = [layer_values(stack, units + 1, samples, dtype) for units in hidden_sizes]
        self.z = [a[:, :-1] for a in self.activations]  # what becomes f(z) in place
        self.bias_units = [a[:, -1] for a in self.activations]
        self.slopes = [layer_values(stack, units + 1, samples, dtype) for units in hidden_sizes]
        self.deltas = [layer_values(stack, units + 1, samples, dtype) for units in hidden_sizes]
        self.output = output_values(stack, outputs, samples, dtype)
        self.seen: Array | None = None  # the x that the hidden layers stand for; to be forgotten when weights change

    def forward(self, matrices: list[Array], x: Array) -> Array:
        """Return the output layer's pre-activations z, shape ``(stack, outputs, samples)``: a buffer, used again.

        z^(l) = W^(l) a^(l-1) + b^(l) and a^(l) = f(z^(l)): derivation 2 section 1, derivations 3 and 4.
        x has shape ``(stack, inputs + 1, samples)`` with the bias unit last.
        """
        if x is not self.seen:
            below = x
            for layer, activate in enumerate(self.hidden):
                a = self.activations[layer]
                np.matmul(matrices[layer], below, out=self.z[layer])
                activate(a, self.slopes[layer], self.deltas[layer])  # the deltas are free until `backward`
                self.bias_units[layer].fill(1)
                below = a
            self.seen = x
        np.matmul(matrices[-1], self.activations[-1] if self.hidden else x, out=self.output)
        return self.output

    def backward(self, matrices: list[Array], x: Array, delta: Array, gradients: list[Array]) -> None:
        """Write dJ/d[W b] of every layer to `gradients`, given the output error delta^(L), after `forward`."""
        for layer in reversed(range(len(matrices))):
            below = self.activations[layer - 1] if layer > 0 else x
            # Summed over the samples, dJ/dW = delta (a^(l-1))^T and dJ/db = delta: derivation 2 (10) and (12),
            # derivation 1 (4.12)
            np.matmul(delta, below.transpose(0, 2, 1), out=gradients[layer])
            if layer > 0:
                # delta^(l) = (W^(l+1))^T delta^(l+1) * f'(z^(l)): derivation 2 (8) and (15), derivation 1 (4.3),
                # derivation 4
                error = self.deltas[layer - 1]
                np.matmul(matrices[layer].transpose(0, 2, 1), delta, out=error)
                np.multiply(error, self.slopes[layer - 1], out=error)
                delta = error[:, :-1]

    def gradient(self, matrices: list[Array], batch: Part, out: list[Array]) -> None:
        """Write the gradient of (1/K) sum_i w_i loss_i over a batch of K samples to `out`: derivation 2 section 6."""
        delta = self.forward(matrices, batch.x)
        self.top.activate(delta)
        self.top.error(delta, batch.y)
        if batch.weight is not None:
            np.multiply(delta, batch.weight, out=delta)
        np.multiply(delta, 1 / batch.count, out=delta)
        self.backward(matrices, batch.x, delta, out)

    def losses(self, matrices: list[Array], batch: Part) -> Array:
        """Return w_i loss_i of each sample, shape ``(stack, samples)``: derivations 3 and 4."""
        losses = self.top.loss(self.forward(matrices, batch.x), batch.y)
        return losses if batch.weight is None else losses * batch.weight[:, 0]

    def predict(self, matrices: list[Array], x: Array) -> Array:
        """Return the networks' outputs h(x), shape ``(stack, outputs, samples)``: a buffer, used again."""
        output = self.forward(matrices, x)
        self.top.activate(output)
        return output
