"""The named data sets, against facts that do not come from this project's code."""

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn import datasets

from src import data
from src.data import NAMES, DataError, load

EX4 = Path(data.__file__).parent / "tables" / "ex4.csv"


def test_ex4_figures_are_the_originals():
    # The digest of the table as it was read from public copies of ex4x.dat and ex4y.dat.
    content = EX4.read_bytes().replace(b"\r\n", b"\n")
    assert hashlib.sha256(content).hexdigest() == "24e53613fb0172a9ccdaaff396b2bdd911b2e72a30e9cfd3112a9ead89894895"


def test_ex4_has_the_facts_of_its_provenance():
    ex4 = load("ex4")
    exam1, exam2 = ex4.features["exam1"], ex4.features["exam2"]
    assert ex4.feature_names == ("exam1", "exam2")
    assert ex4.class_names == ("0", "1")
    assert ex4.target_name == "admitted"
    assert ex4.sample_weight is None
    assert ex4.target.tolist() == [1] * 40 + [0] * 40
    assert (exam1.min(), exam1.max(), exam2.min(), exam2.max()) == (16, 61, 42, 86)
    assert not ((ex4.features * 2) % 1).to_numpy().any()
    points = Counter(zip(exam1, exam2, ex4.target, strict=True))
    assert [point for point, times in points.items() if times > 1] == [(46, 60.5, 1)]
    assert max(points.values()) == 2


def test_newtons_method_on_ex4_goes_the_published_way():
    # The course's exercise: logistic regression by Newton's method from θ = 0.
    ex4 = load("ex4")
    X = np.column_stack([np.ones(80), ex4.features.to_numpy()])
    y, theta, objectives = ex4.target, np.zeros(3), []
    for _ in range(8):
        z = X @ theta
        objectives.append(float(np.mean(np.logaddexp(0, z) - y * z)))
        h = 1 / (1 + np.exp(-z))
        theta = theta - np.linalg.solve((X.T * (h * (1 - h))) @ X, X.T @ (h - y))
    assert objectives[:6] == pytest.approx(
        [
            0.6931471805599453,
            0.4409414251174191,
            0.40889169253305674,
            0.40551077605901753,
            0.4054474539166042,
            0.4054474249282527,
        ],
        rel=1e-12,
    )
    assert theta == pytest.approx([-16.37874341, 0.14834077, 0.15890845], abs=5e-9)
    assert int(np.sum((X @ theta > 0) == y)) == 65
    assert 1 - 1 / (1 + np.exp(-theta @ [1, 20, 80])) == pytest.approx(0.668021864022303, rel=1e-9)


def test_ex4_read_as_a_users_file_is_the_same_data():
    own, users = load("ex4"), load("csv", path=EX4)
    assert users.digest == own.digest
    assert users.name == "ex4"
    assert users.source == str(EX4.resolve())


# Rows, columns, class sizes, digest. The first three are those of scikit-learn's user guide (toy datasets). A digest is
# part of every job's identity: if one changes, recorded results no longer belong to the data set of that name.
FACTS = {
    "ex4": (80, 2, [40, 40], "5968da18b62d14a5dcefed9c3306a376cd9ddf0f420dc2629d52711619565dc2"),
    "iris": (150, 4, [50, 50, 50], "6c0d004c46280103cf00c68fb12b2e43fcb54f3f59cee676f8abb10943cf498d"),
    "wine": (178, 13, [59, 71, 48], "e46baac3c6b81e400b77adcf011798cc0fd8dd65f29efdefd0e23f4222c1b97a"),
    "breast_cancer": (569, 30, [212, 357], "cf04313e3aa9610b1eb704076aaa274c82bb7f1e25d2bc025dff5ae65f0bdf07"),
    "digits": (
        1797,
        64,
        [178, 182, 177, 183, 181, 182, 181, 179, 174, 180],
        "41cdd479161e052a94e5ed207818cb623b4015873cb55a080d13795bf4ae96d9",
    ),
}


@pytest.mark.parametrize("name", [name for name in NAMES if name != "csv"])
def test_shape_class_sizes_and_digest(name):
    rows, columns, class_sizes, digest = FACTS[name]
    dataset = load(name)
    assert dataset.name == name
    assert dataset.features.shape == (rows, columns)
    assert dataset.numeric_names == dataset.feature_names
    assert np.bincount(dataset.target).tolist() == class_sizes
    assert len(dataset.class_names) == len(class_sizes)
    assert dataset.digest == digest


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits"])
def test_values_and_names_are_scikit_learns(name):
    dataset, peer = load(name), getattr(datasets, f"load_{name}")()
    np.testing.assert_array_equal(dataset.features.to_numpy(), peer.data)
    np.testing.assert_array_equal(dataset.target, peer.target)
    assert dataset.feature_names == tuple(peer.feature_names)
    assert dataset.class_names == tuple(map(str, peer.target_names))
    assert dataset.source == "scikit-learn"


def test_a_misspelt_name_is_told_with_the_likely_one():
    with pytest.raises(DataError) as problem:
        load("brest_cancer")
    assert str(problem.value) == (
        f"data.name: 'brest_cancer' is not a data set. Did you mean 'breast_cancer'? ({', '.join(NAMES)})"
    )


def test_csv_without_a_path():
    with pytest.raises(DataError, match=r"^data\.path: data=csv needs the path of your file"):
        load("csv")
