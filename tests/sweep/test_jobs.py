"""The jobs of a sweep: checked all at once, each trained once, identified by what decides its result."""

from collections.abc import Callable
from pathlib import Path

import pytest

from src.config import ConfigError
from src.config.identity import sweep_digest
from src.errors import UserError
from src.sweep.jobs import Jobs
from src.sweep.plan import make_plan

MakeJobs = Callable[..., Jobs]


def grid(**axes: list[str]) -> list[list[str]]:
    """Every combination of some values; `a__b` stands for the key `a.b`."""
    combinations: list[list[str]] = [[]]
    for key, values in axes.items():
        combinations = [[*each, f"{key.replace('__', '.')}={value}"] for each in combinations for value in values]
    return combinations


def test_an_axis_without_a_meaning_for_a_model_does_not_multiply_its_jobs(jobs_of: MakeJobs) -> None:
    sizes = ["[4]", "[8]", "[16,8]"]
    combinations = grid(
        model=["bp", "logistic", "softmax"],
        model__hidden_layer_sizes=sizes,
        training__learning_rate=["0.1", "0.3"],
        training__l2=["0", "1e-3"],
    )
    jobs = jobs_of([], *combinations)
    assert len(combinations) == 36
    assert len(jobs.distinct) == 3 * 4 + 4 + 4
    assert jobs.ignored == {"model.hidden_layer_sizes": ("logistic", "softmax")}
    for combination, number in zip(combinations, jobs.of_combination, strict=True):
        job = jobs.distinct[number]
        assert combination[0] == f"model={job.checked.model.name}"
        assert combination[2:] == list(job.overrides)[2:]
    assert make_plan(jobs, {}, jobs.distinct[0].checked.sweep).lines() == [
        "36 combinations, 20 distinct jobs",
        "model.hidden_layer_sizes means nothing for logistic, softmax and is ignored there",
    ]


def test_what_means_nothing_is_said_of_the_model_that_was_typed(jobs_of: MakeJobs) -> None:
    jobs = jobs_of([], *grid(model=["svm", "random_forest"], model__hidden_layer_sizes=["[4]", "[8]"]))
    assert jobs.ignored == {"model.hidden_layer_sizes": ("svm", "random_forest")}


def test_four_logistic_jobs_are_left_of_36_combinations(jobs_of: MakeJobs) -> None:
    combinations = grid(
        model__hidden_layer_sizes=["[1]", "[2]", "[3]"],
        model__activation=["relu", "tanh", "gelu"],
        training__l2=["0", "1", "2", "3"],
    )
    jobs = jobs_of(["model=logistic"], *combinations)
    assert make_plan(jobs, {}, jobs.distinct[0].checked.sweep).lines()[0] == "36 combinations, 4 distinct jobs"


def digest_of(jobs: Jobs) -> str:
    (job,) = jobs.distinct
    return job.digest


SAME_JOB = {
    "where it is recorded": ["tracking.experiment=other", "tracking.curve_points=7", "tracking.models=none"],
    "how it is run": ["sweep.n_jobs=2", "sweep.backend=processes", "sweep.max_stack_memory=1GB"],
    "a key of another optimizer": ["training.beta1=0.5"],
    "numbers written otherwise": ["training.learning_rate=5e-1"],
    "one activation for each layer": ["model.activation=[sigmoid]"],
}
OTHER_JOB = {
    "seed": ["seed=1"],
    "setting": ["training.l2=1e-9"],
    "data": ["data=iris"],
    "scaling": ["data.scale=minmax"],
    "folds": ["cv.folds=4"],
}


@pytest.mark.parametrize("change", SAME_JOB.values(), ids=list(SAME_JOB))
def test_what_does_not_decide_the_result_is_not_in_the_digest(jobs_of: MakeJobs, change: list[str]) -> None:
    assert digest_of(jobs_of(change)) == digest_of(jobs_of([]))


@pytest.mark.parametrize("change", OTHER_JOB.values(), ids=list(OTHER_JOB))
def test_what_decides_the_result_is_in_the_digest(jobs_of: MakeJobs, change: list[str]) -> None:
    assert digest_of(jobs_of(change)) != digest_of(jobs_of([]))


def test_a_changed_file_of_the_same_name_is_another_job(jobs_of: MakeJobs, tmp_path: Path) -> None:
    file = tmp_path / "my.csv"
    rows = [f"{number},{number * 2 % 7},{'ab'[number % 2]}" for number in range(20)]
    file.write_text("\n".join(["x,y,kind", *rows]))
    common = ["data=csv", f"data.path={file}"]
    before = digest_of(jobs_of(common))
    assert digest_of(jobs_of(common)) == before
    file.write_text("\n".join(["x,y,kind", *rows[:-1], "19,3,a"]))
    assert digest_of(jobs_of(common)) != before


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What chooses a table of 36 rows: 9 persons with 4 rows each, 3 persons at each of 3 sites."""
    file = tmp_path_factory.mktemp("people") / "people.csv"
    rows = [f"{row % 7},{row * row % 5},p{row // 4},{row // 12},{'yes' if row % 2 else 'no'}" for row in range(36)]
    file.write_text("\n".join(["a,b,person,site,label", *rows]))
    return ["data=csv", f"data.path={file}"]


def test_no_person_stands_on_both_sides_of_any_split(jobs_of: MakeJobs, people: list[str]) -> None:
    common = ["data.groups=person", "cv.folds=4", "cv.repeats=2", "cv.inner_folds=3"]
    (job,) = jobs_of([*people, *common]).distinct
    groups = job.dataset.groups
    assert groups is not None
    assert len(job.folds) == 8
    for outer, inner in zip(job.folds, job.inner_folds, strict=True):
        assert len(inner) == 3
        assert not set(groups[outer.train]) & set(groups[outer.test])
        for fold in inner:
            assert not set(groups[fold.train]) & set(groups[fold.test])
            assert set(fold.train) | set(fold.test) == set(outer.train)


@pytest.mark.parametrize("groups", [[], ["data.groups=person"]], ids=["rows", "groups"])
def test_given_folds_are_the_folds_whatever_cv_says(jobs_of: MakeJobs, people: list[str], groups: list[str]) -> None:
    common = [*people, *groups, "data.fold=site", "cv.inner_folds=2"]
    jobs = jobs_of(common, [], ["cv.folds=9"], ["seed=1"])
    assert len(jobs.distinct) == 2
    assert jobs.ignored == {"cv.folds": ("bp",)}
    assert jobs.distinct[0].folds_digest == jobs.distinct[1].folds_digest
    job = jobs.distinct[0]
    assert [fold.test.tolist() for fold in job.folds] == [list(range(site * 12, site * 12 + 12)) for site in range(3)]
    for inner in job.inner_folds:
        together = [set(fold.train // 4) & set(fold.test // 4) for fold in inner]
        assert any(together) != bool(groups)


def test_leave_one_out_is_the_same_for_every_seed(jobs_of: MakeJobs, people: list[str]) -> None:
    jobs = jobs_of([*people, "cv.folds=36"], [], ["seed=1"], ["cv.stratified=false"]).distinct
    assert len({job.digest for job in jobs}) == 3
    assert len({job.folds_digest for job in jobs}) == 1
    assert [fold.test.tolist() for fold in jobs[0].folds] == [[row] for row in range(36)]


def test_which_column_groups_the_rows_decides_the_job(jobs_of: MakeJobs, people: list[str]) -> None:
    choices = ([], ["data.groups=person"], ["data.groups=site"], ["data.fold=site"])
    jobs = [jobs_of([*people, "cv.folds=3", *choice]) for choice in choices]
    assert len({digest_of(each) for each in jobs}) == len(choices)


def digest_of_sweep(jobs: Jobs) -> str:
    return sweep_digest([job.digest for job in jobs.distinct], jobs.distinct[0].checked.comparison)


def test_a_sweep_is_the_same_in_any_order(jobs_of: MakeJobs) -> None:
    one, two = [["seed=1"], ["seed=2"]], [["seed=2"], ["seed=1"], ["seed=1"]]
    assert digest_of_sweep(jobs_of([], *one)) == digest_of_sweep(jobs_of([], *two))
    assert digest_of_sweep(jobs_of([], *one)) != digest_of_sweep(jobs_of([], *one, ["seed=3"]))


@pytest.mark.parametrize("section", ["tracking.experiment", "sweep.n_jobs"])
def test_a_sweep_cannot_vary_how_it_is_run_or_recorded(jobs_of: MakeJobs, section: str) -> None:
    values = {"tracking.experiment": ("a", "b"), "sweep.n_jobs": ("1", "2")}[section]
    with pytest.raises(ConfigError, match=f"^{section.partition('.')[0]}: its keys hold for the whole command"):
        jobs_of([], *([f"{section}={value}"] for value in values))


def test_every_bad_job_is_told_each_problem_once(jobs_of: MakeJobs) -> None:
    combinations = grid(training__learning_rate=["0.1", "-1", "fast"], seed=["0", "1"], model=["bp", "softmax"])
    with pytest.raises(ConfigError) as refused:
        jobs_of([], *combinations)
    lines = str(refused.value).splitlines()
    assert len(lines) == 2
    assert all(line.startswith("training.learning_rate: ") for line in lines)


BAD_ONLY_WITH_THE_DATA = {
    "an estimator that is not there": (
        ["model=sklearn", "model.estimator=sklearn.ensemble.RandomForrest"],
        "model.estimator: ",
    ),
    "a parameter it does not have": (["model=sklearn", "+model.params.trees=10"], "model.params"),
    "more folds than rows of a class": (["data=iris", "cv.folds=51"], "cv.folds: "),
    "a weight for no class": (["training.class_weight={maybe: 2}"], "training.class_weight: 'maybe' is not a class"),
    "a file that is not there": (["data=csv", "data.path=no.csv"], "data.path: "),
}


@pytest.mark.parametrize("change, told", BAD_ONLY_WITH_THE_DATA.values(), ids=list(BAD_ONLY_WITH_THE_DATA))
def test_what_only_shows_with_the_data_is_told_before_training_too(
    jobs_of: MakeJobs, change: list[str], told: str
) -> None:
    with pytest.raises(UserError) as refused:
        jobs_of([], ["seed=1"], change, [*change, "seed=1"])
    assert all(line.startswith(told) for line in str(refused.value).splitlines())
