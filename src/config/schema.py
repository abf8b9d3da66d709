"""What a valid job is: every key of a configuration, what it may hold and what it means.

Nothing else says so; the keys of networks and their training come from the engine, which declares them
(`src.network.settings`). The defaults are those of conf/; a test holds the two together.
A key's order matters in one respect: a rule that joins two keys stands with the later one.
"""

import warnings
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self, TypeVar, get_type_hints

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from src.config import kinds
from src.config.kinds import Count, Kind, NotNegative, Positive, TwoOrMore, among, within
from src.language import LANGUAGES
from src.network.outputs import OUTPUTS
from src.network.settings import EarlyStoppingSettings, ModelSettings, Settings, TrainingSettings, hyperparameters
from src.words import counted

DataName = Annotated[Literal["ex4", "iris", "wine", "breast_cancer", "digits", "csv"], Kind("a data set")]
Missing = Annotated[Literal["refuse", "impute"], Kind("a treatment of missing values")]
Scale = Annotated[Literal["standard", "minmax", "none"], Kind("a way to scale")]
ModelName = Annotated[Literal["bp", "logistic", "softmax", "sklearn_logistic", "sklearn"], Kind("a model")]
_WORDS = {name: one.choices for name, one in hyperparameters(Settings).items()}
_Activation = Annotated[str, *among("an activation", _WORDS["activation"])]
Activation = Annotated[
    _Activation | tuple[_Activation, ...],
    BeforeValidator(kinds.as_tuple),
    Kind("an activation", _WORDS["activation"]),
]
BatchSize = Annotated[Literal["full"] | Count, Kind(f"'full' or a whole number from 1 to {kinds.MANY}")]
KeptModels = Annotated[Literal["best", "all", "none"], Kind("a choice of jobs")]
Backend = Annotated[Literal["threads", "processes", "dask"], Kind("a backend")]
Cluster = Annotated[Literal["slurm", "pbs", "lsf", "sge", "kubernetes"], Kind("a kind of cluster")]
Kernels = Annotated[
    Literal["Nehalem", "Sandybridge", "Haswell", "Zen", "SkylakeX", "armv8", "neoversen1", "neoversev1"],
    Kind("the name of OpenBLAS's kernels"),
]
Lang = Annotated[str, *among("a language", LANGUAGES)]
OnFailure = Annotated[Literal["continue", "stop"], Kind("an answer to a failed job")]
Metric = Annotated[
    Literal[
        "test/accuracy",
        "test/balanced_accuracy",
        "test/log_loss",
        "test/macro_f1",
        "test/roc_auc",
        "test/brier_score",
        "test/matthews_corrcoef",
        "test/average_precision",
        "test/calibration_error",
    ],
    BeforeValidator(kinds.of_test_part),
    Kind("a metric of a test fold"),
]

# Why the cross-entropy does not fit an output.
_NO_PROBABILITY = {"tanh": "lies between -1 and 1", "identity": "can be any number"}


class Section(BaseModel):
    """A group of keys: frozen, nothing but the keys it names, no text for numbers, no true for 1, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True, allow_inf_nan=False)


_Section = TypeVar("_Section", bound=Section)
DECLARED: Any = None  # stands for what `declared_by` says of a key


def declared_by(group: type) -> Callable[[type[_Section]], type[_Section]]:
    """Give a section the keys that a group of the engine's settings declares, with default, meaning and range.

    Words and lists have the annotation that the section gives them. Numbers that the section does not name, as they
    belong to one optimizer or schedule, come after its keys.
    """

    def with_keys(section: type[_Section]) -> type[_Section]:
        annotations = get_type_hints(section, include_extras=True)
        keys: dict[str, Any] = {}
        for name, one in hyperparameters(group).items():
            annotation = annotations.get(name)
            if one.within is not None and not one.choices:
                annotation = Annotated[int if one.within.whole else float, *within(one.within)]
                annotation = annotation | None if one.default is None else annotation
            meaning = f"{', '.join(one.of)}: {one.meaning}" if one.of else one.meaning
            keys[name] = (annotation, Field(one.default, description=meaning))
        return create_model(
            section.__name__, __base__=section, __module__=section.__module__, __doc__=section.__doc__, **keys
        )

    return with_keys


class DataConfig(Section):
    """Which table is learned from, and how it is read."""

    name: DataName = Field("ex4", description="a bundled data set, or csv for the user's own file")
    path: str | None = Field(None, description="csv: the file")
    test: kinds.Name | None = Field(
        None, description="csv: another, on which the models kept are scored once, at the end"
    )
    target: kinds.Column | None = Field(None, description="csv: the class's column, null for the last")
    header: bool = Field(True, description="csv: whether the first line holds the columns' names")
    separator: kinds.Separator = Field(",", description="csv: what stands between two values")
    missing: Missing = Field("refuse", description="csv: refuse rows with missing values or impute these")
    categorical: kinds.Columns = Field((), description="csv: columns that hold numbers but mean categories")
    drop: kinds.Columns = Field((), description="csv: columns that are not learned from, such as the rows' numbers")
    weights: kinds.Column | None = Field(None, description="csv: the column of the samples' weights")
    groups: kinds.Column | None = Field(None, description="csv: the column that says which rows belong together")
    fold: kinds.Column | None = Field(None, description="csv: the column of given folds, null to draw them")
    scale: Scale = Field("standard", description="scaling of numeric columns, fitted on the training part of a fold")

    @field_validator("path", "test")
    @classmethod
    def _only_csv_has_files(cls, path: str | None, info: ValidationInfo) -> str | None:
        name = info.data.get("name")
        if name == "csv" and not path and info.field_name == "path":
            raise ValueError("data=csv needs a file. Set data.path=FILE.")
        if name not in ("csv", None) and path is not None:
            raise ValueError(f"'{path}' is not read, because data.name is '{name}'. Choose data=csv to read a file.")
        return path

    def reading(self) -> dict[str, Any]:
        """Which table and how it is read: the arguments of `src.data.load`."""
        return self.model_dump(exclude={"scale", "test"})


@declared_by(ModelSettings)
class ModelConfig(Section):
    """What is trained: the network's architecture, or a reference model."""

    name: ModelName = Field("bp", description="the kind of model")
    hidden_layer_sizes: kinds.Layers = DECLARED
    activation: Activation = DECLARED
    output: Annotated[str, *among("an output", _WORDS["output"])] = DECLARED
    loss: Annotated[str, *among("a loss", _WORDS["loss"])] = DECLARED
    init: Annotated[str, *among("an initializer", _WORDS["init"])] = DECLARED
    init_scale: float = DECLARED
    bias_init: Annotated[str, *among("an initializer of biases", _WORDS["bias_init"])] = DECLARED
    dtype: Annotated[str, *among("a floating-point type", _WORDS["dtype"])] = DECLARED
    allow: kinds.Modules = Field((), description="sklearn: modules beside scikit-learn whose code may be run")
    estimator: kinds.Estimator | None = Field(None, description="sklearn: the classifier's full name")
    params: kinds.Parameters = Field({}, description="sklearn: the classifier's parameters")

    @field_validator("activation")
    @classmethod
    def _one_activation_for_each_layer(cls, activation: Any, info: ValidationInfo) -> Any:
        sizes = info.data.get("hidden_layer_sizes")
        if info.data.get("name") != "bp" or sizes is None or isinstance(activation, str):
            return activation
        if len(activation) != len(sizes):
            found = f"{counted(len(activation), 'activation')} for {counted(len(sizes), 'hidden layer')}"
            raise ValueError(f"{found}. Give one for each of model.hidden_layer_sizes, or a single word for all.")
        return activation

    @field_validator("loss")
    @classmethod
    def _loss_fits_output(cls, loss: str, info: ValidationInfo) -> str:
        output = info.data.get("output")
        if info.data.get("name") == "bp" and output is not None and (output, loss) not in OUTPUTS:
            raise ValueError(
                f"'{loss}' does not fit model.output '{output}': it takes the logarithm of a probability, and this "
                f"output {_NO_PROBABILITY[output]}. Set model.loss=squared_error, or model.output=softmax or sigmoid."
            )
        return loss

    @field_validator("estimator")
    @classmethod
    def _sklearn_has_an_estimator(cls, estimator: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("name") == "sklearn" and estimator is None:
            raise ValueError(
                "model=sklearn needs a classifier. Set model.estimator=sklearn.MODULE.CLASS, "
                "such as sklearn.ensemble.RandomForestClassifier."
            )
        return estimator


@declared_by(EarlyStoppingSettings)
class EarlyStoppingConfig(Section):
    """When training ends before its last epoch. Its samples are held out of the training part, never of the test."""

    patience: int | None = DECLARED
    min_delta: float = DECLARED
    validation_fraction: float = DECLARED


@declared_by(TrainingSettings)
class TrainingConfig(Section):
    """How the network learns."""

    optimizer: Annotated[str, *among("an optimizer", _WORDS["optimizer"])] = DECLARED
    learning_rate: float = DECLARED
    l2: float = DECLARED
    batch_size: BatchSize = DECLARED
    epochs: int = DECLARED
    schedule: Annotated[str, *among("a schedule", _WORDS["schedule"])] = DECLARED
    warmup: int = DECLARED
    class_weight: kinds.ClassWeights | None = Field(None, description="balanced, or a weight for each class")
    clip_norm: float | None = DECLARED
    check_gradient: bool = Field(
        False, description="print the gradient's largest relative error; above 1e-6 the job fails"
    )
    early_stopping: EarlyStoppingConfig = EarlyStoppingConfig()

    @field_validator("min_learning_rate", check_fields=False)
    @classmethod
    def _falls_from_learning_rate(cls, least: float, info: ValidationInfo) -> float:
        rate, falling = info.data.get("learning_rate"), hyperparameters(TrainingSettings)["min_learning_rate"].of
        if info.data.get("schedule") in falling and rate is not None and least > rate:
            raise ValueError(f"{least} is above training.learning_rate {rate}, from which the rate should fall to it.")
        return least


class CVConfig(Section):
    """How a job is scored: (repeated, stratified) K-fold cross-validation."""

    folds: TwoOrMore = Field(5, description="K: parts of the data, each the test part once; all rows: leave-one-out")
    repeats: Count = Field(1, description="how often K-fold is repeated with a new split")
    stratified: bool = Field(True, description="whether each fold has the classes in the data's proportions")
    inner_folds: TwoOrMore | None = Field(None, description="folds inside each training part that select settings")


class PublishedValue(Section):
    """A score that somebody else has published, to be reproduced."""

    data: kinds.Name = Field(description="what the data set is called")
    model: kinds.Name = Field(description="what the model is called: bp, LinearDiscriminantAnalysis")
    metric: kinds.Name = Field(description="test/accuracy, or fitted/log_loss of the model kept, on all rows")
    value: float = Field(description="what was published")
    tolerance: NotNegative = Field(description="the largest difference that is a rounding of it")
    source: kinds.Name = Field(description="where, and by which protocol")


Published = Annotated[
    tuple[PublishedValue, ...],
    *kinds.a_list("a list of published scores, each with data, model, metric, value, tolerance and source"),
]


class ComparisonConfig(Section):
    """How jobs are ranked, and models compared."""

    metric: Metric = Field("test/accuracy", description="what ranks and is compared, and what a search optimizes")
    baselines: kinds.Names = Field((), description="candidates that the others are compared with")
    confidence: kinds.Part = Field(0.95, description="of intervals and verdicts")
    rope: NotNegative | None = Field(None, description="largest difference that is none in practice")
    question: kinds.Name | None = Field(None, description="what the sweep asks, for its report")
    published: Published = Field((), description="scores that others have published, beside which ours are shown")


# `register` is MLflow's word for it; what it hides is ABCMeta.register, which no section needs.
warnings.filterwarnings("ignore", 'Field name "register" in "TrackingConfig" shadows', UserWarning)


class TrackingConfig(Section):
    """Where and how much is recorded in MLflow."""

    uri: kinds.Name | None = Field(None, description="address of the store, null for SQLite in the checkout")
    experiment: kinds.ExperimentName = Field("bp", description="MLflow experiment the runs belong to")
    models: KeptModels = Field("best", description="jobs that keep a fitted model and figures")
    curve_points: TwoOrMore = Field(50, description="points at most of a learning curve")
    register: kinds.RegisteredName | None = Field(None, description="name under which the best model is registered")
    patience: kinds.NotNegative = Field(5.0, description="minutes that a server which has gone is waited for")


class DaskConfig(Section):
    """The cluster of sweep.backend=dask."""

    scheduler: kinds.Address | None = Field(None, description="address of a scheduler, null for a local cluster")
    cluster: Cluster | None = Field(None, description="what is asked for workers, null for none")
    options: kinds.Options = Field({}, description="options of the cluster's class in dask-jobqueue or dask-kubernetes")
    timeout: Positive = Field(60.0, description="seconds without a worker before the sweep ends")

    @field_validator("cluster")
    @classmethod
    def _one_scheduler(cls, cluster: str | None, info: ValidationInfo) -> str | None:
        if cluster is not None and info.data.get("scheduler") is not None:
            raise ValueError(f"'{cluster}' starts a scheduler of its own. Leave out it or sweep.dask.scheduler.")
        return cluster

    @field_validator("options")
    @classmethod
    def _options_of_a_cluster(cls, options: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if options and info.data.get("cluster", "") is None:
            raise ValueError(f"{', '.join(options)}: they belong to a cluster. Set sweep.dask.cluster.")
        return options


class SweepConfig(Section):
    """How the jobs of one command are run."""

    backend: Backend = Field("threads", description="what runs the stacks")
    n_jobs: kinds.Workers = Field(1, description="stacks trained at a time, -1 for one on each core")
    max_fits: Count = Field(100_000, description="fits of a command (jobs x folds x repeats) before it is refused")
    max_workers: Count | None = Field(None, description="n_jobs at most, null for 8 on each core")
    max_memory: kinds.Memory | None = Field(
        None, description="of a command before it is refused, null for what is free"
    )
    max_stack_memory: kinds.Memory | None = Field(None, description="of a stack, null for a part of what is free")
    dry_run: bool = Field(False, description="print the plan and train nothing")
    on_failure: OnFailure = Field("continue", description="what becomes of the other jobs when one fails")
    reuse: bool = Field(True, description="whether a job that is already recorded is not trained again")
    blas: Kernels | None = Field(None, description="kernels that all workers compute with, null for each its own")
    dask: DaskConfig = DaskConfig()

    @field_validator("dask")
    @classmethod
    def _cluster_needs_dask_and_a_number(cls, dask: DaskConfig, info: ValidationInfo) -> DaskConfig:
        if dask.cluster is not None and info.data.get("backend", "dask") != "dask":
            raise ValueError(f"cluster '{dask.cluster}' is only asked for workers with sweep.backend=dask.")
        if dask.cluster is not None and info.data.get("n_jobs") == -1:
            raise ValueError(f"cluster '{dask.cluster}' may have any number of workers. Set sweep.n_jobs=NUMBER.")
        return dask


class JobConfig(Section):
    """One fully resolved configuration: a model, its setting, its data and how it is scored."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    cv: CVConfig = CVConfig()
    comparison: ComparisonConfig = ComparisonConfig()
    tracking: TrackingConfig = TrackingConfig()
    sweep: SweepConfig = SweepConfig()
    seed: kinds.Seed = Field(0, description="the one seed that everything random is derived from")
    experiments: str | None = Field(None, description="the named study the job belongs to")
    lang: Lang | None = Field(None, description="of what is printed, drawn and written, null for the environment's")

    @property
    def has_given_folds(self) -> bool:
        """Whether a column of the user's file says which rows are tested together."""
        return self.data.name == "csv" and self.data.fold is not None

    @model_validator(mode="after")
    def _sections_fit_together(self) -> Self:
        if self.data.test is not None and self.tracking.models == "none":
            raise ValueError(
                f"tracking.models: 'none' keeps no model that could be scored on data.test '{self.data.test}'. "
                "Set tracking.models=best, or leave out data.test."
            )
        if self.has_given_folds and self.cv.repeats > 1:
            raise ValueError(
                f"cv.repeats: {self.cv.repeats} repeats of the folds given by data.fold would all be the same. "
                "Set cv.repeats=1, or data.fold=null to draw folds."
            )
        return self
