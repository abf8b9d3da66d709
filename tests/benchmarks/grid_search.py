"""What the sweep is measured against too: scikit-learn's GridSearchCV over the same settings and folds.

One process, accuracy alone, no record: a search for each seed, as the folds are the seed's.

    python tests/benchmarks/grid_search.py RATES L2S SEEDS      # 0.1,0.3 0,1e-3 0,1
"""

import sys
import warnings

from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from src.data import load

FOLDS, EPOCHS = 5, 500


def search(data, rates, penalties, seed):
    x, y = data.features.to_numpy(), data.target
    network = MLPClassifier(
        (4,),
        activation="logistic",
        solver="sgd",
        momentum=0.0,
        nesterovs_momentum=False,
        batch_size=len(y) * (FOLDS - 1) // FOLDS,
        max_iter=EPOCHS,
        n_iter_no_change=EPOCHS + 1,
        random_state=seed,
    )
    found = GridSearchCV(
        make_pipeline(StandardScaler(), network),
        {"mlpclassifier__learning_rate_init": rates, "mlpclassifier__alpha": penalties},
        cv=StratifiedKFold(FOLDS, shuffle=True, random_state=seed),
    ).fit(x, y)
    return found.best_score_, found.best_params_


def main():
    rates, penalties, seeds = ([float(each) for each in text.split(",")] for text in sys.argv[1:])
    data = load("ex4")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not converged
        print(max((search(data, rates, penalties, int(seed)) for seed in seeds), key=lambda found: found[0]))


if __name__ == "__main__":
    main()
