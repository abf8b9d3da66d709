import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import (
    GroupKFold,
    LeaveOneGroupOut,
    LeaveOneOut,
    PredefinedSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
)

from src.errors import UserError
from src.evaluation.folds import Fold, folds_digest, given_folds, make_folds


@st.composite
def targets(draw: st.DrawFn, rarest: int = 5) -> np.ndarray:
    """Shuffled class codes with at least `rarest` rows of every class."""
    counts = draw(st.lists(st.integers(rarest, 30), min_size=2, max_size=4))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    return rng.permutation(np.repeat(np.arange(len(counts)), counts))


@given(targets(), st.integers(2, 5), st.integers(1, 3), st.booleans(), st.integers(0, 2**40))
def test_every_repeat_tests_every_row_once_and_trains_on_the_others(target, folds, repeats, stratified, seed) -> None:
    made = make_folds(target, folds=folds, repeats=repeats, stratified=stratified, seed=seed)
    rows = np.arange(len(target))
    assert [(fold.repeat, fold.fold) for fold in made] == [(r, k) for r in range(repeats) for k in range(folds)]
    for repeat in range(repeats):
        tested = np.concatenate([fold.test for fold in made if fold.repeat == repeat])
        np.testing.assert_array_equal(np.sort(tested), rows)
    for fold in made:
        np.testing.assert_array_equal(fold.train, np.setdiff1d(rows, fold.test))
        np.testing.assert_array_equal(fold.test, np.unique(fold.test))


@given(targets(), st.integers(2, 5), st.integers(0, 100))
def test_stratified_folds_share_out_every_class_evenly(target, folds, seed) -> None:
    made = make_folds(target, folds=folds, seed=seed)
    counts = np.array([np.bincount(target[fold.test], minlength=target.max() + 1) for fold in made])
    assert (np.ptp(counts, axis=0) <= 1).all()


def test_same_arguments_give_the_same_folds_and_a_new_seed_or_repeat_gives_others() -> None:
    target = np.arange(40) % 2
    digest = folds_digest(make_folds(target, folds=5, repeats=2, seed=3))
    assert digest == folds_digest(make_folds(target.copy(), folds=5, repeats=2, seed=3))
    assert digest != folds_digest(make_folds(target, folds=5, repeats=2, seed=4))
    first, second = (
        [fold.test.tolist() for fold in make_folds(target, folds=5, repeats=2, seed=3) if fold.repeat == repeat]
        for repeat in (0, 1)
    )
    assert first != second


def test_more_repeats_leave_the_first_ones_as_they_were() -> None:
    target = np.arange(30) % 3
    assert folds_digest(make_folds(target, folds=5, repeats=4)[:5]) == folds_digest(make_folds(target, folds=5))


def test_digest_sees_every_index_and_the_border_between_the_parts() -> None:
    def digest(train: list[int], test: list[int], fold: int = 0) -> str:
        return folds_digest([Fold(0, fold, np.array(train), np.array(test))])

    digests = [digest([0, 1], [2]), digest([0], [1, 2]), digest([0, 2], [1]), digest([0, 1], [2], fold=1)]
    assert len(set(digests)) == len(digests)
    assert folds_digest([Fold(0, 0, np.array([0, 1], np.int32), np.array([2], np.int32))]) == digests[0]


def test_more_folds_than_rows_of_the_rarest_class_are_refused_with_its_name() -> None:
    target = np.array([0] * 20 + [1] * 3 + [2] * 9)
    with pytest.raises(UserError, match=r"cv\.folds: 5 stratified folds .* class 1 has 3; use cv\.folds=3 or fewer"):
        make_folds(target, folds=5)
    with pytest.raises(UserError, match="class 'oak' has 3"):
        make_folds(target, folds=5, class_names=("ash", "oak", "yew"))
    assert len(make_folds(target, folds=3)) == 3
    assert len(make_folds(target, folds=5, stratified=False)) == 5


def test_one_row_of_a_class_is_not_answered_with_one_fold() -> None:
    with pytest.raises(UserError, match=r"class 1 has 1; use more rows of it, or cv\.stratified=false"):
        make_folds(np.array([0, 0, 0, 1]), folds=2)


@pytest.mark.parametrize("stratified", [True, False])
def test_more_folds_than_rows_are_refused(stratified: bool) -> None:
    with pytest.raises(UserError, match=r"cv\.folds: 7 folds are more than the 6 rows"):
        make_folds(np.arange(6) % 2, folds=7, stratified=stratified)


@given(targets(rarest=10), st.booleans(), st.integers(0, 100))
def test_inner_folds_split_the_outer_training_part_and_nothing_else(target, stratified, seed) -> None:
    for outer in make_folds(target, folds=3, stratified=True, seed=seed):
        inner = make_folds(target, inside=outer, folds=4, stratified=stratified, seed=seed)
        np.testing.assert_array_equal(np.sort(np.concatenate([fold.test for fold in inner])), outer.train)
        for fold in inner:
            np.testing.assert_array_equal(fold.train, np.setdiff1d(outer.train, fold.test))
            assert not np.intersect1d(np.concatenate([fold.train, fold.test]), outer.test).size


def test_inner_folds_are_reproducible_and_differ_between_outer_folds_of_the_same_rows() -> None:
    target = np.arange(40) % 2
    rows = np.arange(30)
    outer = [Fold(repeat, fold, rows, np.arange(30, 40)) for repeat in (0, 1) for fold in (0, 1)]
    digests = [folds_digest(make_folds(target, inside=fold, folds=3, seed=1)) for fold in outer]
    assert digests == [folds_digest(make_folds(target, inside=fold, folds=3, seed=1)) for fold in outer]
    assert len(set(digests)) == 4


def test_too_many_inner_folds_are_refused_by_their_own_key() -> None:
    target = np.array([0] * 20 + [1] * 6)
    outer = make_folds(target, folds=3)[0]  # leaves 4 rows of class 1 to train on
    with pytest.raises(UserError, match=r"cv\.inner_folds: 5 stratified folds .* class 1 has 4; use cv\.inner_folds=4"):
        make_folds(target, inside=outer, folds=5)


@st.composite
def groups_and_targets(draw: st.DrawFn, pure: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Shuffled rows of 3 to 12 groups: each group holds every class, or (pure) one class alone."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    classes = draw(st.integers(2, 3))
    sizes = draw(st.lists(st.integers(0 if not pure else 1, 15), min_size=3, max_size=12))
    of_groups = [
        np.full(size, rng.integers(classes))
        if pure
        else np.append(np.arange(classes), rng.integers(classes, size=size))
        for size in sizes
    ]
    groups = np.repeat(np.arange(len(sizes)), [len(codes) for codes in of_groups])
    order = rng.permutation(len(groups))
    return groups[order], np.concatenate(of_groups)[order]


def pairs(folds: tuple[Fold, ...]) -> list[tuple[list[int], list[int]]]:
    return [(fold.train.tolist(), fold.test.tolist()) for fold in folds]


def lists(splits) -> list[tuple[list[int], list[int]]]:
    """What a splitter of scikit-learn yields, in a form that can be compared."""
    return [(train.tolist(), test.tolist()) for train, test in splits]


def state_of(seed: int) -> int:
    """The random state of the first repeat."""
    return int(np.random.SeedSequence(seed, spawn_key=(*b"folds", 0)).generate_state(1)[0])


@given(groups_and_targets(), st.data(), st.booleans(), st.integers(0, 100))
def test_no_group_stands_on_both_sides_of_a_split(rows, data, stratified, seed) -> None:
    groups, target = rows
    count = len(np.unique(groups))
    folds = data.draw(st.integers(2, count))
    repeats = 1 if folds == count else data.draw(st.integers(1, 2))
    made = make_folds(target, folds=folds, repeats=repeats, stratified=stratified, seed=seed, groups=groups)
    assert [(fold.repeat, fold.fold) for fold in made] == [(r, k) for r in range(repeats) for k in range(folds)]
    for fold in made:
        assert fold.test.size
        assert not np.intersect1d(groups[fold.train], groups[fold.test]).size
        np.testing.assert_array_equal(fold.train, np.setdiff1d(np.arange(len(target)), fold.test))
        np.testing.assert_array_equal(fold.test, np.unique(fold.test))
    for repeat in range(repeats):
        tested = np.concatenate([fold.test for fold in made if fold.repeat == repeat])
        np.testing.assert_array_equal(np.sort(tested), np.arange(len(target)))


@given(groups_and_targets(pure=True), st.data(), st.booleans(), st.integers(0, 100))
def test_groups_of_one_class_leave_two_to_train_on_or_are_refused(rows, data, stratified, seed) -> None:
    groups, target = rows
    folds = data.draw(st.integers(2, len(np.unique(groups))))
    try:
        made = make_folds(target, folds=folds, stratified=stratified, seed=seed, groups=groups)
    except UserError:
        return
    assert all(len(np.unique(target[fold.train])) > 1 and fold.test.size for fold in made)


@given(groups_and_targets(), st.data(), st.booleans(), st.integers(0, 100))
def test_inner_folds_keep_groups_together_too(rows, data, stratified, seed) -> None:
    groups, target = rows
    common = {"stratified": stratified, "seed": seed, "groups": groups}
    for outer in make_folds(target, folds=3, **common):
        count = len(np.unique(groups[outer.train]))
        if count < 2:
            continue
        folds = data.draw(st.integers(2, count))
        inner = make_folds(target, inside=outer, folds=folds, **common)
        np.testing.assert_array_equal(np.sort(np.concatenate([fold.test for fold in inner])), outer.train)
        for fold in inner:
            np.testing.assert_array_equal(fold.train, np.setdiff1d(outer.train, fold.test))
            assert not np.intersect1d(groups[fold.train], groups[fold.test]).size


def people(of_each_class: int = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Groups of 1 to 9 rows, each of one class: half of the groups of either."""
    sizes = np.random.default_rng(seed).integers(1, 10, size=2 * of_each_class)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    return groups, groups % 2


def test_stratified_group_folds_have_about_the_proportions_of_the_whole() -> None:
    groups, target = people()
    made = make_folds(target, folds=5, repeats=4, groups=groups)
    shares = [target[fold.test].mean() for fold in made]
    assert np.ptp(shares) < 0.1  # where GroupKFold's differ by 0.3
    plain = make_folds(target, folds=5, repeats=4, groups=groups, stratified=False)
    assert np.ptp([target[fold.test].mean() for fold in plain]) > 0.3


@pytest.mark.parametrize("stratified, splitter", [(True, StratifiedGroupKFold), (False, GroupKFold)])
def test_group_folds_are_scikit_learns(stratified: bool, splitter: type) -> None:
    groups, target = people()
    made = [pairs(make_folds(target, folds=5, groups=groups, stratified=stratified, seed=seed)) for seed in (0, 1)]
    for seed in (0, 1):
        expected = splitter(5, shuffle=True, random_state=state_of(seed)).split(target, target, groups)
        assert made[seed] == lists(expected)
    assert made[0] != made[1]


@pytest.mark.parametrize(
    "folds, sizes, classes",
    [
        (6, [5, 6, 6, 7, 6, 1, 8], [1, 1, 0, 0, 0, 1, 0]),
        (6, [2, 4, 7, 8, 4, 6, 2], [0, 0, 1, 1, 1, 2, 0]),
        (9, [5, 8, 6, 3, 8, 3, 5, 4, 4, 7], [0, 1, 1, 1, 0, 1, 0, 1, 0, 1]),
    ],
)
def test_no_test_part_is_empty_where_stratified_group_k_fold_leaves_one_empty(folds, sizes, classes) -> None:
    """It does so (as measured; elsewhere numbers may be rounded otherwise) where two places are equally good."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    assert all(fold.test.size for fold in make_folds(np.array(classes)[groups], folds=folds, groups=groups))


@given(targets(rarest=2), st.booleans(), st.integers(0, 100))
def test_as_many_folds_as_rows_are_leave_one_out(target, stratified, seed) -> None:
    made = make_folds(target, folds=len(target), stratified=stratified, seed=seed)
    assert pairs(made) == lists(LeaveOneOut().split(target))
    assert [fold.test.tolist() for fold in made] == [[row] for row in range(len(target))]


@given(groups_and_targets(), st.booleans(), st.integers(0, 100))
def test_as_many_folds_as_groups_are_leave_one_group_out(rows, stratified, seed) -> None:
    groups, target = rows
    made = make_folds(target, folds=len(np.unique(groups)), stratified=stratified, seed=seed, groups=groups)
    assert pairs(made) == lists(LeaveOneGroupOut().split(target, target, groups))


@pytest.mark.parametrize(
    "groups, told",
    [
        (None, r"cv\.repeats: 2 repeats of leave-one-out \(cv\.folds=8 for 8 rows\) would all be the same"),
        (np.arange(8) // 2, r"cv\.repeats: 2 repeats of leave-one-group-out \(cv\.folds=4 for 4 groups\)"),
    ],
)
def test_leaving_one_out_is_not_repeated(groups, told) -> None:
    folds = 8 if groups is None else 4
    with pytest.raises(UserError, match=told + ".*; use cv.repeats=1, or fewer folds"):
        make_folds(np.arange(8) % 2, folds=folds, repeats=2, groups=groups)


def test_leaving_out_the_only_row_of_one_of_two_classes_is_refused() -> None:
    names = ("no", "yes")
    with pytest.raises(UserError, match=r"cv\.folds: with 4 folds one training part holds nothing but class 'no', as"):
        make_folds(np.array([0, 0, 0, 1]), folds=4, class_names=names)
    assert len(make_folds(np.array([0, 0, 2, 1]), folds=4)) == 4
    groups = np.array([0, 0, 1, 1, 2, 2])
    with pytest.raises(UserError, match="as all groups with other classes are tested together; use more folds, or mo"):
        make_folds(np.array([0, 0, 1, 1, 0, 0]), folds=3, class_names=names, groups=groups)


def test_more_folds_than_groups_are_refused_with_the_columns_name() -> None:
    target, groups = np.arange(30) % 2, np.arange(30) // 2 % 3
    common = {"groups": groups, "groups_name": "patient"}
    told = r"cv\.folds: 5 folds need 5 groups, data\.groups 'patient' has 3; use cv\.folds=3 or fewer\."
    with pytest.raises(UserError, match=told):
        make_folds(target, folds=5, **common)
    outer = make_folds(target, folds=3, **common)[0]
    told = r"cv\.inner_folds: 3 folds need 3 groups, data\.groups 'patient' has 2 in a training part; use cv\.inner_fo"
    with pytest.raises(UserError, match=told):
        make_folds(target, inside=outer, folds=3, **common)
    outer = Fold(0, 0, np.flatnonzero(groups == 1), np.flatnonzero(groups != 1))
    with pytest.raises(UserError, match="has 1 in a training part; use more groups"):
        make_folds(target, inside=outer, folds=2, **common)


def test_given_folds_are_tested_in_the_order_of_their_codes() -> None:
    codes = np.array([2, 0, 1, 0, 2, 2])
    made = given_folds(codes)
    assert [fold.test.tolist() for fold in made] == [[1, 3], [2], [0, 4, 5]]
    assert pairs(made) == lists(PredefinedSplit(codes).split())
    assert [(fold.repeat, fold.fold) for fold in made] == [(0, 0), (0, 1), (0, 2)]


@given(targets(), st.integers(2, 5), st.integers(0, 2**40))
def test_stratified_folds_are_those_of_scikit_learn(target, folds, seed) -> None:
    expected = StratifiedKFold(folds, shuffle=True, random_state=state_of(seed)).split(target, target)
    assert pairs(make_folds(target, folds=folds, seed=seed)) == lists(expected)
