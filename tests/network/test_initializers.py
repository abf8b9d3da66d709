"""Initial weights follow the law their initializer names, and depend on seed and stream alone."""

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from src.network import INITIAL_WEIGHTS, SHUFFLING, VALIDATION, Data, Part, Settings, train

INPUTS, HIDDEN, OUTPUTS = 60, 150, 40
# Each law for a layer with these fan-ins and fan-outs, as (name of the distribution, its standard deviation).
LAWS = {
    "glorot_uniform": lambda n_in, n_out: stats.uniform(-sqrt(6 / (n_in + n_out)), 2 * sqrt(6 / (n_in + n_out))),
    "glorot_normal": lambda n_in, n_out: stats.norm(0, sqrt(2 / (n_in + n_out))),
    "he_uniform": lambda n_in, n_out: stats.uniform(-sqrt(6 / n_in), 2 * sqrt(6 / n_in)),
    "he_normal": lambda n_in, n_out: stats.norm(0, sqrt(2 / n_in)),
    "lecun_uniform": lambda n_in, n_out: stats.uniform(-sqrt(3 / n_in), 2 * sqrt(3 / n_in)),
    "lecun_normal": lambda n_in, n_out: stats.norm(0, sqrt(1 / n_in)),
    "uniform": lambda n_in, n_out: stats.uniform(-0.3, 0.6),
    "normal": lambda n_in, n_out: stats.norm(0, 0.3),
    "standard_normal": lambda n_in, n_out: stats.norm(0, 1),
}


def part(inputs=INPUTS, outputs=OUTPUTS):
    return Part(np.zeros((inputs, 1)), np.zeros((outputs, 1)))


def initial(settings, inputs=INPUTS, outputs=OUTPUTS):
    """Return the matrices [W b] that each of these networks starts from: it is trained at the rate 0."""
    still = [Settings(**{**vars(each), "learning_rate": 0.0, "epochs": 1}) for each in settings]
    networks = train(still, [Data(part(inputs, outputs))] * len(still))
    return [[matrix[0] for matrix in network.shape.matrices(network.parameters[None])] for network in networks]


@pytest.mark.parametrize("init", LAWS)
def test_weights_follow_their_law(init):
    [matrices] = initial([Settings((HIDDEN,), init=init, init_scale=0.3, seed=5)])
    for matrix, (n_in, n_out) in zip(matrices, [(INPUTS, HIDDEN), (HIDDEN, OUTPUTS)], strict=True):
        weights, law = matrix[:, :-1].ravel(), LAWS[init](n_in, n_out)
        assert weights.size == n_in * n_out
        low, high = law.support()
        assert low <= weights.min()
        assert weights.max() <= high
        if np.isfinite(high):  # so many uniform numbers come close to their bounds
            assert min(-weights.min(), weights.max()) > high * (1 - 20 / weights.size)
        # four standard errors of the mean and of the variance
        assert abs(weights.mean()) < 4 * law.std() / sqrt(weights.size)
        fourth_moment = float(law.stats(moments="k")) + 3
        assert weights.var() / law.var() == pytest.approx(1, abs=4 * sqrt((fourth_moment - 1) / weights.size))
        assert stats.kstest(weights, law.cdf).pvalue > 1e-3


def test_zeros():
    [matrices] = initial([Settings((3,), init="zeros")])
    assert not any(matrix.any() for matrix in matrices)


def test_units_that_start_alike_stay_alike(make_part, train_one, matrices_of):
    trained = train_one(Settings((3,), init="zeros", learning_rate=1.0, epochs=50), make_part())
    hidden, output = matrices_of(trained.shape, trained.parameters)
    assert output.any()
    assert np.ptp(hidden, axis=0).max() == 0


@pytest.mark.parametrize("bias_init", ["zeros", "uniform", "normal"])
def test_biases_follow_their_own_law(bias_init):
    [matrices] = initial([Settings((400,), init="zeros", bias_init=bias_init, init_scale=0.2)], outputs=400)
    law = {"uniform": stats.uniform(-0.2, 0.4), "normal": stats.norm(0, 0.2)}
    for matrix in matrices:
        biases = matrix[:, -1]
        if bias_init == "zeros":
            assert not biases.any()
        else:
            assert stats.kstest(biases, law[bias_init].cdf).pvalue > 1e-3


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_seed_and_stream_decide_the_weights_and_the_place_in_a_stack_does_not():
    streams = [(seed, stream) for seed in (0, 1) for stream in ((), (0, 0), (0, 1), (1, 0))]
    networks = [Settings((4,), seed=seed, stream=stream, bias_init="normal") for seed, stream in streams]
    forward, backward = initial(networks), initial(networks[::-1])[::-1]
    for i, one in enumerate(forward):
        assert same(one, backward[i])
        assert same(one, initial([networks[i]])[0])
        assert not any(same(one, other) for other in forward[:i])


def test_weights_do_not_depend_on_how_the_network_is_trained():
    plain = Settings((4,), seed=3)
    other = Settings((4,), seed=3, optimizer="adam", l2=0.1, batch_size=2, clip_norm=1.0, schedule="cosine")
    assert same(initial([plain])[0], initial([other])[0])


def test_float32_weights_are_the_float64_weights_rounded():
    [double] = initial([Settings((4,), seed=3)])
    [single] = initial([Settings((4,), seed=3, dtype="float32")])
    assert same(single, [matrix.astype(np.float32) for matrix in double])


def test_streams_of_different_purposes_are_different():
    settings = Settings(seed=7, stream=(0, 1))
    draws = {purpose: settings.random(purpose).random() for purpose in (INITIAL_WEIGHTS, SHUFFLING, VALIDATION)}
    assert len(set(draws.values())) == 3
    assert draws == {purpose: settings.random(purpose).random() for purpose in draws}
