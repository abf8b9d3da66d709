"""`BPClassifier`: the engine behind scikit-learn's interface."""

import warnings
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import _check_partial_fit_first_call, check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
from threadpoolctl import ThreadpoolController

from src import network
from src.models.constraints import CONSTRAINTS, check_early_stopping, check_layers, check_loss, class_weight_by_code
from src.models.rows import Array, make_data, output_units, predict_probabilities
from src.network import Settings, Shape, State, Trained
from src.network.settings import ModelSettings, TrainingSettings, hyperparameters


# The parameters are the hyper-parameters as they are declared: the dataclass writes the explicit __init__ that
# scikit-learn asks of an estimator, which keeps its own equality (eq=False) and text (repr=False).
@dataclass(eq=False, repr=False, kw_only=True)
class BPClassifier(ClassifierMixin, BaseEstimator, TrainingSettings, ModelSettings):
    """A multi-layer perceptron trained by back-propagation, with the parameters of the YAML groups model and training.

    Parameters
    ----------
    hidden_layer_sizes : units of each hidden layer; () is no hidden layer.
    activation : of all hidden layers, or a list with one for each.
    output, loss : softmax with cross_entropy, and so on; see `src.network.outputs`.
    init, init_scale, bias_init : initial weights and biases; see `src.network.initializers`.
    dtype : float64 or float32.
    optimizer, learning_rate, momentum, beta1, beta2, rho, epsilon : see `src.network.optimizers`.
    l2 : lambda in J = (1/m) sum loss_i + (lambda/2) sum W^2 (derivation 3); biases are not penalized.
    batch_size : rows in an update, or 'full'.
    epochs : passes over the training rows.
    schedule, decay, decay_every, power, min_learning_rate, warmup, plateau_patience : see `src.network.schedules`.
    early_stopping : None, or a dict of patience (epochs without improvement; None is off), min_delta (0 if absent) and
        validation_fraction (0.1 if absent) of the training rows, which are held out, each class in proportion.
    class_weight : None, 'balanced', or a dict from class labels to positive weights; 1 for a label that is absent.
    clip_norm : largest norm of the gradient, or None.
    random_state : the seed everything random is derived from, an integer: the same network comes again.
    warm_start : whether `fit` trains the network of the previous fit on, for so many epochs more. A network that has
        diverged is begun anew.

    Attributes
    ----------
    classes_ : class labels, shape ``(C,)``.
    coefs_, intercepts_ : per layer, shapes ``(units_in, units_out)`` and ``(units_out,)``, as scikit-learn has them.
    n_iter_ : epochs of the last fit; n_epochs_, n_steps_ : epochs and updates since the network began.
    loss_curve_, validation_loss_curve_ : data loss after each of these epochs, shape ``(n_epochs_,)``; NaN where no
        rows were held out.
    loss_ : the last of loss_curve_.
    best_epoch_ : the one of these epochs whose weights early stopping kept, or None.
    diverged_epoch_ : the one in which a number stopped being finite, or None; weights and probabilities are then NaN.
    parameters_, shape_, memory_, trained_by_ : what the engine predicts and goes on from; see `src.network.State`.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS

    early_stopping: Any = None
    class_weight: Any = None
    random_state: int = 0
    warm_start: bool = False

    classes_: npt.NDArray[Any] = field(init=False)
    loss_curve_: Array = field(init=False)
    validation_loss_curve_: Array = field(init=False)
    diverged_epoch_: int | None = field(init=False)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on rows X ``(samples, features)`` with labels y ``(samples,)`` and, if given, weights ``(samples,)``.

        Raises ValueError for a parameter or data that scikit-learn would refuse too, and for fewer than two classes.
        """
        continues = self.warm_start and hasattr(self, "parameters_") and self.diverged_epoch_ is None
        X, y, sample_weight = self._validated(X, y, sample_weight, reset=not continues)
        classes = np.unique(y)
        if len(classes) < 2:
            raise ValueError(f"{type(self).__name__} needs at least 2 classes, but y holds one class: {classes[0]!r}")
        if continues and not np.array_equal(classes, self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.classes_}, `y` has {classes}"
            )
        self.classes_ = classes
        self._train(X, y, sample_weight, self._state() if continues else None, self.epochs, self.early_stopping)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train one epoch more, on these rows; the first call needs all `classes`.

        Calls on the same rows are the epochs of one `fit` on them. All rows given train: early stopping, which could
        not end one epoch sooner, holds none out.

        Raises ValueError as `fit`, and for a label that is not among the classes.
        """
        begun = hasattr(self, "parameters_")
        _check_partial_fit_first_call(self, classes)
        X, y, sample_weight = self._validated(X, y, sample_weight, reset=not begun)
        if len(self.classes_) < 2:
            raise ValueError(f"{type(self).__name__} needs at least 2 classes, got one class: {self.classes_[0]!r}")
        labels = np.unique(y)
        if len(np.setdiff1d(labels, self.classes_)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {labels}."
            )
        self._train(X, y, sample_weight, self._state() if begun else None, epochs=1, early_stopping=None)
        return self

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, shape ``(samples, C)``, columns in the order of `classes_`."""
        check_is_fitted(self, "parameters_")
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return predict_probabilities(self._shape(), self.parameters_, X)

    def predict(self, X: Any) -> Any:
        """Return the most probable class of each row, shape ``(samples,)``.

        Raises ValueError if the network has diverged: whatever class it named could pass for a result.
        """
        p = self.predict_proba(X)
        if self.diverged_epoch_ is not None:
            raise ValueError(f"this {type(self).__name__} diverged in epoch {self.diverged_epoch_}: it knows no class")
        return self.classes_[np.argmax(p, axis=1)]

    @property
    def coefs_(self) -> list[Array]:
        """Weights of each layer, shape ``(units_in, units_out)``."""
        return [matrix[:, :-1].T for matrix in self._matrices()]

    @property
    def intercepts_(self) -> list[Array]:
        """Biases of each layer, shape ``(units_out,)``."""
        return [matrix[:, -1] for matrix in self._matrices()]

    def _matrices(self) -> list[Array]:
        """Return [W b] of each layer, shape ``(units_out, units_in + 1)``."""
        check_is_fitted(self, "parameters_")
        return [matrix[0] for matrix in self._shape().matrices(self.parameters_[None])]

    def _validated(self, X: Any, y: Any, sample_weight: Any, reset: bool) -> tuple[Array, Any, Array | None]:
        self._validate_params()
        check_layers(self.hidden_layer_sizes, self.activation)
        check_loss(self.output, self.loss)
        check_early_stopping(self.early_stopping)
        if len(self.hidden_layer_sizes) > 0 and self.init == self.bias_init == "zeros":
            warnings.warn(
                "init='zeros' leaves all hidden units of a layer alike: they get the same gradient", stacklevel=3
            )
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32], reset=reset)
        check_classification_targets(y)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        return X, y, sample_weight

    def _train(
        self, X: Array, y: Any, sample_weight: Array | None, start: State | None, epochs: int, early_stopping: Any
    ) -> None:
        """Train for so many epochs from `start`, or a new network."""
        if sample_weight is not None:
            counts = sample_weight > 0  # a row of weight 0 is a row that is not there
            X, y, sample_weight = X[counts], y[counts], sample_weight[counts]
        class_weight = class_weight_by_code(self.class_weight, self.classes_.tolist())
        own = {name: getattr(self, name) for name in hyperparameters(ModelSettings) | hyperparameters(TrainingSettings)}
        settings = Settings(**own, **(early_stopping or {}), seed=int(self.random_state))
        codes = np.searchsorted(self.classes_, y)
        data = make_data(settings, len(self.classes_), X, codes, weight=sample_weight, class_weight=class_weight)
        with _thread_pools().limit(limits=1, user_api="blas"):  # more threads only wait for each other
            (trained,) = network.train(
                [settings], [data], curve_epochs=range(1, epochs + 1), start=[start], epochs=epochs
            )
        self._set_fitted(trained, start)
        if trained.diverged_epoch is not None:
            warnings.warn(
                f"training diverged in epoch {trained.diverged_epoch}: try a smaller learning_rate than "
                f"{self.learning_rate}, or clip_norm",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _set_fitted(self, trained: Trained, start: State | None) -> None:
        """Take over what was trained, as arrays and plain numbers."""
        before = 0 if start is None else start.epochs
        nothing = np.empty(0)
        self.loss_curve_ = np.append(self.loss_curve_ if before else nothing, trained.curve.train_loss)
        self.validation_loss_curve_ = np.append(
            self.validation_loss_curve_ if before else nothing, trained.curve.validation_loss
        )
        self.loss_ = float(self.loss_curve_[-1])
        self.shape_ = asdict(trained.shape)
        self.parameters_ = trained.parameters
        self.n_iter_ = trained.epochs
        self.n_epochs_ = trained.state.epochs
        self.n_steps_ = trained.state.steps
        self.best_epoch_ = None if trained.best_epoch is None else before + trained.best_epoch
        self.diverged_epoch_ = None if trained.diverged_epoch is None else before + trained.diverged_epoch
        self.memory_ = dict(trained.state.memory)
        self.trained_by_ = (self.optimizer, self.schedule)

    def _state(self) -> State:
        """Return where training stands; another optimizer or schedule than before has nothing to remember."""
        layers = self._shape().layer_sizes
        wanted = (layers[0], *self.hidden_layer_sizes, output_units(len(self.classes_), self.output))
        if wanted != layers:
            raise ValueError(f"the network that was fitted has layers of {layers} units, and cannot go on as {wanted}")
        if self.trained_by_ != (self.optimizer, self.schedule):
            return State(self.parameters_, self.n_epochs_)
        return State(self.parameters_, self.n_epochs_, self.n_steps_, self.memory_)

    def _shape(self) -> Shape:
        return Shape(**self.shape_)


@cache
def _thread_pools() -> ThreadpoolController:
    """Return the libraries with threads of their own: finding them takes longer than a `partial_fit`."""
    return ThreadpoolController()
