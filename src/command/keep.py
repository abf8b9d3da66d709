"""The fitted pipeline that the best jobs keep beside their scores."""

import numpy as np
from sklearn.pipeline import Pipeline

from src import config
from src.data import make_preprocessor
from src.evaluation.metrics import score
from src.models import make_model
from src.sweep.jobs import Job


def fitted_pipeline(job: Job) -> Pipeline:
    """Return the job's preprocessing and model fitted on all rows; it predicts class names."""
    data = job.dataset
    preprocessor = make_preprocessor(data, job.checked.data.scale, job.checked.data.missing)
    model = make_model(job.checked.model.name, config.model_parameters(job.checked))
    labels = np.array(data.class_names, dtype=object)[data.target].astype(str)
    weights = {} if data.sample_weight is None else {"model__sample_weight": data.sample_weight}
    pipeline = Pipeline([("preprocess", preprocessor), ("model", model)])
    pipeline.fit(data.features, labels, **weights)
    return pipeline


def fitted_scores(pipeline: Pipeline, job: Job) -> dict[str, float]:
    """Score the fitted pipeline on the very rows that it was fitted on, as ``fitted/METRIC``."""
    probabilities = pipeline.predict_proba(job.dataset.features)
    order = [list(pipeline.classes_).index(name) for name in job.dataset.class_names]
    found = score(job.dataset.target, probabilities[:, order])
    return {f"fitted/{name}": value for name, value in found.items()}
