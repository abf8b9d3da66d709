"""What the engine is measured against: each contender makes the same updates of the same networks.

One update is forward, backward and a plain gradient step on one batch: no momentum, no penalty, relu, softmax and
cross-entropy. A contender is set up outside the measured time and returns what it is to run.
"""

import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from src.network import Data, Part, Settings, shape_of, train

LEARNING_RATE = 0.01


@dataclass(frozen=True)
class Case:
    """A stack of networks with one hidden layer, and how many updates each of them makes in one measured run."""

    inputs: int
    hidden: int
    outputs: int
    batch: int
    stack: int
    updates: int

    @property
    def name(self) -> str:
        return f"{self.layers}, batch {self.batch}, stack {self.stack}"

    @property
    def layers(self) -> str:
        return f"{self.inputs}-{self.hidden}-{self.outputs}"


@dataclass(frozen=True)
class Contender:
    """What is measured: `run` makes `updates` updates of each of `networks` networks and returns their first weights.

    They have shape ``(networks, hidden, inputs)``; None where a contender cannot start from given weights.
    """

    name: str
    networks: int
    updates: int
    run: Callable[[], np.ndarray | None]
    compile_seconds: float | None = None


def samples(case, batches=1, parts=None):
    """Return x ``(parts, inputs, samples)`` and codes ``(parts, samples)``: a part for each network, or so many."""
    random = np.random.default_rng(0)
    size = (parts or case.stack, batches * case.batch)
    return random.standard_normal((size[0], case.inputs, size[1])), random.integers(0, case.outputs, size)


def one_hot(codes, outputs):
    return np.eye(outputs)[codes]


def settings_of(case, dtype, activation="relu", folds=None, **others):
    """Return the networks' settings: each with a random stream of its own, or with that of one of so many folds."""
    folds = folds or case.stack
    common = {"hidden_layer_sizes": (case.hidden,), "activation": activation, "dtype": dtype, "epochs": case.updates}
    common |= {"learning_rate": LEARNING_RATE} | others
    return [Settings(**common, stream=(0, n % folds)) for n in range(case.stack)]


def stack_data(case, batches=1, parts=None):
    x, codes = samples(case, batches, parts)
    held = [Data(Part(*pair)) for pair in zip(x, one_hot(codes, case.outputs).transpose(0, 2, 1), strict=True)]
    return [held[n % len(held)] for n in range(case.stack)]


def initial_matrices(case):
    """Return [W b] of both layers of all networks before their first update, in float32."""
    start = train(settings_of(case, "float32", learning_rate=0.0), stack_data(case), epochs=1)
    return shape_of(settings_of(case, "float32")[0], case.inputs, case.outputs).matrices(
        np.stack([each.parameters for each in start])
    )


def engine(case, dtype, activation="relu"):
    settings, data = settings_of(case, dtype, activation), stack_data(case)

    def run():
        trained = train(settings, data)
        return trained[0].shape.matrices(np.stack([each.parameters for each in trained]))[0][:, :, :-1]

    return Contender(f"engine {dtype} {activation}", case.stack, case.updates, run)


def engine_in_batches(case, dtype, folds, batches=10):
    """Shuffled batches, so many an epoch; the networks are a sweep's, which share the parts of so many folds."""
    epochs = max(1, case.updates // batches)
    settings = settings_of(case, dtype, folds=folds, batch_size=case.batch, epochs=epochs)
    data = stack_data(case, batches=batches, parts=folds)

    def run():
        train(settings, data)

    return Contender(f"engine {dtype} shuffled", case.stack, batches * epochs, run)


def scikit_learn(case, batches=1):
    x, _ = samples(case, batches, parts=1)
    codes = np.arange(batches * case.batch) % case.outputs  # it wants to meet every class
    epochs = max(1, case.updates // batches)
    network = mlp_classifier(case.hidden, case.batch, epochs, shuffle=batches > 1)

    def run():
        fit_quietly(network, x[0].T, codes)

    return Contender("scikit-learn float64" + " shuffled" * (batches > 1), 1, epochs * batches, run)


def mlp_classifier(units, batch_size, epochs, *, shuffle):
    """Return scikit-learn's network that makes the engine's updates, for so many epochs whatever its loss does."""
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(
        (units,),
        activation="relu",
        solver="sgd",
        momentum=0,
        nesterovs_momentum=False,
        alpha=0,
        batch_size=batch_size,
        learning_rate_init=LEARNING_RATE,
        max_iter=epochs,
        n_iter_no_change=epochs + 1,
        shuffle=shuffle,
        random_state=0,
    )


def fit_quietly(classifier, x, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not converged
        classifier.fit(x, y)


def our_classifier(table, units, epochs):
    """The estimator on full batches of a table ``(rows, columns)``."""
    from src.models import BPClassifier

    network = BPClassifier(hidden_layer_sizes=(units,), activation="relu", learning_rate=LEARNING_RATE, epochs=epochs)
    return _on_table("engine", network, table)


def their_classifier(table, units, epochs):
    """scikit-learn's, the same."""
    return _on_table("scikit-learn", mlp_classifier(units, table[0], epochs, shuffle=False), table)


def _on_table(name, network, table):
    x = np.random.default_rng(0).standard_normal(table)
    codes = (x[:, 0] > 0).astype(int)
    return Contender(name, 1, 1, lambda: fit_quietly(network, x, codes))  # a whole fit is what is timed


def pytorch(case):
    import torch

    torch.set_num_threads(1)
    x, codes = samples(case)
    rows, targets = torch.tensor(x[0].T, dtype=torch.float32), torch.tensor(codes[0])
    first, last = (torch.tensor(matrix[0].copy()) for matrix in initial_matrices(case))

    def run():
        hidden, output = torch.nn.Linear(case.inputs, case.hidden), torch.nn.Linear(case.hidden, case.outputs)
        with torch.no_grad():
            for layer, matrix in ((hidden, first), (output, last)):
                layer.weight.copy_(matrix[:, :-1])
                layer.bias.copy_(matrix[:, -1])
        network = torch.nn.Sequential(hidden, torch.nn.ReLU(), output)
        loss = torch.nn.CrossEntropyLoss()
        optimizer = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE)
        for _ in range(case.updates):
            optimizer.zero_grad()
            loss(network(rows), targets).backward()
            optimizer.step()
        return hidden.weight.detach().numpy()[None]

    return Contender("PyTorch float32", 1, case.updates, run)


def jax_by_samples(case):
    """jit(vmap) as JAX is usually written, a row for each sample: x @ W + b."""

    def loss(jnp, nn, weights, x, y):
        hidden = nn.relu(x @ weights["W1"] + weights["b1"])
        return -jnp.mean(jnp.sum(y * nn.log_softmax(hidden @ weights["W2"] + weights["b2"], axis=1), axis=1))

    x, codes = samples(case)
    first, last = initial_matrices(case)
    weights = {"W1": first[:, :, :-1].transpose(0, 2, 1), "W2": last[:, :, :-1].transpose(0, 2, 1)}
    weights |= {"b1": first[:, :, -1], "b2": last[:, :, -1]}
    rows, targets = x.transpose(0, 2, 1), one_hot(codes, case.outputs)
    return _jax(case, "JAX float32, x W", loss, weights, rows, targets, lambda w: w["W1"].transpose(0, 2, 1))


def jax_by_units(case):
    """jit(vmap) in the engine's own layout, a row for each unit: W x + b."""

    def loss(jnp, nn, weights, x, y):
        hidden = nn.relu(weights["W1"] @ x + weights["b1"])
        return -jnp.mean(jnp.sum(y * nn.log_softmax(weights["W2"] @ hidden + weights["b2"], axis=0), axis=0))

    x, codes = samples(case)
    first, last = initial_matrices(case)
    weights = {"W1": first[:, :, :-1], "b1": first[:, :, -1:], "W2": last[:, :, :-1], "b2": last[:, :, -1:]}
    targets = one_hot(codes, case.outputs).transpose(0, 2, 1)
    return _jax(case, "JAX float32, W x", loss, weights, x, targets, lambda w: w["W1"])


def _jax(case, name, loss, weights, x, y, first_weights):
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import jax
    import jax.numpy as jnp

    def update(weights, x, y, rate):
        gradient = jax.grad(lambda w: loss(jnp, jax.nn, w, x, y))(weights)
        return jax.tree.map(lambda w, g: w - rate * g, weights, gradient)

    @jax.jit
    def all_updates(weights, x, y, rates):
        return jax.lax.fori_loop(0, case.updates, lambda _, w: jax.vmap(update)(w, x, y, rates), weights)

    weights = {name: jnp.asarray(np.ascontiguousarray(values), jnp.float32) for name, values in weights.items()}
    x, y = (jnp.asarray(np.ascontiguousarray(values), jnp.float32) for values in (x, y))
    rates = jnp.full(case.stack, LEARNING_RATE, jnp.float32)
    before = time.perf_counter()
    compiled = all_updates.lower(weights, x, y, rates).compile()
    compile_seconds = time.perf_counter() - before

    def run():
        return np.asarray(first_weights(jax.block_until_ready(compiled(weights, x, y, rates))))

    return Contender(name, case.stack, case.updates, run, compile_seconds)
