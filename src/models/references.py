"""Estimators by the name of their `model` choice, the scikit-learn references among them."""

import importlib
import inspect
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone, is_classifier
from sklearn.linear_model import LogisticRegression
from sklearn.utils import all_estimators, compute_sample_weight
from sklearn.utils.validation import _check_sample_weight, has_fit_parameter

from src.errors import UserError
from src.models.classifier import BPClassifier
from src.models.constraints import CONSTRAINTS
from src.models.rows import NETWORKS
from src.words import did_you_mean, near


class ModelError(UserError):
    """A model that cannot be made as it was asked for."""


def make_model(name: str, parameters: Mapping[str, Any], *, weighted: bool = False) -> BaseEstimator:
    """Return an estimator, not fitted, for a `model` choice.

    Parameters
    ----------
    name : bp, logistic or softmax (networks of the engine), sklearn_logistic, or sklearn.
    parameters : keyword arguments by their YAML names (`src.config.model_parameters`).
    weighted : whether it will be fitted on rows with weights.

    Raises
    ------
    ModelError : for a class that is of neither scikit-learn nor a module that ``allow`` names, does not exist, is no
        classifier, refuses its parameters or takes no weights where it must.
    """
    if name in NETWORKS:
        own = {key: value for key, value in parameters.items() if key not in ("seed", "check_gradient")}
        return BPClassifier(**own, random_state=parameters.get("seed", 0))
    if name == "sklearn_logistic":
        return ConvergedLogistic(parameters["l2"], parameters["class_weight"])
    estimator, given = parameters["estimator"], parameters.get("params") or {}
    made = _made(estimator, given, parameters.get("seed", 0), parameters.get("allow", ()))
    if not is_classifier(made):
        raise ModelError(f"model.estimator: {estimator!r} is not a classifier.")
    if not hasattr(made, "predict_proba"):
        remedy = "Calibrate it, as model=svm does, or choose" if hasattr(made, "decision_function") else "Choose"
        raise ModelError(
            f"model.estimator: {estimator!r} gives no probabilities (predict_proba), which the scores need. "
            f"{remedy} another classifier."
        )
    if weighted and not has_fit_parameter(made, "sample_weight"):
        raise ModelError(
            f"model.estimator: {estimator!r} takes no weights of rows, and data.weights gives them. "
            "Choose another classifier, or set data.weights=null."
        )
    parts = [made, *(part for part in made.get_params().values() if isinstance(part, BaseEstimator))]
    return made if all(type(part).__module__.startswith("sklearn.") for part in parts) else CodedClassifier(made)


class CodedClassifier(ClassifierMixin, BaseEstimator):
    """A classifier that is told the classes as codes 0, 1, ...: not all take labels of text, or codes with gaps.

    Parameters
    ----------
    estimator : the classifier, whose clone is fitted.

    Attributes
    ----------
    classes_ : labels, in the order of the codes.
    estimator_ : the fitted clone.
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit on rows X ``(samples, features)`` with labels y ``(samples,)`` and, if given, weights ``(samples,)``."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.estimator_ = clone(self.estimator).fit(X, codes, **weights)
        return self

    def predict_proba(self, X: Any) -> Any:
        """Return the classes' probabilities, shape ``(samples, classes)``."""
        return self.estimator_.predict_proba(X)

    def predict(self, X: Any) -> Any:
        """Return the most probable class of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class ConvergedLogistic(LogisticRegression):
    """scikit-learn's LogisticRegression with the objective of this project, solved to convergence.

    For two classes it is the logistic model, for more the multinomial (softmax) one. It minimizes
    C sum w_i loss_i + (1/2) sum W^2, and so J = (1/m) sum w_i loss_i + (lambda/2) sum W^2 if C = 1 / (lambda m), where
    m is the sum of the rows' weights, class weights among them: `fit` sets C so.

    Parameters
    ----------
    l2 : lambda; 0 is no penalty.
    class_weight : None, 'balanced', or a mapping from class labels.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        name: CONSTRAINTS[name] for name in ("l2", "class_weight")
    }

    def __init__(self, l2: float = 0.0, class_weight: Any = None) -> None:
        super().__init__(class_weight=class_weight, solver="newton-cg", tol=1e-10, max_iter=1000)
        self.l2 = l2

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit on rows X ``(samples, features)`` with labels y ``(samples,)`` and, if given, weights ``(samples,)``."""
        weight = _check_sample_weight(sample_weight, X)
        if isinstance(self.class_weight, Mapping):
            weight = weight * compute_sample_weight(dict(self.class_weight), y)  # 'balanced' leaves the sum as it is
        self.C = np.inf if self.l2 == 0 else 1 / (self.l2 * weight.sum())
        fitted: Self = super().fit(X, y, sample_weight)
        return fitted


def _made(estimator: str, params: Mapping[str, Any], seed: int, allow: Collection[str]) -> BaseEstimator:
    """Return an estimator with its parameters, estimators among them, and `seed` where a random state is not given."""
    kind = _class_of(estimator, allow)
    _check_names(estimator, kind, params)
    chosen = {name: _parameter(value, seed, allow) for name, value in params.items()}
    try:
        made = kind(**chosen)
        if "random_state" not in params and "random_state" in made.get_params(deep=False):
            made.set_params(random_state=seed)
        if hasattr(kind, "_parameter_constraints"):
            made._validate_params()
    except Exception as error:
        raise ModelError(f"model.params: {estimator} refuses them: {_line(error)}") from error
    return made


def _parameter(value: Any, seed: int, allow: Collection[str]) -> Any:
    """Return a parameter's value, with the estimator made of each ``{estimator: NAME, params: {...}}`` in it."""
    if isinstance(value, Mapping) and "estimator" in value and value.keys() <= {"estimator", "params"}:
        return _made(str(value["estimator"]), value.get("params") or {}, seed, allow)
    return [_parameter(item, seed, allow) for item in value] if isinstance(value, list) else value


def _class_of(estimator: str, allow: Collection[str]) -> type[BaseEstimator]:
    """Return the class with this full name; nothing is imported but modules of scikit-learn and those of `allow`."""
    module, _, name = estimator.rpartition(".")
    first = module.partition(".")[0]
    if first != "sklearn":
        if first not in allow:
            unless = f", unless model.allow=[{first}] lets the code of {first} be run" if first else ""
            raise ModelError(
                f"model.estimator: {estimator!r} is not a class of scikit-learn, and only those may be named, "
                f"such as sklearn.ensemble.RandomForestClassifier{unless}."
            )
        return _own_class(estimator, module, name)
    if "tests" in module.split("."):
        raise ModelError(f"model.estimator: {estimator!r} is of scikit-learn's tests, not a classifier.{_meant(name)}")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ModelError(f"model.estimator: {estimator!r} does not exist.{_meant(name)}") from error
    # Without constraints it is a base, or a mock.
    if not (isinstance(found, type) and issubclass(found, BaseEstimator) and hasattr(found, "_parameter_constraints")):
        raise ModelError(f"model.estimator: {estimator!r} is not a classifier.{_meant(name)}")
    return found


def _own_class(estimator: str, module: str, name: str) -> type[BaseEstimator]:
    first = module.partition(".")[0]
    try:
        imported = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != first:
            raise ModelError(f"model.estimator: {module} cannot be imported: {_line(error)}") from error
        raise ModelError(
            f"model.estimator: there is no module {first!r} here. Install it (pip install {first}), or start the "
            f"command in the folder that holds {first}.py."
        ) from error
    except Exception as error:
        raise ModelError(
            f"model.estimator: {module} cannot be imported: {type(error).__name__}: {_line(error)}"
        ) from error
    found = getattr(imported, name, None)
    if found is None:
        raise ModelError(f"model.estimator: {module} has no {name!r}.{did_you_mean(name, vars(imported))}")
    if not (isinstance(found, type) and issubclass(found, BaseEstimator)):
        raise ModelError(
            f"model.estimator: {estimator!r} is not a classifier of scikit-learn's kind, a class derived from "
            "sklearn.base.ClassifierMixin and sklearn.base.BaseEstimator."
        )
    return found


def _check_names(estimator: str, kind: type[BaseEstimator], params: Mapping[str, Any]) -> None:
    takes = inspect.signature(kind).parameters
    if any(one.kind is one.VAR_KEYWORD for one in takes.values()):  # any name, for an engine that knows more of them
        return
    for name in params:
        if name not in takes:
            meant = did_you_mean(name, takes)
            raise ModelError(
                f"model.params.{name}: {estimator} has no such parameter.{meant} ({', '.join(sorted(takes))})"
            )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _meant(name: str) -> str:
    """Name the classifier of scikit-learn that is spelled most like this class name."""
    classifiers = {each: kind.__module__.split("._")[0] for each, kind in all_estimators(type_filter="classifier")}
    return "".join(f" Did you mean '{classifiers[each]}.{each}'?" for each in near(name, classifiers))
