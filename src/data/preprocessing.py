"""What is fitted on a fold's training part before a network sees the features: filling in, scaling, encoding."""

from typing import TYPE_CHECKING, Any, Literal

from src.data.dataset import Dataset

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

Scale = Literal["standard", "minmax", "none"]


def make_preprocessor(dataset: Dataset, scale: Scale, missing: Literal["refuse", "impute"]) -> "BaseEstimator":
    """An unfitted transformer from rows of `dataset.features` (n, columns) to a float64 array (n, inputs).

    Fit it on the training part of a fold only.

    - Numeric columns come first. 'impute' fills a missing value with the column's median. 'standard' subtracts the mean
      and divides by the standard deviation (ddof 0), 'minmax' maps the range to [0, 1], 'none' leaves values as they
      are; a constant column becomes 0 under both scalings.
    - Categorical columns follow, one-hot encoded: a 0/1 input for each category of the training part, in sorted order,
      unscaled. A category that the training part does not hold gives zeros. 'impute' fills a missing value with the
      most frequent category. So the number of inputs may differ between folds.

    `get_feature_names_out` of the fitted transformer names the inputs.
    """
    from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, StandardScaler  # late: 1.5 s

    scalers = {
        "standard": StandardScaler(),
        "minmax": MinMaxScaler(),
        "none": FunctionTransformer(validate=True, feature_names_out="one-to-one"),  # makes an array, as they do
    }
    numeric = _pipeline(missing, "median", scalers[scale])
    if not dataset.categorical_names:
        return numeric  # a ColumnTransformer costs several times as much
    categorical = _pipeline(missing, "most_frequent", OneHotEncoder(handle_unknown="ignore", sparse_output=False))
    if not dataset.numeric_names:
        return categorical
    from sklearn.compose import ColumnTransformer

    return ColumnTransformer(
        [
            ("numeric", numeric, list(dataset.numeric_names)),
            ("categorical", categorical, list(dataset.categorical_names)),
        ],
        verbose_feature_names_out=False,
    )


def _pipeline(missing: str, strategy: str, last: Any) -> Any:
    """The last step, after an imputer when values may be missing.

    A column without any value in a training part is kept, filled with 0, so that it cannot change the inputs' number.
    """
    if missing != "impute":
        return last
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline

    return make_pipeline(SimpleImputer(strategy=strategy, keep_empty_features=True), last)
