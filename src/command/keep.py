"""The fitted pipeline that the best jobs keep beside their scores."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from src import config
from src.data import Dataset, make_preprocessor
from src.evaluation.metrics import score
from src.sweep.jobs import Job

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


def fitted_pipeline(job: Job) -> "Pipeline":
    """Return the job's preprocessing and model fitted on all rows; it predicts class names."""
    from sklearn.pipeline import Pipeline

    from src.models import make_model

    data = job.dataset
    preprocessor = make_preprocessor(data, job.checked.data.scale, job.checked.data.missing)
    model = make_model(job.checked.model.name, config.model_parameters(job.checked))
    labels = np.array(data.class_names, dtype=object)[data.target].astype(str)
    weights = {} if data.sample_weight is None else {"model__sample_weight": data.sample_weight}
    pipeline = Pipeline([("preprocess", preprocessor), ("model", model)])
    pipeline.fit(data.features, labels, **weights)
    return pipeline


def fitted_scores(pipeline: "Pipeline", job: Job) -> dict[str, float]:
    """Score the fitted pipeline on the very rows that it was fitted on, as ``fitted/METRIC``."""
    found = score(job.dataset.target, predicted(pipeline, job.dataset))
    return {f"fitted/{name}": value for name, value in found.items()}


def predicted(pipeline: "Pipeline", data: Dataset) -> NDArray[np.float64]:
    """Return the fitted pipeline's probabilities for rows, shape (n, C), the classes in the data's order."""
    order = [list(pipeline.classes_).index(name) for name in data.class_names]
    probabilities: NDArray[np.float64] = pipeline.predict_proba(data.features)[:, order]
    return probabilities
