"""What BPClassifier refuses: with scikit-learn's exception types and words."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import InvalidParameterError

from src.models import BPClassifier


@pytest.mark.parametrize(
    "parameters, message",
    [
        (
            {"hidden_layer_sizes": 4},
            "'hidden_layer_sizes' parameter of BPClassifier must be an instance of 'list'.*Got 4",
        ),
        ({"activation": "sigmod"}, "'activation' parameter of BPClassifier must be a str among.*Got 'sigmod'"),
        ({"output": "linear"}, "'output' parameter of BPClassifier must be a str among.*'identity'"),
        ({"loss": "hinge"}, "'loss' parameter"),
        ({"init": "xavier"}, "'init' parameter"),
        ({"init_scale": 0}, "'init_scale' parameter"),
        ({"bias_init": "ones"}, "'bias_init' parameter"),
        ({"dtype": "float16"}, "'dtype' parameter"),
        ({"optimizer": "lbfgs"}, "'optimizer' parameter"),
        ({"learning_rate": 0.0}, r"'learning_rate' parameter .* in the range \(0.0, inf\). Got 0.0"),
        ({"learning_rate": "fast"}, "'learning_rate' parameter"),
        ({"momentum": 1.0}, "'momentum' parameter"),
        ({"l2": -1e-3}, "'l2' parameter"),
        ({"batch_size": 0}, "'batch_size' parameter"),
        ({"batch_size": "auto"}, "'batch_size' parameter"),
        ({"epochs": 2.5}, r"'epochs' parameter of BPClassifier must be an int in the range \[1, 4294967295\]. Got 2.5"),
        ({"schedule": "polynomial"}, "'schedule' parameter"),
        ({"early_stopping": True}, "'early_stopping' parameter"),
        ({"clip_norm": 0}, "'clip_norm' parameter"),
        ({"random_state": None}, "'random_state' parameter"),
        ({"warm_start": 1.5}, "'warm_start' parameter"),
        ({"early_stopping": {"patience": 0}}, "'patience' parameter of early_stopping must be"),
        ({"early_stopping": {"patience": 1, "min_delta": -1}}, "'min_delta' parameter of early_stopping must be"),
        ({"early_stopping": {"patience": 1, "validation_fraction": 1}}, "'validation_fraction' parameter of early_"),
    ],
    ids=str,
)
def test_a_parameter_outside_its_range(parameters, message, ex4):
    with pytest.raises(InvalidParameterError, match=message):
        BPClassifier(**parameters).fit(*ex4)
    with pytest.raises(InvalidParameterError, match=message):
        BPClassifier(**parameters).partial_fit(*ex4, classes=[0, 1])


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"hidden_layer_sizes": [4, 0]}, "hidden_layer_sizes must be integers of at least 1"),
        ({"hidden_layer_sizes": [4.0]}, "hidden_layer_sizes must be integers of at least 1"),
        ({"hidden_layer_sizes": [True]}, "hidden_layer_sizes must be integers of at least 1"),
        ({"hidden_layer_sizes": [[4]]}, "hidden_layer_sizes must be integers of at least 1"),
        ({"hidden_layer_sizes": [4, 3], "activation": ["tanh"]}, "one name for each of 2 hidden layers"),
        ({"activation": ["sigmod"]}, "activation .'sigmod'. is unknown: choose from .'elu'"),
        ({"output": "tanh"}, r"loss='cross_entropy' does not fit output='tanh': it fits \['softmax', 'sigmoid'\]"),
        ({"output": "identity"}, "loss='cross_entropy' does not fit output='identity'"),
        ({"early_stopping": {"patient": 3}}, r"early_stopping has no \['patient'\]: choose from \['patience', 'min"),
        ({"early_stopping": {"min_delta": 0.1}}, "early_stopping needs 'patience'"),
        ({"early_stopping": {}}, "early_stopping needs 'patience'"),
    ],
    ids=str,
)
def test_parameters_that_do_not_go_together(parameters, message, ex4):
    with pytest.raises(ValueError, match=message):
        BPClassifier(**parameters).fit(*ex4)


@pytest.mark.parametrize(
    "x, y, message",
    [
        ([[1.0], [2.0]], [0, 0], "at least 2 classes, but y holds one class: "),
        ([[1.0], [2.0]], [0.5, 1.5], "Unknown label type: continuous"),
        ([[1.0], [2.0]], [[0, 1], [1, 0]], "y should be a 1d array"),
        ([[1.0], [np.nan]], [0, 1], "Input X contains NaN"),
        ([[1.0], [np.inf]], [0, 1], "Input X contains infinity"),
        ([["a"], ["b"]], [0, 1], "could not convert string to float"),
        ([1.0, 2.0], [0, 1], "Expected 2D array, got 1D array"),
        ([[1.0], [2.0]], [0, 1, 1], "inconsistent numbers of samples"),
        (np.empty((0, 1)), [], "Found array with 0 sample"),
    ],
)
def test_data_that_no_classifier_takes(x, y, message):
    with pytest.raises(ValueError, match=message):
        BPClassifier().fit(x, y)


@pytest.mark.parametrize("what", ["predict", "predict_proba", "coefs_", "intercepts_"])
@pytest.mark.parametrize("after", ["nothing", "a fit that failed", "a partial_fit that failed"])
def test_what_is_not_fitted_knows_nothing(what, after, ex4):
    x, y = ex4
    model = BPClassifier()
    if after == "a fit that failed":
        with pytest.raises(ValueError, match="2 classes"):
            model.fit(x, np.zeros(80))
    if after == "a partial_fit that failed":
        with pytest.raises(ValueError, match="`y` has classes not in"):
            model.partial_fit(x, y, classes=[5, 6])
    assert not hasattr(model, "coefs_")
    with pytest.raises(NotFittedError, match="This BPClassifier instance is not fitted yet"):
        getattr(model, what)(x) if what.startswith("predict") else getattr(model, what)


def test_rows_of_other_columns(ex4):
    x, y = ex4
    with pytest.raises(ValueError, match="X has 1 features, but BPClassifier is expecting 2 features"):
        BPClassifier(epochs=1).fit(x, y).predict(x[:, :1])
