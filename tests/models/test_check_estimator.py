"""scikit-learn's own checks of an estimator.

scikit-learn itself skips check_array_api_input, as arrays of other libraries are its users' experiment.
"""

from typing import Any

from sklearn.utils.estimator_checks import parametrize_with_checks

from src.models import BPClassifier

# Each choice once: the checks are of the interface, not of what is trained.
ESTIMATORS = [
    BPClassifier(epochs=100),
    BPClassifier(
        (5, 3), activation=["tanh", "relu"], output="tanh", loss="squared_error", optimizer="nesterov", epochs=60
    ),
    BPClassifier(
        (), output="sigmoid", optimizer="adam", learning_rate=0.03, batch_size=16, epochs=60, schedule="cosine",
        early_stopping={"patience": 30},
    ),
]  # fmt: skip


def expected_failures(estimator: BPClassifier) -> dict[str, str]:
    """Name the checks that cannot hold, and why: at most one, and of networks that draw rows at random alone."""
    if estimator.early_stopping is None and estimator.batch_size == "full":
        return {}
    reason = "a row given twice is drawn twice, to two batches or held out once, where a row of weight 2 is drawn once"
    return {"check_sample_weight_equivalence_on_dense_data": reason}


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)
