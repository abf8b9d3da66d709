"""``python -m src.run``: the Hydra entry. Composes the configuration, runs the job, and tells a problem in sentences.

Exit status: 0 all is well, 1 something failed while running, 2 the input was bad, 130 interrupted (143 by SIGTERM).
The rooms are imported inside the functions that need them, so that ``--help`` stays quick.
"""

import contextlib
import copyreg
import gc
import io
import os
import re
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import hydra
import yaml
from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError

ROOT = Path(__file__).resolve().parent.parent
if not __package__:  # `python src/run.py`, the only form that Hydra's shell completion knows
    sys.path[0] = str(ROOT)

from src.arguments import entry, unknown_flag  # noqa: E402
from src.errors import UserError, tell  # noqa: E402
from src.escaping import escaped, masked, readable, visible  # noqa: E402
from src.language import LANGUAGES, choose, say  # noqa: E402
from src.words import runnable  # noqa: E402

if TYPE_CHECKING:
    from src.config import JobConfig

# Hydra copies its store of configurations, of which there is but one, for each group it lists and each job it composes.
copyreg.pickle(ConfigStore, lambda _: (ConfigStore.instance, ()))

_DRAWN = re.compile(r"\b(interval|tag)\(")
_QUOTED = re.compile(r"'([^']*)'")


def _help(lang: str | None) -> str:
    """What --help prints: conf/config.yaml asks for it; Hydra fills in the groups and their choices."""
    choose(lang if lang in LANGUAGES else None)
    return say(
        """Back-propagation networks against logistic and softmax regression, on the same folds, recorded in MLflow.

Usage: python -m src.run [-m] [GROUP=CHOICE ...] [KEY=VALUE ...]

Groups and their choices
$APP_CONFIG_GROUPS
Examples
  python -m src.run                                           the BP network, 5-fold cross-validation, on ex4
  python -m src.run experiments=homework5                     a named study: its file fixes the sweep
  python -m src.run model=softmax data=iris cv.folds=10 training.l2=1e-3
  python -m src.run data=csv data.path=my.csv data.target=label
  python -m src.run 'model.hidden_layer_sizes=[16,8]' 'model.activation=[relu,tanh]' training.optimizer=adam
  python -m src.run -m model=bp,logistic,softmax training.learning_rate=0.1,0.3,1

Flags
  -m            a sweep: values separated by commas are tried in every combination
  --cfg job     print every key with its value instead of running; comments in conf/ say what each means
  --hydra-help  more flags: configuration folders, shell completion

Results: python -m src.compare prints tables, make ui opens MLflow.
"""
    ).replace("python -m", runnable("python -m"))


OmegaConf.register_new_resolver("help", _help, replace=True)


class _PastHydra(BaseException):
    """Carries a job's exception through Hydra, which prints lines of its own over an ordinary one."""

    def __init__(self, error: Exception) -> None:
        self.error = error


@hydra.main(version_base="1.3", config_path="../conf", config_name="config")
def run(cfg: DictConfig) -> float:
    """One job. Returns the metric that ``comparison.metric`` names, which a search optimizes."""
    try:
        from src.command import run_single

        if (HydraConfig.get().sweeper or {}).get("params") and "hydra.mode=RUN" not in sys.argv:
            raise UserError(
                "hydra.sweeper.params: these values are for a sweep, and this is a single job. Write 'mode: MULTIRUN' "
                "below 'hydra:' in the study's file, or add the flag -m (hydra.mode=RUN runs one job without them)."
            )
        # as typed: an override may hold an interpolation, which means something in its place only
        typed: Any = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
        return run_single(cfg, typed)[1]
    except Exception as error:
        raise _PastHydra(error) from error


@entry
def main(arguments: Sequence[str] | None = None) -> int:
    """The program. Returns the exit status, after telling on stderr what was wrong."""
    traceback_wanted = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises its errors; otherwise it prints them and exits with 1
    warnings.filterwarnings("error", "provider=hydra.searchpath")  # a folder that is not there
    warnings.filterwarnings("ignore", "Experimental rerun CLI option|Config overrides are not supported")
    # argparse repeats a flag; -m may stand last
    typed = [visible(argument) if argument.startswith("-") else readable(argument) for argument in arguments or ()]
    sys.argv[1:] = sorted(typed, key=lambda argument: argument not in ("-m", "--multirun"))
    said = io.StringIO()
    try:
        _check_flags()
        offer_experiments(ROOT / "experiments")
        with quick_parser(), contextlib.redirect_stderr(said) if "--package" in sys.argv else contextlib.nullcontext():
            run()
    except KeyboardInterrupt as interruption:
        sys.stderr.write(say("; ").join([say("interrupted"), *_notes(interruption)]) + "\n")
        return getattr(interruption, "exit_status", 128 + signal.SIGINT)  # a sweep may have been told by another signal
    except SystemExit as ended:
        if ended.code != 1:
            raise
        return tell(said.getvalue().strip() + ".")  # of --package, which has no exception
    except (_PastHydra, Exception) as raised:
        error = raised.error if isinstance(raised, _PastHydra) else raised
        from src.kernels import NotLoadedError

        if not traceback_wanted:
            del os.environ["HYDRA_FULL_ERROR"]
        if isinstance(error, NotLoadedError):
            error.restart()
        if traceback_wanted:
            sys.stderr.write(masked("".join(traceback.format_exception(error))))
        status = tell(*explain(error, sys.argv[1:]))
        sys.stderr.writelines(f"{note}\n" for note in getattr(error, "__notes__", []))
        return status
    return 0


def _check_flags() -> None:
    """Tell what is wrong with the flags before Hydra, which would show how they are used."""
    parser = get_args_parser()

    def refuse(message: str) -> NoReturn:
        from src.config import JobConfig
        from src.config.messages import leaves

        keys = {*JobConfig.model_fields, *leaves()}
        raise UserError(unknown_flag(parser, sys.argv[1:], keys) or f"{message}.")

    parser.error = refuse  # type: ignore[method-assign]
    parser.parse_args()


def _notes(error: BaseException | None) -> list[str]:
    """What was noted on an exception, or on the one whose handling it broke off: Ctrl-C may come twice."""
    if error is None:
        return []
    return getattr(error, "__notes__", None) or _notes(error.__context__)


@contextlib.contextmanager
def quick_parser() -> Iterator[None]:
    """Let OmegaConf, which takes the class of this name, parse with libyaml's, where it is there: five times faster."""
    usual = yaml.SafeLoader
    yaml.SafeLoader = getattr(yaml, "CSafeLoader", usual)  # type: ignore[misc]
    try:
        yield
    finally:
        yaml.SafeLoader = usual  # type: ignore[misc]


def offer_experiments(folder: Path) -> None:
    """Make each file of ``folder`` a choice of the group ``experiments``; it sets ``experiments`` to its own name."""
    store = ConfigStore.instance()
    for file in sorted(folder.glob("*.yaml")):
        store.store(group="experiments", name=file.stem, node={}, package="_global_")
        store.repo["experiments"][file.name].node = _Study(file)


class _Study:
    """A study's file, read when Hydra takes a copy of what it holds: to read all of them takes 60 ms a command."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __deepcopy__(self, _: object) -> Any:
        study = OmegaConf.load(self.file)
        OmegaConf.update(study, "experiments", self.file.stem)
        return study


def explain(error: BaseException, arguments: Sequence[str], schema: "type[JobConfig] | None" = None) -> tuple[str, int]:
    """What to tell about an exception, one line for each problem, and the exit status it means.

    `schema` is what the configuration should have been, if it is more than a job.
    """
    if isinstance(error, UserError):
        return str(error), error.exit_status
    if isinstance(error, OverrideParseException):
        return _unreadable(error.override, arguments), 2
    if isinstance(error, MissingConfigException) and error.options and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        return _no_such_choice(group, name, error.options), 2
    if told := _of_running(error):
        return told, 2
    package = _frames(error)[-1].f_globals.get("__name__", "").split(".")[0]
    stumbled = package in ("hydra", "omegaconf")  # over what they were given
    if stumbled or isinstance(error, HydraException | OmegaConfBaseException | YAMLError | UserWarning):
        return _not_composed(error, arguments, schema), 2
    return f"{type(error).__name__}: {_one_line(error)} (Set HYDRA_FULL_ERROR=1 to see where.)", 1


def _unreadable(override: str, arguments: Sequence[str]) -> str:
    if told := _named_file(override):
        return told
    quoted = """'data.target="width (cm)"'""" if override in arguments else """data.target: '"width (cm)"'"""
    override = escaped(override)  # a line end, too, is part of one sentence
    if "=" not in override:
        return f"{override}: this is not of the form KEY=VALUE."
    return (
        f"{override}: the value cannot be read. A list is written [1,2], a mapping {{a: 1}}; "
        f"a value with special characters needs quotes inside quotes: {quoted}."
    )


def _named_file(override: str) -> str | None:
    """How the name of a file that is there is typed, if that is the value; `readable` may have put quotes into it."""
    key, _, name = _QUOTED.sub(r"\1", override).partition("=")
    if not Path(name).is_file():
        return None
    return f"""{key}: the name of the file {name} needs quotes inside quotes: '{key}="{name}"'."""


def _no_such_choice(group: str, name: str, choices: Sequence[str]) -> str:
    from src.config.kinds import Kind
    from src.config.messages import bad_value

    return bad_value(group, name, Kind(f"a choice of {group}", tuple(choices)))


def _not_composed(error: BaseException, arguments: Sequence[str], schema: "type[JobConfig] | None") -> str:
    """Why Hydra could not compose the configuration, in our words where its message is one we know."""
    from src.config import JobConfig
    from src.config.messages import unknown_key

    message = _one_line(error)
    if unknown := re.match(r"(?:In '.*?': )?Could not override '(.+?)'", message):
        key = getattr(error.__cause__, "full_key", None) or unknown[1]  # model={a: 1} is told as model.a
        if key.startswith("hydra."):
            return f"{key}: Hydra has no such key (--cfg hydra shows all)."
        return unknown_key(key, schema or JobConfig)
    if several := re.match(r"(?:Ambiguous value for argument|Sweep parameters) '(.+?)' (?:1\.|requires)", message):
        return (
            _named_file(several[1])
            or f"{several[1]}: several values make a sweep, which needs the flag -m. A list is written [1,2]."
        )
    if message.startswith("BasicSweeper does not support sweep type"):
        drawn = next((argument for argument in arguments if _DRAWN.search(argument)), "interval(...)")
        return f"{drawn}: values are drawn by a search only. Add hydra/sweeper=optuna, or list the values."
    if absent := re.match(r"provider=hydra.searchpath .*path=(.+) is not available", message):
        return f"hydra.searchpath: {absent[1]} does not exist."
    if (merged := re.match(r"Error merging override ((\S+?)=.*)", message)) and "ListConfig" in str(error.__cause__):
        return f"{merged[1]}: {merged[2].lstrip('+')} does not hold a value of this kind."
    if message.startswith("Cannot instantiate config of type"):
        return "hydra.callbacks: each is a mapping that says what is called."
    if message.startswith("Config group override must be a string"):
        return _bad_choice_among(arguments) or message
    if missing := re.match(r"Error (?:locating|in call to) target '(.+?)'", message):
        place = re.search(r"full_key: (\S+)", str(error))
        return f"{place[1] if place else 'hydra'}: {missing[1]} cannot be made: is that its name, and is it installed?"
    told = error.__cause__ if error.__cause__ and not message else error  # an empty shell round OmegaConf's error
    if isinstance(told, OmegaConfBaseException) and told.full_key:
        if unset := re.search(r"Environment variable '(\w+)' not found", str(told)):
            return f"{told.full_key}: its value is {unset[1]}, which is not set: export {unset[1]}=VALUE."
        return f"{told.full_key}: {re.sub(r'^[A-Z][A-Za-z]+ raised while resolving', 'in an', _one_line(told))}"
    if isinstance(told, MarkedYAMLError) and told.problem_mark:
        return _not_yaml(told.problem_mark, str(told.problem))
    if not isinstance(told, HydraException | YAMLError):  # no message meant for a reader
        return f"{_one_line(told) or type(told).__name__} (while reading: {' '.join(arguments)})"
    return f"{message}: {_one_line(told.__cause__)}" if told.__cause__ else _one_line(told)


def _not_yaml(mark: Any, problem: str) -> str:
    """The sentence for a place in a file that YAML does not allow."""
    file, line = Path(mark.name), mark.line
    text = file.read_text(encoding="utf-8").splitlines()[line : line + 1] if file.is_file() else []
    if any("\t" in each[: len(each) - len(each.lstrip())] for each in text):
        return f"{file}, line {line + 1}: a tab begins this line. YAML is indented with spaces only: write spaces."
    return f"{file}, line {line + 1}: this is not YAML, {problem}. Mend this line, or the one before."


def _bad_choice_among(arguments: Sequence[str]) -> str | None:
    """The sentence for the first argument that chooses something from a group's folder which is not there."""
    for group, _, chosen in (argument.partition("=") for argument in arguments):
        folder = ROOT / "experiments" if group == "experiments" else ROOT / "conf" / group
        choices = sorted(file.stem for file in folder.glob("*.yaml")) if group.isidentifier() else []
        for name in chosen.split(","):
            if choices and name not in choices:
                return _no_such_choice(group, name, choices)
    return None


def _one_line(error: BaseException | None) -> str:
    """An exception's text without Hydra's search path, OmegaConf's object types and line ends."""
    text = re.split(r"\n\s*(?:Config search path|full_key|object_type|reference_type)\b", str(error))[0]
    return " ".join(text.split())


def _of_running(error: BaseException) -> str | None:
    """The sentence for what keeps Hydra from running a composed job; None for any other error."""
    from src.config.messages import no_folder

    functions = {f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name}" for frame in _frames(error)}
    if "hydra.core.utils.configure_log" in functions:
        if isinstance(error, ValueError):
            return f"hydra.job_logging, hydra.hydra_logging: {_one_line(error)}."
        return "hydra.verbose: write true, false, or a list of loggers' names, such as [hydra,src]."
    if isinstance(error, OSError) and "hydra.core.utils.run_job" in functions:
        return no_folder("hydra.run.dir", error)
    return None


def _frames(error: BaseException) -> list[FrameType]:
    return [frame for frame, _ in traceback.walk_tb(error.__traceback__)]


if __name__ == "__main__":
    # Imports make a million objects, all of which stay: looking for garbage among them again and again, and once more
    # at the end, takes a quarter of a short command's time.
    gc.set_threshold(100_000)
    exit_status = main()
    gc.freeze()
    sys.exit(exit_status)
