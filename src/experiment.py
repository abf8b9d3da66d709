"""The program from Python and notebooks: `run` trains one job, `sweep` many, `compare` reads what is recorded.

    from src.experiment import compare, run, sweep

    study = sweep("model=bp,softmax", {"training.l2": [0, 1e-3]}, data=frame, target="species")
    study.answer, study.scores, study.figures, study.best.predictions, study.model()

An override is a text as on the command line (``"training.l2=0.1"``), a mapping from dotted keys to values
(``{"training.l2": 0.1}``) or a keyword, in which two underscores stand for the dot (``training__l2=0.1``). In a sweep
a list holds the values to try and a tuple is one value: ``[(4,), (16, 8)]`` tries two networks, ``(16, 8)`` is one.

Everything is recorded as by ``python -m src.run``: `src.rerun`, `src.predict` and MLflow's page know it. What is wrong
with the input is raised as a UserError, whose text is one sentence a problem.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.types import RunMode
from omegaconf import OmegaConf

# Matplotlib, once: a call that finds it here starts no other process to draw in, which takes a second.
import src.report.pictures  # noqa: F401
from src.command import run_single
from src.command.results import Run, Study
from src.compare import compared
from src.config import check, recorded
from src.data.frames import joined, kept
from src.errors import UserError
from src.escaping import readable
from src.language import choose
from src.run import ROOT, explain, offer_experiments, quick_parser
from src.tracking import provenance, reading
from src.tracking.opening import open_store
from src.tracking.reading import StoredRecord
from src.tracking.sweeps import read_job

_WORD = re.compile(r"(?!(?i:null|true|false|inf|nan)$)[A-Za-z_][\w./-]*", re.ASCII)  # needs no quotes

Override = str | Mapping[str, Any]
Table = str | os.PathLike[str] | pd.DataFrame | tuple[Any, Any]  # a choice of `data`, a file, a frame, or (X, y)


def run(
    *overrides: Override,
    data: Table | None = None,
    target: str | int | None = None,
    test: Table | None = None,
    **keys: Any,
) -> Run:
    """Train, score and record one job.

    Parameters
    ----------
    overrides, keys : what differs from conf/; see above. The later one counts.
    data : a choice (``"iris"``), a Path, or a table in place of a file: a DataFrame (its index is left out), or (X, y)
        of shapes ``(samples, features)`` and ``(samples,)``. A table becomes a file in `src.data.frames.FOLDER`, each
        float with all its digits, and is read and checked as any file: the keys of ``data`` (groups, ...) apply.
    target : the classes' column; if None the last, or y.
    test : a file, or a table in place of one, with the same columns: the models that are kept are scored on it once,
        after the choice is made (``data.test``).

    Raises
    ------
    UserError : for what the user can mend, before anything is trained; JobsFailedError if training fails.
    Interrupted : on Ctrl-C (it is a KeyboardInterrupt).
    """
    typed = _typed([*_of_data(data, target, test), *overrides, keys], swept=False)
    with _composing(typed) as hydra:
        config = hydra.compose_config("config", typed, RunMode.RUN)
        if config.hydra.mode == RunMode.MULTIRUN or config.hydra.sweeper.get("params"):
            raise UserError(f"experiments={config.experiments}: this study is a sweep. Call sweep instead of run.")
        task: Any = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)
        run_id = _recorded(run_single(config, task)[0])
    store = open_store(config.tracking.uri)
    made = reading.get_run(store, run_id)
    return Run(read_job(store, made, recorded(reading.recorded_config(store, made))), StoredRecord(store))


def sweep(
    *overrides: Override,
    data: Table | None = None,
    target: str | int | None = None,
    test: Table | None = None,
    **keys: Any,
) -> Study:
    """Train, score, record and compare every combination of values, or those that a search proposes.

    Parameters and errors are those of `run`; in addition a text with several values (``"model=bp,softmax"``) and a list
    in a mapping or a keyword sweep. If some jobs fail, JobsFailedError is raised at the end; `compare` has the others.
    Jobs that are recorded already are not trained again.
    """
    typed = _typed([*_of_data(data, target, test), *overrides, keys], swept=True)
    with _composing(typed, "-m") as hydra:
        config = hydra.compose_config("config", typed, RunMode.MULTIRUN)
        with TemporaryDirectory() as folder:  # of the sweep, where the command would make one that stays
            of_sweep = _typed([{"hydra.sweep.dir": folder}], swept=False)
            run_id = _recorded(hydra.multirun("config", None, [*of_sweep, *typed], with_log_configuration=False))
    return compare(sweeps=[run_id], uri=config.tracking.uri, lang=config.lang)


def compare(
    *experiments: str,
    sweeps: Iterable[str | Study] = (),
    metric: str | None = None,
    baselines: Sequence[str] | None = None,
    uri: str | None = None,
    lang: str | None = None,
) -> Study:
    """Compare recorded sweeps: the latest of each MLflow experiment, and `sweeps` by run; with neither, the latest.

    Where a single run is newer than an experiment's sweeps, its single runs on the same folds are compared.

    Parameters
    ----------
    metric, baselines : as ``comparison.metric`` and ``comparison.baselines``; if None those that the first sweep was
        asked for.
    uri : the store's address; if None, MLFLOW_TRACKING_URI or the checkout's own.
    lang : what is said until the next call is in English (``en``) or Chinese (``zh``); if None as LANG says.

    Raises
    ------
    UserError : if there is no such sweep, it is still running, or a baseline is none of what is compared.
    """
    choose(check({"lang": lang}).lang)
    run_ids = [run_id for each in sweeps for run_id in (each.run_ids if isinstance(each, Study) else (each,))]
    record, found, report = compared(experiments, run_ids, metric=metric, baselines=baselines, uri=uri, drawn=False)
    return Study(tuple(each.run_id for each in found), report, record)


@contextmanager
def _composing(typed: Sequence[str], *flags: str) -> Iterator[Any]:
    """Lend a Hydra that reads conf/, and tell what it says of overrides as a UserError."""
    offer_experiments(ROOT / "experiments")
    as_typed = provenance.as_typed(["-m", "src.run", *flags, *typed])
    with as_typed, quick_parser(), initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        try:
            yield GlobalHydra.instance().hydra
        except UserError as error:
            if flags or not re.match(r"\S+: \[.*\] is not ", str(error)):
                raise
            raise UserError(f"{error} In run a list is one value; sweep tries each of its values.") from None
        except Exception as error:
            message, status = explain(error, typed)
            if status != UserError.exit_status:
                raise
            raise UserError(message.replace("needs the flag -m", "sweep runs, not run")) from None


def _recorded(run_id: str | None) -> str:
    if run_id is None:
        raise UserError("sweep.dry_run: the plan is printed, and there is no result to return. Leave the key out.")
    return run_id


def _typed(overrides: Iterable[Override], *, swept: bool) -> list[str]:
    """Overrides as they are typed on the command line."""
    typed = []
    for one in overrides:
        if isinstance(one, str):
            typed.append(readable(one))
            continue
        if not isinstance(one, Mapping):
            raise UserError(
                f"{one!r} is of type {type(one).__name__}. An override is a text, as on the command line, or a mapping "
                "from keys to values."
            )
        for key, value in one.items():
            value = value.tolist() if isinstance(value, np.ndarray) else value
            if swept and isinstance(value, list):
                if not value:
                    raise UserError(f"{key}: the list is empty. A list holds the values to try, a tuple is one value.")
                text = ",".join(map(_text, value))
            else:
                text = _text(value)
            typed.append(f"{key.replace('__', '.')}={text}")
    return typed


def _text(value: Any) -> str:
    """A value as Hydra reads it back."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        names = (re.sub(r"([\\()\[\]{}:=, ])", r"\\\1", str(key)) for key in value)
        return "{" + ",".join(f"{name}:{_text(one)}" for name, one in zip(names, value.values(), strict=True)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_text, value)) + "]"
    if isinstance(value, str | os.PathLike):
        text = os.fspath(value)
        return text if _WORD.fullmatch(text) else QuotedString(text, Quote.single).with_quotes()
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    raise UserError(
        f"{value!r} is of type {type(value).__name__}. A value is a number, a text, true or false, None, or a list, a "
        "tuple or a mapping of such."
    )


def _of_data(data: Any, target: str | int | None, test: Any) -> list[Override]:
    """The overrides that name the data."""
    chosen: dict[str, Any] = {} if target is None else {"data.target": target}
    if isinstance(data, str):
        if re.search(r"[/\\.]", data):
            raise UserError(f"data: a text names a choice of conf/data; a file is given as Path({data!r}).")
        chosen = {"data": data, **chosen}
    elif data is not None:
        file, last = _file("data", data)
        chosen = {"data": "csv", "data.path": file, **({} if last is None else {"data.target": last}), **chosen}
    return [chosen if test is None else {**chosen, "data.test": _file("test", test)[0]}]


def _file(name: str, table: Any) -> tuple[str | os.PathLike[str], str | None]:
    """The file that holds a table, and, of (X, y), what y is called there."""
    if isinstance(table, str | os.PathLike):
        return table, None
    if isinstance(table, pd.DataFrame):
        return kept(table), None
    if not isinstance(table, tuple) or len(table) != 2:
        found = type(table).__name__
        raise UserError(f"{name}: a {found} is no table. Give a DataFrame, (X, y), a file's Path or a choice.")
    frame = joined(*table)
    return kept(frame), str(frame.columns[-1])
