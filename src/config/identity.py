"""What makes two jobs the same: the keys that count, their canonical form, the numerical code, and every digest."""

import ast
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import distribution, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from types import CodeType
from typing import Any

from src.config.schema import ComparisonConfig, DataConfig, EarlyStoppingConfig, JobConfig, ModelConfig, TrainingConfig
from src.network.settings import Settings, hyperparameters

SRC = Path(__file__).resolve().parents[1]
# The code that can change a number of a job's result: rooms and files. No job runs the derivation, which is to be read,
# the trace of one update or the statistics of scores, or reads the models that were kept and rows for them.
NUMERICAL = (
    *("network", "models", "data", "evaluation"),
    *("config/schema.py", "config/kinds.py", "config/identity.py"),
    *("sweep/jobs.py", "sweep/stacks.py", "command/keep.py"),
)
NOT_NUMERICAL = (
    *("network/derivation.py", "network/tracing.py", "evaluation/significance.py"),
    *("evaluation/shares.py", "evaluation/warned.py", "models/kept.py", "data/new_rows.py"),
)
NUMERICAL_LIBRARIES = ("numpy", "scipy", "scikit-learn")

# What these models are by definition, whatever their keys say.
FIXED: dict[str, dict[str, Any]] = {
    "logistic": {"hidden_layer_sizes": (), "activation": (), "output": "sigmoid", "loss": "cross_entropy"},
    "softmax": {"hidden_layer_sizes": (), "activation": (), "output": "softmax", "loss": "cross_entropy"},
}
# What the models that are no networks read; for them all other keys of model and training mean nothing.
REFERENCES = {
    "sklearn": ("model.allow", "model.estimator", "model.params"),
    "sklearn_logistic": ("training.l2", "training.class_weight"),
}
_DECLARED = hyperparameters(Settings)


def used_keys(job: JobConfig) -> tuple[str, ...]:
    """The dotted keys that have a meaning for this job's data, model, optimizer, schedule and split."""
    of_cv = tuple(type(job.cv).model_fields)
    if job.has_given_folds:
        of_cv = ("inner_folds",) if job.cv.inner_folds is None else ("stratified", "inner_folds")
    of_data = dict.fromkeys(("name", "scale", *(DataConfig.model_fields if job.data.name == "csv" else ())))
    sections = {"data": tuple(of_data), "cv": of_cv}
    own = ("model.name", *REFERENCES[job.model.name]) if job.model.name in REFERENCES else ()
    if not own:
        sections |= {"model": _network_keys(job.model), "training": _training_keys(job.training)}
    return ("seed", *own, *(f"{section}.{key}" for section, keys in sections.items() for key in keys))


def _network_keys(model: ModelConfig) -> tuple[str, ...]:
    fixed = FIXED.get(model.name, {})
    layers = fixed.get("hidden_layer_sizes", model.hidden_layer_sizes)
    unread = {"allow", "estimator", "params", *fixed, *(() if layers else ("activation",))}
    return tuple(key for key in _read_by(ModelConfig, {model.init, model.bias_init}) if key not in unread)


def _training_keys(training: TrainingConfig) -> tuple[str, ...]:
    stopping = EarlyStoppingConfig.model_fields if training.early_stopping.patience is not None else ("patience",)
    keys = _read_by(TrainingConfig, {training.optimizer, training.schedule})
    return (*(key for key in keys if key != "early_stopping"), *(f"early_stopping.{key}" for key in stopping))


def _read_by(section: type[ModelConfig | TrainingConfig], chosen: set[str]) -> Iterator[str]:
    """The keys of a section, without those that belong to other optimizers, schedules and initializers than chosen."""
    for key in section.model_fields:
        owners = _DECLARED[key].of if key in _DECLARED else ()
        if not owners or not chosen.isdisjoint(owners):
            yield key


def canonical(job: JobConfig) -> dict[str, Any]:
    """The part of a configuration that decides the job's result, as plain JSON types.

    Configurations that mean the same have the same canonical form: keys without a meaning for this job are left out,
    and a list of equal activations is the one word. The data's path is left out too: the data's digest stands for the
    rows. So is the file that models are scored on at the end, which has no part in a job's folds, and what a model may
    be made of: what it is made of counts (`modules_of`). Kernels that were asked for count, as they have bits of their
    own; those that a machine chose do not.
    """
    config = job.model_dump(mode="json")
    config["model"]["activation"] = _simplest(config["model"]["activation"])
    left_out = ("data.path", "data.test", "model.allow")
    asked = ("sweep.blas",) if job.sweep.blas is not None else ()
    return _select(config, [*(key for key in used_keys(job) if key not in left_out), *asked])


def model_parameters(job: JobConfig) -> dict[str, Any]:
    """Keyword arguments of the job's model: each ``model`` and ``training`` key that it uses, what it fixes, the seed.

    Sequences are tuples; ``early_stopping`` is a dict with the keys of its section, or None where it is off.
    """
    config = job.model_dump()
    config["model"]["activation"] = _simplest(config["model"]["activation"])
    chosen = _select(config, used_keys(job))
    parameters = {**chosen["model"], **chosen.get("training", {}), **FIXED.get(job.model.name, {}), "seed": job.seed}
    del parameters["name"]
    if "early_stopping" in parameters and parameters["early_stopping"]["patience"] is None:
        parameters["early_stopping"] = None
    return parameters


def network_settings(job: JobConfig) -> Settings:
    """What the engine is told of the job's network: all that is declared, and what the model fixes."""
    sections = (job.model, job.training, job.training.early_stopping)
    told = {name: value for section in sections for name, value in section if name in _DECLARED}
    return Settings(**{**told, **FIXED.get(job.model.name, {})}, seed=job.seed)


def ignored(job: JobConfig, overridden_keys: Sequence[str]) -> tuple[str, ...]:
    """Those of the dotted keys a user has set that mean nothing for this job, in the order given.

    Only keys of the sections that shape a result are told: ``tracking`` and ``sweep`` belong to the command.
    """
    used = used_keys(job)
    shaping = {key.partition(".")[0] for key in used} | {"training"}
    keys = [key.lstrip("+~") for key in overridden_keys]
    dotted = dict.fromkeys(key for key in keys if "." in key and key.partition(".")[0] in shaping)
    return tuple(
        key for key in dotted if not any(f"{one}.".startswith(f"{key}.") or key.startswith(f"{one}.") for one in used)
    )


def digest(canonical: Mapping[str, Any], data_digest: str, code_version: str, modules: Iterable["Module"] = ()) -> str:
    """SHA-256 (hex) that identifies a job: its canonical configuration, the data, the numerical code, other modules."""
    identity: dict[str, Any] = {"config": canonical, "data": data_digest, "code": code_version}
    if codes := [module.code for module in modules]:
        identity["modules"] = codes
    return _sha256(json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False))


def sweep_digest(jobs: Iterable[str], asked: ComparisonConfig, tests: Iterable[str] = ()) -> str:
    """SHA-256 (hex) of the digests of jobs, whatever their order, of what is asked of them and of data.test's rows."""
    return _sha256("\n".join([*sorted(jobs), asked.model_dump_json(), *sorted(tests)]))


def search_digest(settings: Any, arguments: Sequence[str]) -> str:
    """SHA-256 (hex) of a search: the sweeper's settings, plain data; arguments as typed; the numerical code."""
    return _sha256(json.dumps([settings, list(arguments), code_version()], sort_keys=True, default=str))


@cache
def code_version(src: Path = SRC) -> str:
    """SHA-256 (hex) of the numerical code: what its files compile to, and its libraries' versions.

    Two results with the same configuration, data and code version are the same. Comments, docstrings, asserts and the
    lines that code stands on, which change no number, do not count.
    """
    files = {path for name in NUMERICAL for path in [src / name, *(src / name).rglob("*.py")] if path.suffix}
    counted = sorted(files - {src / name for name in NOT_NUMERICAL})
    code = [f"{path.relative_to(src).as_posix()}\0{_compiled(path.read_bytes())}" for path in counted]
    libraries = [f"{name} {version(name)}" for name in NUMERICAL_LIBRARIES]
    return _sha256("\0".join(code + libraries))


@dataclass(frozen=True)
class Module:
    """A module beside scikit-learn that a model is made of.

    Attributes
    ----------
    name : its first name: ``xgboost``.
    packages : the installed packages that it is of, with their versions: ``xgboost==3.1.0``.
    folder, files : where it is none's, the folder that it lies in, and its source files there, with those of what it
        imports there.
    """

    name: str
    packages: tuple[str, ...] = ()
    folder: Path = Path()
    files: tuple[Path, ...] = ()

    @property
    def code(self) -> str:
        """What tells its code from any other: packages and versions, or a SHA-256 of what the files compile to."""
        if self.packages:
            return ", ".join(self.packages)
        source = [f"{file.as_posix()}\0{_compiled((self.folder / file).read_bytes())}" for file in self.files]
        return f"{self.name} {_sha256('|'.join(source))}"


def modules_of(job: JobConfig) -> tuple[Module, ...]:
    """The modules beside scikit-learn that the job's model is made of."""
    return tuple(map(_module, foreign_names(job)))


def foreign_names(job: JobConfig) -> tuple[str, ...]:
    """The names of the modules beside scikit-learn that the job's model names, nested estimators included."""
    if job.model.name != "sklearn":
        return ()
    named = [str(job.model.estimator), *_estimators(list(job.model.params.values()))]
    return tuple(sorted({name.partition(".")[0] for name in named} - {"sklearn", ""}))


def _estimators(value: Any) -> Iterator[str]:
    """The full names of the estimators in a parameter's value, each in a mapping with the keys of a model."""
    if isinstance(value, Mapping):
        if isinstance(value.get("estimator"), str):
            yield value["estimator"]
        value = list(value.values())
    for one in value if isinstance(value, list) else ():
        yield from _estimators(one)


@cache  # Python itself reads a module once
def _module(name: str) -> Module:
    of_name = map(distribution, sorted(set(packages_distributions().get(name, ()))))
    installed = [one for one in of_name if '"editable": true' not in (one.read_text("direct_url.json") or "")]
    if installed:
        return Module(name, tuple(f"{one.name}=={one.version}" for one in installed))
    found = find_spec(name)
    places = [] if found is None else [*(found.submodule_search_locations or ()), found.origin]
    if not places or places[0] is None:
        return Module(name)
    folder = Path(places[0]).parent
    return Module(name, (), folder, tuple(sorted(file.relative_to(folder) for file in _sources(name, folder))))


def _sources(name: str, folder: Path) -> set[Path]:
    """A module's source files, and those of the modules in the same folder that they import."""
    found: set[Path] = set()
    waiting = [name]
    while waiting:
        module = waiting.pop()
        files = [folder / f"{module}.py", *(folder / module).rglob("*.py")]
        for file in {file for file in files if file.is_file()} - found:
            found.add(file)
            for node in ast.walk(ast.parse(file.read_bytes())):
                if isinstance(node, ast.Import):
                    waiting += [one.name.partition(".")[0] for one in node.names]
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    waiting.append(node.module.partition(".")[0])
        waiting = [one for one in waiting if one != SRC.name]  # that is the numerical code
    return found


def _compiled(source: bytes) -> str:
    """The instructions, names and constants of a file's code; its syntax tree, as text, takes twice as long."""
    code: bytes | ast.Module = source
    if sys.version_info >= (3, 13):  # where a class's first line is a constant of its code
        code = ast.parse(source)
        for found in _classes(code.body):
            found.lineno = 1
            for decorator in found.decorator_list:
                decorator.lineno = 1
    return _without_places(compile(code, "", "exec", dont_inherit=True, optimize=2))


def _classes(statements: Iterable[ast.AST]) -> Iterator[ast.ClassDef]:
    for statement in statements:
        if isinstance(statement, ast.ClassDef):
            yield statement
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from _classes(getattr(statement, block, ()))


def _without_places(constant: Any) -> str:
    if isinstance(constant, tuple):
        return f"({','.join(map(_without_places, constant))})"
    if isinstance(constant, frozenset):  # whose order is another in each process
        return f"{{{','.join(sorted(map(_without_places, constant)))}}}"
    if not isinstance(constant, CodeType):
        return repr(constant)
    names = (constant.co_names, constant.co_varnames, constant.co_cellvars, constant.co_freevars)
    shape = (constant.co_flags, constant.co_argcount, constant.co_posonlyargcount, constant.co_kwonlyargcount)
    parts = (constant.co_name, *shape, *names, constant.co_code, constant.co_exceptiontable, constant.co_consts)
    return _without_places(parts)


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def flatten(config: Mapping[str, Any]) -> dict[str, Any]:
    """``{"model": {"loss": x}}`` as ``{"model.loss": x}``. An empty mapping stays as the value of its key."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            flat.update({f"{key}.{inner}": item for inner, item in flatten(value).items()})
        else:
            flat[str(key)] = value
    return flat


def _simplest(activation: Any) -> Any:
    """A list of equal activations as the one word it amounts to."""
    return activation if isinstance(activation, str) or len(set(activation)) != 1 else activation[0]


def _select(config: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """The nested part of ``config`` that the dotted keys name."""
    chosen: dict[str, Any] = {}
    for key in keys:
        *above, name = key.split(".")
        source, target = config, chosen
        for part in above:
            source, target = source[part], target.setdefault(part, {})
        target[name] = source[name]
    return chosen
