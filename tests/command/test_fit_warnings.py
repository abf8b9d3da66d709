"""What scikit-learn warns of while it fits is told once, after the jobs: by the run, by the next one, on the page."""

from pathlib import Path

import pytest

from tests.processes import Commands
from tests.stores import Record

SHORT = ("data=iris", "model=sklearn", "model.estimator=sklearn.linear_model.LogisticRegression")
LIMITS = "+model.params.max_iter=2,3,500"
TOLD = "warned in 10 fits: LogisticRegression (max_iter=3; max_iter=2): ConvergenceWarning: lbfgs failed to converge"


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_a_sweep_and_the_next_one_tell_it_once(tmp_path: Path, backend: str, commands: Commands) -> None:
    record, store = Record.empty(tmp_path), {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    typed = ("-m", *SHORT, LIMITS, "sweep.n_jobs=2", f"sweep.backend={backend}", "tracking.models=none")
    for reused in (False, True):
        ended = commands.start(tmp_path, *typed, environment=store, fork_workers=True)
        assert ended.wait() == 0, ended.err
        assert ("3 jobs of 3 reused" in ended.out) == reused
        said = " ".join((ended.out + ended.err).split())
        assert said.count("ConvergenceWarning") == 1
        assert TOLD in said
    (sweep,) = record.parents()
    for name in ("comparison.html", "comparison.md"):
        assert TOLD in record.artifact(sweep, name).replace("\\", "")
    tags = [run.data.tags.get("fit_warnings", "") for run in record.children(sweep)]
    assert sorted(tag.count("ConvergenceWarning") for tag in tags) == [0, 1, 1]


def test_the_model_that_is_kept_tells_only_what_no_fold_has_told(tmp_path: Path) -> None:
    record = Record.empty(tmp_path)
    ended = record.run(*SHORT, "+model.params.max_iter=2", "cv.folds=2")
    assert (ended.out + ended.err).count("ConvergenceWarning") == 1
    assert "warned in 2 fits: LogisticRegression: Conv" in " ".join(ended.out.split())


def test_a_tag_that_somebody_else_wrote_is_not_obeyed(tmp_path: Path) -> None:
    record = Record.empty(tmp_path)
    assert record.run("-m", *SHORT, "seed=0,1", "tracking.models=none").status == 0
    first, second = record.children(record.parents()[0])
    record.client.set_tag(first.info.run_id, "fit_warnings", '["not", "a mapping"]')
    record.client.set_tag(second.info.run_id, "fit_warnings", '{"<b>\\u001b[31m": "3"}')
    ended = record.run(module="src.compare")
    assert ended.status == 0, ended.err
    assert "\x1b[31m" not in ended.out
    (page,) = (file.read_text() for file in tmp_path.rglob("comparison.html") if "outputs" in file.parts)
    assert "<b>" not in page.partition("warned in 3 fits")[2].partition("</p>")[0]
