"""What the sweep is measured against: the same study as Hydra, scikit-learn and MLflow are usually put together.

Hydra's basic launcher runs one job after the other; each job is a `cross_validate` over a pipeline with MLPClassifier
of the same settings, and one MLflow run by the fluent calls.

    python tests/benchmarks/usual_way.py -m learning_rate=0.1,0.3 seed=0,1
"""

import warnings

import hydra
import mlflow
import pandas as pd
from omegaconf import DictConfig, OmegaConf
from sklearn.model_selection import StratifiedKFold, cross_validate
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from src.data import load

SCORES = {"accuracy": "accuracy", "log_loss": "neg_log_loss", "macro_f1": "f1_macro", "roc_auc": "roc_auc"}


@hydra.main(version_base="1.3", config_path=".", config_name="usual_way")
def job(cfg: DictConfig) -> float:
    data = load("ex4")
    x, y = data.features.to_numpy(), data.target
    network = MLPClassifier(
        (4,),
        activation="logistic",
        solver="sgd",
        momentum=0.0,
        nesterovs_momentum=False,
        alpha=cfg.l2,
        batch_size=len(y) * (cfg.folds - 1) // cfg.folds,
        learning_rate_init=cfg.learning_rate,
        max_iter=cfg.epochs,
        n_iter_no_change=cfg.epochs + 1,
        random_state=cfg.seed,
    )
    folds = StratifiedKFold(cfg.folds, shuffle=True, random_state=cfg.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not converged
        scores = cross_validate(
            make_pipeline(StandardScaler(), network), x, y, cv=folds, scoring=SCORES, return_train_score=True
        )
    table = pd.DataFrame(scores)

    mlflow.set_experiment("usual")
    with mlflow.start_run():
        mlflow.log_params(OmegaConf.to_container(cfg))
        for column in table:
            mlflow.log_metric(f"{column}_mean", table[column].mean())
            mlflow.log_metric(f"{column}_std", table[column].std())
        mlflow.log_text(table.to_csv(), "fold_scores.csv")
        mlflow.log_text(OmegaConf.to_yaml(cfg), "config.yaml")
    return float(table["test_accuracy"].mean())


if __name__ == "__main__":
    job()
