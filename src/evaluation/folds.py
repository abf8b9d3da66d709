"""Which rows train and which rows test: repeated K-fold, given folds, and the folds inside a training part."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from src.evaluation.errors import EvaluationError

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Fold:
    """One split of the rows into a training and a test part.

    Attributes
    ----------
    repeat, fold : position, both from 0: which repetition, and which fold of it.
    train, test : row indices of the whole data set, ascending.
    """

    repeat: int
    fold: int
    train: IntArray
    test: IntArray


def make_folds(
    target: IntArray,
    *,
    folds: int,
    repeats: int = 1,
    stratified: bool = True,
    seed: int = 0,
    class_names: Sequence[str] | None = None,
    groups: IntArray | None = None,
    groups_name: str | None = None,
    inside: Fold | None = None,
) -> tuple[Fold, ...]:
    """Split the rows by repeated (stratified) (group) K-fold cross-validation, or the training part of a fold again.

    As many folds as rows are leave-one-out: fold i tests row i. As many folds as groups are leave-one-group-out, in the
    order of the groups' codes.

    There are ``folds * repeats`` of them, repeat by repeat; row indices are those of the whole data set. Nothing but
    the arguments decides the split, so every model of the same data and seed gets the same folds. Each
    repeat has a seed of its own: the first repeats do not change when more are asked for.

    Parameters
    ----------
    target : class codes of the whole data set, shape (rows,).
    folds, repeats : K, and how often the K-fold split is drawn anew.
    stratified : whether every fold holds the classes in the proportions of the whole, as far as groups allow. Leaving
        one out leaves no choice.
    class_names : the classes' names by code, for the message only.
    groups : codes of the groups, shape (rows,): the rows of a group are tested together. None if each row is by itself.
    groups_name : the name of the column that holds the groups, for the message only.
    inside : the outer fold whose training part alone is split, once, for nested cross-validation; its test rows are in
        no fold.

    Raises EvaluationError if there are more folds than rows or groups, or (stratified) than rows of the rarest class;
    if leaving one out is to be repeated; if leaving one out, or a group, leaves one class to train on.
    """
    part = np.arange(len(target)) if inside is None else inside.train
    rows = _Rows(target[part], class_names, None if groups is None else groups[part], groups_name, inside is not None)
    _check_enough_rows(rows, folds, stratified)
    if repeats > 1 and folds == rows.units:
        raise EvaluationError(
            f"cv.repeats: {repeats} repeats of leave-one-{'' if groups is None else 'group-'}out (cv.folds={folds} for "
            f"{folds} {rows.unit}s) would all be the same; use cv.repeats=1, or fewer folds."
        )
    streams = [(*b"folds", repeat) for repeat in range(repeats)]
    if inside is not None:
        streams = [(*b"inner folds", inside.repeat, inside.fold)]
    made = []
    for repeat, stream in enumerate(streams):
        drawn = int(np.random.SeedSequence(seed, spawn_key=stream).generate_state(1)[0])  # as scikit-learn takes it
        splits = _split(rows, folds, stratified, drawn)
        made += [Fold(repeat, number, part[train], part[test]) for number, (train, test) in enumerate(splits)]
    return tuple(made)


def given_folds(codes: IntArray) -> tuple[Fold, ...]:
    """Return the folds whose test parts are given, in the order of their codes; `codes` has the shape (rows,)."""
    from sklearn.model_selection import PredefinedSplit

    splits = PredefinedSplit(codes).split()
    return tuple(Fold(0, number, train, test) for number, (train, test) in enumerate(splits))


def folds_digest(folds: Sequence[Fold]) -> str:
    """SHA-256 (hex) of all row indices: two models were scored on the same folds exactly if these are equal."""
    digest = hashlib.sha256()
    for fold in folds:
        for part in (fold.train, fold.test):
            digest.update(f"{fold.repeat},{fold.fold},{len(part)};".encode())
            digest.update(part.astype("<i8").tobytes())
    return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows to be split: what `make_folds` is told of them."""

    target: IntArray
    class_names: Sequence[str] | None
    groups: IntArray | None
    groups_name: str | None
    are_inside: bool

    @property
    def key(self) -> str:
        """The key that asks for the folds."""
        return "cv.inner_folds" if self.are_inside else "cv.folds"

    @property
    def unit(self) -> str:
        """The word for what is never divided."""
        return "row" if self.groups is None else "group"

    @property
    def units(self) -> int:
        """How many rows there are, or groups."""
        return len(self.target) if self.groups is None else len(np.unique(self.groups))

    def class_name(self, code: int) -> str:
        return f"class {code}" if self.class_names is None else f"class '{self.class_names[code]}'"


def _split(rows: _Rows, folds: int, stratified: bool, seed: int) -> list[tuple[IntArray, IntArray]]:
    """The training and the test rows of each fold."""
    target, groups = rows.target, rows.groups
    if groups is None and stratified and folds < rows.units:
        return _stratified_splits(target, folds, seed)
    from sklearn.model_selection import KFold, LeaveOneGroupOut, LeaveOneOut  # late, as scikit-learn takes 1.5 s

    if folds == rows.units:
        splits = list((LeaveOneOut() if groups is None else LeaveOneGroupOut()).split(target, target, groups))
    elif groups is None:
        return list(KFold(folds, shuffle=True, random_state=seed).split(target))
    else:
        splits = _group_splits(target, groups, folds, stratified, seed)
    _check_classes_left(rows, splits)
    return splits


def _stratified_splits(target: IntArray, folds: int, seed: int) -> list[tuple[IntArray, IntArray]]:
    """The splits of scikit-learn's StratifiedKFold with shuffling, which most jobs have; a test holds them equal."""
    _, first, codes = np.unique(target, return_index=True, return_inverse=True)
    codes = np.argsort(np.argsort(first))[codes]  # it numbers the classes in the order of their first rows
    in_order = np.sort(codes)
    fold_of, random = np.empty_like(codes), np.random.RandomState(seed)
    for code in range(len(first)):
        sizes = [np.count_nonzero(in_order[fold::folds] == code) for fold in range(folds)]
        own = np.repeat(np.arange(folds), sizes)
        random.shuffle(own)
        fold_of[codes == code] = own
    return [(np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)) for fold in range(folds)]


def _group_splits(
    target: IntArray, groups: IntArray, folds: int, stratified: bool, seed: int
) -> list[tuple[IntArray, IntArray]]:
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    if stratified:
        splits = list(StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(target, target, groups))
        # It may leave a test part empty: for groups of one class each, an empty fold can be no better a place than
        # another, and rounding decides (2 of 28,000 random splits of one group more than folds). With so few groups
        # there is little to stratify, and GroupKFold gives every fold its number of them.
        if all(len(test) > 0 for _, test in splits):
            return splits
    return list(GroupKFold(folds, shuffle=True, random_state=seed).split(target, target, groups))


def _check_enough_rows(rows: _Rows, folds: int, stratified: bool) -> None:
    key, units = rows.key, rows.units
    if rows.groups is not None and folds > units:
        part = " in a training part" if rows.are_inside else ""
        mend = f"{key}={units} or fewer" if units > 1 else "more groups"
        raise EvaluationError(
            f"{key}: {folds} folds need {folds} groups, data.groups '{rows.groups_name}' has {units}{part}; use {mend}."
        )
    if folds > units:
        raise EvaluationError(f"{key}: {folds} folds are more than the {units} rows to split; use fewer folds.")
    if not stratified or folds == units:
        return
    codes, counts = np.unique(rows.target, return_counts=True)
    rarest = int(np.argmin(counts))
    count = int(counts[rarest])
    if folds > count:
        mend = f"{key}={count} or fewer" if count > 1 else "more rows of it"
        raise EvaluationError(
            f"{key}: {folds} stratified folds need {folds} rows of every class, but "
            f"{rows.class_name(int(codes[rarest]))} has {count}; use {mend}, or cv.stratified=false."
        )


def _check_classes_left(rows: _Rows, splits: Sequence[tuple[IntArray, IntArray]]) -> None:
    """Refuse a training part of a single class, to which leaving out whole groups easily leads."""
    counts = np.bincount(rows.target)
    for _, test in splits:
        left = np.flatnonzero(counts - np.bincount(rows.target[test], minlength=len(counts)))
        if len(left) == 1:
            raise EvaluationError(
                f"{rows.key}: with {len(splits)} folds one training part holds nothing but "
                f"{rows.class_name(int(left[0]))}, as all {rows.unit}s with other classes are tested together; use "
                f"more folds, or more {rows.unit}s with other classes."
            )
