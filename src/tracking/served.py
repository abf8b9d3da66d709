"""How a logged model answers: MLflow runs this file where the model is loaded or served ("models from code").

It stands alone: of this project only what the pipeline itself is made of (`src.models`, `src.network`) is there with
it.
"""

from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from src.models.kept import answer, read_pipeline


class Classifier(PythonModel):
    """A fitted pipeline that answers with the predicted class and each class's probability, by name."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the pipeline; raises skops' UntrustedTypesFoundException for a file that holds anything else."""
        self.pipeline = read_pipeline(context.artifacts["pipeline"], context.model_config.get("allow", ()))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return a table: ``predicted``, and ``probability CLASS`` for each class, a row for each row given."""
        return answer(self.pipeline, model_input, context.model_config["class_names"])


mlflow.models.set_model(Classifier())
