"""The command lines that the fuzzer tries: those that were once met, and mutations of valid ones, always the same."""

import random
import shlex
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

SEED = 12
MUTATED = 200
REFUSED = frozenset({2})
ANY = frozenset({0, 2})  # whether it means something is not known here
FAILED = frozenset({1, 2})  # told before, or by the jobs that fail


@dataclass(frozen=True)
class Case:
    """One command.

    Attributes
    ----------
    name : its kind and its number among them.
    statuses : the exit statuses that are right for it.
    files : beside those that every case finds in its folder.
    hostile : what the names in its table are, which is not to be found unescaped in what is printed or kept.
    """

    name: str
    arguments: tuple[str, ...]
    statuses: frozenset[int] = ANY
    module: str = "src.run"
    files: Mapping[str, bytes] = field(default_factory=dict)
    hostile: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return self.name.rpartition("-")[0]

    @property
    def line(self) -> str:
        """The command as it is typed."""
        return shlex.join(["python", "-m", self.module, *self.arguments])


# fmt: off

# A run that ends at once.
QUICK = ("training.epochs=2", "cv.folds=2", "tracking.models=none")
DRY = ("sweep.dry_run=true",)

# What each key may hold; what is no such thing.
NUMBERS = (
    *("training.learning_rate", "training.momentum", "training.beta1", "training.beta2", "training.rho"),
    *("training.epsilon", "training.l2", "training.decay", "training.power", "training.min_learning_rate"),
    *("training.early_stopping.min_delta", "training.early_stopping.validation_fraction", "training.clip_norm"),
    *("comparison.confidence", "comparison.rope", "model.init_scale", "tracking.patience"),
    "sweep.dask.timeout",
)
WHOLE = (
    *("training.epochs", "training.batch_size", "training.decay_every", "training.warmup", "training.plateau_patience"),
    *("training.early_stopping.patience", "cv.folds", "cv.repeats", "cv.inner_folds", "tracking.curve_points", "seed"),
)
CHOICES = (
    *("data.name", "data.missing", "data.scale", "model.name", "model.activation", "model.output", "model.loss"),
    *("model.init", "model.bias_init", "model.dtype", "training.optimizer", "training.schedule", "comparison.metric"),
    *("tracking.models", "sweep.backend", "sweep.on_failure"),
)
CHOICES_OR_NULL = ("sweep.blas", "sweep.dask.cluster", "lang")
FLAGS = ("data.header", "training.check_gradient", "cv.stratified", "sweep.dry_run", "sweep.reuse")
TEXTS = (
    *("data.path", "data.separator", "model.estimator", "comparison.question", "tracking.uri", "tracking.experiment"),
    *("tracking.register", "sweep.max_stack_memory", "sweep.dask.scheduler", "data.target", "data.weights"),
    *("data.groups", "data.fold", "data.test"),
)
LISTS = (
    *("model.hidden_layer_sizes", "model.allow", "data.categorical", "data.drop", "comparison.baselines"),
    "comparison.published",
)
MAPPINGS = ("model.params", "training.class_weight", "sweep.dask.options")
KEYS = (*NUMBERS, *WHOLE, *CHOICES, *CHOICES_OR_NULL, *FLAGS, *TEXTS, *LISTS, *MAPPINGS)
NONSENSE: dict[tuple[str, ...], tuple[str, ...]] = {
    NUMBERS: ("nan", "inf", "-inf", "-1", "abc", "[1]", "[]", "{a: 1}", "true", "'1'", "''", "1e400", "-1e300"),
    WHOLE: ("nan", "inf", "-1", "1.5", "abc", "[1]", "{a: 1}", "true", "'7'", "''", "-1e300", "1e-300", "0x10"),
    CHOICES: ("nosuch", "5", "[nosuch]", "{a: 1}", "true", "null", "''", "-0.0", "softmaxx"),
    CHOICES_OR_NULL: ("nosuch", "5", "[nosuch]", "{a: 1}", "true", "''", "-0.0"),
    FLAGS: ("maybe", "2", "[true]", "{a: 1}", "null", "''", "nan", "'true'"),
    TEXTS: ("[[1]]", "{a: 1}", "[a,[b]]"),
    LISTS: ("5", "{a: 1}", "abc", "[[1]]", "[null]", "true", "nan", "[nan]", "[-1.5]"),
    MAPPINGS: ("5", "[1]", "true", "abc", "nan", "-1"),
}
GROUPS = ("data", "model", "training", "cv", "comparison", "tracking", "sweep", "experiments")
ESTIMATORS = (
    *("sklearn.base.BaseEstimator", "sklearn.base.ClassifierMixin", "sklearn.tests.test_base.MyEstimator", "os.system"),
    *("sklearn.utils._mocking.CheckingClassifier", "sklearn.model_selection.GridSearchCV", "builtins.eval", "..", "a"),
    *("sklearn.linear_model.LinearRegression", "sklearn.pipeline.Pipeline", "sklearn.cluster.KMeans", "sklearn", "."),
    *("sklearn.ensemble.VotingClassifier", "sklearn.svm.SVC", "sklearn.linear_model.RidgeClassifier", "subprocess.run"),
    *("sklearn.datasets.load_iris", "sklearn.dummy.DummyClassifier.fit", "numpy.array", "sklearn.ensemble.__path__"),
    *("sklearn.feature_extraction.text.CountVectorizer", "sklearn.externals", "src.models.classifier", "é.ü", "1.2"),
    *("sklearn.tests.test_multiclass.", ".sklearn", "sklearn..svm", "sklearn.svm.", "sklearn.svm.svc", "lambda: 1"),
)

# The issue's own list, as it stands there.
LISTED: tuple[tuple[str, ...], ...] = (
    ("model={a:1}",),
    ("-m", "seed=range(0,1,-1)"),
    ("-m", "hydra.sweeper.params=[1,2]"),
    ("-m", "hydra.sweeper.params=x"),
    ("-m", "hydra/sweeper=optuna", "hydra.sweeper.n_jobs=0", "training.l2=interval(0,1)"),
    ("-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=-1", "training.l2=interval(0,1)"),
    ("-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", "training.l2=interval(0,-1)"),
    ("-m", "hydra/sweeper=optuna", "hydra.sweeper.storage=postgresql://127.0.0.1:9/x", "training.l2=interval(0,1)"),
    ("-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", "training.l2=glob(*)"),
    ("hydra.run.dir=/dev/null/x",),
    ("-m", "hydra.sweep.dir=/dev/null/x", "seed=0,1"),
    ("hydra.run.dir=/proc/x",),
    ("hydra.verbose=[1]",),
    ("data=csv", "data.path='~nouser/x.csv'"),
    ("tracking.uri=http://127.0.0.1:port",),
    ("tracking.uri=postgresql://127.0.0.1:port/x",),
    ("tracking.uri=sqlite:///a%00b.db",),
    ("tracking.uri=sqlite:///" + "a" * 300 + ".db",),
    ("tracking.experiment=" + "e" * 600,),
    ("tracking.experiment=gone",),
    ("tracking.register=a/b",),
    ("training.epochs=1e300",),
    ("model=sklearn", "model.estimator=sklearn.base.BaseEstimator"),
    ("model=sklearn", "model.estimator=sklearn.tests.test_base.MyEstimator"),
    ("data=csv", "data.path=/dev/full"),
    ("data=csv", "data.path=/dev/zero"),
    ("data=csv", "data.path=/dev/stdin"),
    ("data=csv", "data.path=pipe"),
    ("cv.repeats=1e9",),
    ("cv.repeats=1000000000",),
    ("model.hidden_layer_sizes=[1e12]",),
    ("model.hidden_layer_sizes=[1000000000000]",),
    ("sweep.n_jobs=1000000",),
    ("sweep.n_jobs=1000000", "sweep.backend=processes"),
    ("-m", "sweep.n_jobs=100000", "sweep.backend=processes", "seed=0,1"),
)

HYDRA = (
    *("{b:1}", "{", "}", "[", "]", "[[", "(", ")", "'", '"', "=", "==", ",", ",,", "a,", ",a", "${", "${}", "${.}"),
    *("${nothing}", "${seed}", "${oc.env:NO_SUCH}", "${oc.env:HOME}", "${hydra:job.num}", "${oc.decode:'['}", "???"),
    *("${now:%Q}", "${oc.create:{a:1}}", "${training}", "${..}", "range(0)", "range(0,1,0)", "range(0,1,-1)"),
    *("range()",),
    *("range(1,2,3,4)", "range(a)", "range(0,nan)", "choice()", "choice(1,2)", "interval(0,1)", "interval(0)"),
    *("glob(*)",),
    *("glob()", "glob(x*)", "glob(*,exclude=*)", "shuffle(1,2)", "shuffle()", "sort(3,1)", "sort()", "tag(a,b)"),
    *("int(x)",),
    *("float(abc)", "bool(7)", "str([1,2])", "json_str({})", "extend_list(1)", "$", "$$", "\\", "\\\\", "a b"),
    *("a:b", "a#b"),
    *("!!python/object:os.system", "&a", "*a", "%", "@", "~", "null", "NULL", "\t", " ", "\n", "\u202e"),
    *("\x1b[31m", "é"),
)
HYDRA_KEYS = ("seed", "model", "model.hidden_layer_sizes", "data.target")
HYDRA_FORMS = (
    *("~{key}", "+{key}=1", "++{key}=1", "~{key}=1", "{key}@x=1", "{key}@:x=1", "{key}[0]=1", "{key}.0=1", ".{key}=1"),
    *("{key}.=1", "{key}..x=1", "{key}:=1", "+{key}.x.y=1", "~{key}.x", "{key}", "={key}", "{key}=", "++{key}={{}}"),
)
SETTINGS = (
    *("hydra.run.dir=", "hydra.run.dir=[1]", "hydra.run.dir=null", "hydra.run.dir=${nothing}", "hydra.run.dir=a%00b"),
    *("hydra.run.dir=good.csv/x", "hydra.run.dir=" + "d" * 300, "hydra.run.dir=/sys/x", "hydra.run.dir=loop/x"),
    *("hydra.sweep.dir=good.csv/x", "hydra.sweep.subdir=/proc/x", "hydra.sweep.dir=[1]", "hydra.sweep.dir=${nothing}"),
    *("hydra.job.chdir=maybe", "hydra.job.chdir=[1]", "hydra.job.name=[1]", "hydra.job.num=x", "hydra.mode=NONE"),
    *("hydra.mode=MULTIRUN", "hydra.mode=[1]", "hydra.verbose=true", "hydra.verbose={a:1}", "hydra.verbose=src"),
    *("hydra.output_subdir=/proc", "hydra.output_subdir=[1]", "hydra.output_subdir=null", "hydra.env=1"),
    *("hydra.searchpath=[file:///nowhere]", "hydra.searchpath=x", "hydra.searchpath=[pkg://no.such]", "hydra=x"),
    *("hydra/launcher=nosuch", "hydra/sweeper=nosuch", "hydra/launcher=basic", "hydra/sweeper=basic", "hydra/help=x"),
    *("hydra/job_logging=nosuch", "hydra/job_logging=default", "hydra/hydra_logging=colorlog", "hydra/launcher=joblib"),
    *("hydra.launcher.n_jobs=2", "hydra.launcher=null", "hydra.sweeper=null", "hydra.sweeper.params=null"),
    *("hydra.sweeper.params={seed:[1,2]}", "hydra.sweeper.params={seed:'1,2'}", "hydra.sweeper.params={1:2}"),
    *("hydra.sweeper.params=[{seed:'1,2'},3]", "hydra.sweeper.params=[[]]", "hydra.sweeper.params=[null]"),
    *("hydra.sweeper.params=[{nokey:'1,2'}]", "hydra.sweeper.params={seed:'range(0,1,-1)'}", "hydra.sweeper.params=5"),
    *("hydra.sweeper.params={seed:'['}", "hydra.sweeper.params={'':1}", "hydra.sweeper._target_=os.system"),
    *("hydra.launcher._target_=os.getcwd", "hydra.sweeper._target_=nosuch", "+hydra.callbacks.x._target_=nosuch.Thing"),
    *("+hydra.callbacks.x=5", "hydra.job.env_set={A:1}", "hydra.job.env_set=5", "hydra.job.config.override_dirname=5"),
    *("hydra.help.template=[1]", "hydra.overrides.task=[x]", "hydra.runtime.cwd=/nowhere"),
    *("hydra.runtime.output_dir=x",),
)
OPTUNA_SPACES = (
    *("training.l2=interval(0,1)", "training.l2=interval(1,0)", "training.l2=interval(0,nan)"),
    *("training.l2=interval(a,b)",),
    *("training.l2=tag(log,interval(0,1))", "training.l2=tag(log,interval(1e-5,1))", "seed=range(0,3)"),
    *("seed=range(3,0)",),
    *("training.optimizer=choice(sgd,adam)", "training.optimizer=choice(nosuch)", "training.l2=choice()", "seed=1"),
    *("training.epochs=interval(1,2)", "training.epochs=interval(0,0)", "training.epochs=int(interval(1,3))"),
    *("model=glob(*)",),
    *("training.l2=interval(-1,-0.5)", "model=bp,logistic", "model.hidden_layer_sizes=choice([1],[2])"),
    *("nokey=range(1,3)",),
    *("training.l2=tag(a,b,interval(0,1))", "training.l2=interval(0,1,2)", "data.path=glob(*)"),
    *("seed=shuffle(range(1,3))",),
)
OPTUNA_SETTINGS = (
    *("n_jobs=0", "n_jobs=-1", "n_jobs=1.5", "n_jobs=x", "n_trials=0", "n_trials=-1", "n_trials=1.5", "n_trials=x"),
    *("n_trials=null", "direction=up", "direction=[minimize,maximize]", "direction=5", "storage=x", "storage=5"),
    *("storage=sqlite:////nowhere/x.db", "storage=sqlite:///s.db", "storage=mysql://127.0.0.1:9/x", "study_name=[1]"),
    *("study_name=null", "sampler=null", "sampler=5", "sampler.seed=x", "sampler.seed=-1"),
    *("sampler.n_startup_trials=-1",),
    *("sampler._target_=os.getcwd", "sampler._target_=nosuch.X", "max_failure_rate=-1", "max_failure_rate=2"),
    *("max_failure_rate=x", "search_space={a:1}", "search_space=5", "params=5", "params=[1]", "custom_search_space=x"),
    *("params={seed:'range(1,3)'}", "nosuch=1", "params={seed:'interval(1,0)'}", "n_jobs=null"),
)
PATHS = (
    *("", ".", "..", "/", "folder", "folder/", "good.csv/", "good.csv/x", "nosuch.csv", "goood.csv", "pipe"),
    *("socket", "loop"),
    *("/dev/full", "/dev/zero", "/dev/null", "/dev/random", "/dev/tty", "/dev/stdin", "/dev/stdout", "/dev/fd/0"),
    *("/dev/mem",),
    *("/proc/self/mem", "/proc/kmsg", "/proc/self/environ", "/proc/cpuinfo", "/sys/kernel/notes", "~nouser/x.csv"),
    *("~/x.csv", "~", "~root/x", "$HOME/x", "a" * 300, "/".join("a" * 2100), "sparse.csv", "database.csv"),
    *("locked.csv",),
    *("http://127.0.0.1:9/x.csv", "https://nowhere.invalid/x.csv", "s3://bucket/x.csv", "file:///dev/zero"),
    *("ftp://x/y",),
    *("good.csv.gz", "good.zip", "bad.csv.gz", "bad.xz", "image.png", "good.csv\n", "go\x1b[31mod.csv"),
    *("\u202egood.csv", "*.csv"),
    *("data:,a", "file://good.csv", "{good}.csv", "-", "--help", "good.csv?", "GOOD.CSV", "./folder/../good.csv"),
    *("link.csv",),
)
URIS = (
    *("", " ", "x", "sqlite:", "sqlite://", "sqlite:///", "sqlite:////", "sqlite:///:memory:"),
    *("sqlite:////nowhere/x.db",),
    *("sqlite:///folder", "sqlite:///good.csv", "sqlite:///pipe", "sqlite:////dev/full", "sqlite:////dev/null"),
    *("sqlite:///loop",),
    *("sqlite:////proc/x.db", "sqlite:///a%00b", "sqlite:///%zz.db", "sqlite:///" + "b" * 300),
    *("sqlite:///~nouser/x.db",),
    *("sqlite:///x.db?mode=ro", "sqlite:///x.db?nosuch=1", "sqlite:///x.db#a", "sqlite+nosuch:///x.db"),
    *("SQLITE:///x.db",),
    *("http:", "http://", "http:///", "http://:5000", "http://127.0.0.1:9", "http://127.0.0.1:99999"),
    *("http://127.0.0.1:-1",),
    *("http://[::1", "http://[::1]:9", "http://nowhere.invalid", "http://user:secret@127.0.0.1:9", "http://a b"),
    *("https://",),
    *("http://127.0.0.1:9/%00", "http://" + "h" * 300 + ".invalid", "http://\u202e.invalid"),
    *("http://127.0.0.1:9\\@x", "ftp://x"),
    *("postgresql:", "postgresql://", "postgresql://127.0.0.1:9/x", "postgresql://127.0.0.1:x/y"),
    *("postgresql+nosuch://x/y",),
    *("mysql://127.0.0.1:9/x", "mysql+pymysql://127.0.0.1:9/x", "mssql://x/y", "file:///tmp/x", "file:x"),
    *("databricks", "uc:x"),
    *("databricks://x", "databricks-uc", "s3://x", "/tmp/x", "~/x", "5", "null:", "://", ":", "a:b:c"),
    *("javascript:alert(1)",),
)
NAMES = (
    *("gone", "", " ", "e" * 257, "e" * 600, "e" * 5000, "a/b", "../x", "a\nb", "a\tb", "\x1b[31mred"),
    *("\u202ebackwards", "é"),
    *("=1+1", "<script>alert(1)</script>", "'; drop table runs; --", "%s%n", "${x}", "CON", ".", "..", "0", "null"),
    *("true", "-"),
    *("\x1b]8;;http://x\x07link\x1b]8;;\x07", "😀", "a" * 255, "x:y", "x@y", "x y", "\\", '"', "'", "`id`", "$(id)"),
    *("\u0000",),
)
EXTREMES = (
    *("training.epochs=1e300", "training.epochs=1e9", "training.epochs=9223372036854775808", "cv.folds=1e9"),
    *("cv.folds=80",),
    *("cv.folds=81", "cv.repeats=1e9", "cv.repeats=100000", "cv.inner_folds=1e9", "seed=1e300"),
    *("seed=18446744073709551616",),
    *("seed=" + "9" * 5000, "seed=" + "9" * 400, "training.batch_size=1e300", "training.batch_size=" + "9" * 30),
    *("model.hidden_layer_sizes=[1e12]", "model.hidden_layer_sizes=[1000000000]"),
    *("model.hidden_layer_sizes=[99999,99999]",),
    *("model.hidden_layer_sizes=[" + ",".join("4" * 2000) + "]", "model.hidden_layer_sizes=[" + "9" * 400 + "]"),
    *("sweep.n_jobs=1000000", "sweep.n_jobs=-2", "sweep.n_jobs=1e300", "sweep.max_stack_memory=1B"),
    *("sweep.max_stack_memory=0",),
    *("sweep.max_stack_memory=1e400GB", "sweep.max_stack_memory=99999YB", "sweep.max_stack_memory=-1GB"),
    *("training.l2=1e300",),
    *("training.learning_rate=1e300", "training.learning_rate=1e-300", "training.clip_norm=1e-320"),
    *("training.epsilon=1e300",),
    *("training.decay_every=" + "9" * 30, "training.warmup=" + "9" * 30, "tracking.curve_points=" + "9" * 30),
    *("model.init_scale=1e300",),
    *("training.early_stopping.patience=" + "9" * 30, "training.plateau_patience=" + "9" * 30, "comparison.rope=1e300"),
    *("comparison.confidence=0.9999999999999999", "comparison.confidence=1e-300", "comparison.question=" + "q" * 20000),
    *("training.class_weight={a:1}", "training.class_weight={0:1e300,1:1}", "training.class_weight={0:0,1:0}"),
    *("seed=-0",),
    *("training.class_weight={0:-1,1:1}", "training.class_weight={0:nan,1:1}", "training.class_weight={}"),
    *("seed=1_000",),
    *("training.class_weight={0:1,0:2}", "data.categorical=[0,0]", "data.target=-99"),
    *("data.target=99999999999999999999",),
)
OTHER = {
    "src.compare": (
        *("nosuch", "gone", "kept", "kept kept", "--sweep 0", "--sweep nosuch", "--sweep RUN"),
        *("--sweep RUN --sweep RUN",),
        *("--metric nosuch", "--metric log_loss kept", "--metric ''", "--baseline nosuch kept", "--baseline '' kept"),
        *("--format xml", "--format json kept", "--output good.csv kept", "--output /proc/x kept"),
        *("--output pipe kept",),
        *("--output '' kept", "--uri x", "--uri http://127.0.0.1:9", "--uri sqlite:///nosuch.db"),
        *("--uri sqlite:////dev/full",),
        *("--uri", "--uri ''", "--nosuch", "--sweep", "''", "'a/b'", "--metric nan kept", "--sweep \"' or 1=1\""),
        *("--sweep '%'",),
        *("--baseline bp --baseline logistic kept", "--baseline logistic kept", "--uri sqlite:///a%00b"),
        *("--sweep JOB", "-- -x"),
        *("--output " + "o" * 300 + " kept", "--output ~nouser/x kept", "--uri sqlite:///good.csv"),
        *("--uri sqlite:///pipe",),
        *("'\x1b[31mred'", "'\u202ex'", "--sweep '\x1b[31mred'", "--metric '\x1b[31mred'", "e" * 3000, "--help"),
        *("--met log_loss",),
    ),
    "src.rerun": (
        *("", "nosuch", "0", "JOB", "RUN", "JOB JOB", "''", "--uri x JOB", "--uri http://127.0.0.1:9 JOB"),
        *("'../x'", "'a b'"),
        *("--uri sqlite:///nosuch.db JOB", "--uri sqlite:////dev/full JOB", "--nosuch", "--uri", "\"' or 1=1\""),
        *("'\x1b[31mred'",),
        *("--uri sqlite:///a%00b JOB", "--uri sqlite:///good.csv JOB", "'%'", "e" * 3000, "é", "--uri '' JOB"),
        *("--help", "-5"),
        *("--uri sqlite:///pipe JOB", "--uri file:///tmp JOB", "00000000000000000000000000000000", "'<script>'"),
    ),
    "src.studies": (
        *("x", "", "--uri", "--uri x", "--uri ''", "--uri http://127.0.0.1:9", "--uri sqlite:///nosuch.db"),
        *("--nosuch", "--help"),
        *("--uri sqlite:////dev/full", "--uri sqlite:///good.csv", "--uri sqlite:///a%00b"),
        *("--uri sqlite:///folder", "-x"),
    ),
}
GOOD_OF_OTHERS = (
    *("kept", "kept kept", "--sweep RUN", "--baseline logistic kept", "--met log_loss", "--metric log_loss kept"),
    *("--format json kept", "JOB", "--help"),
)
STUDIES = (
    *("", "5", "[1]", "a: [", "nokey: 1", "model: 5", "model: {name: nosuch}", "hydra: 5", "hydra: {sweeper: 5}"),
    *("seed: .nan",),
    *("hydra: {mode: MULTIRUN, sweeper: {params: {seed: '1,'}}}", "hydra: {sweeper: {params: [1]}}", "? [a]\n: b"),
    *("seed: 1\nseed: 2",),
    *("!!python/object/apply:os.system [id]", "a: &a [*a]", "defaults: [nosuch]", "defaults: 5"),
    *("defaults: [{override /data: nosuch}]",),
    *("\x00", "\t\tseed: 1", "tracking: {experiment: [1]}", "comparison: {question: 5}"),
    *("comparison: {published: [{data: iris}]}",),
    *("tracking: {uri: \"sqlite:///a\\0b\"}", "data: {name: csv, path: \"a\\0b\"}"),
    *("tracking: {experiment: \"a\\0b\"}", "seed: 0o17"),
    *("data: {name: csv, path: /dev/zero}", "model: {params: {a: {b: [1]}}}", "training: null", "seed: 2001-01-01"),
    *("seed: 1:30",),
    *("hydra: {mode: MULTIRUN, sweeper: {params: {nokey: '1,2'}}}", "hydra: {mode: SINGLE}", "defaults: [mine]"),
    *("\ufeffseed: 1",),
    *("hydra: {mode: MULTIRUN, sweeper: {params: {experiments: 'homework5,mine'}}}", "seed: ${seed}"),
    *("seed: ${nothing}",),
)
FLAGS_OF_HYDRA = (
    *("--cfg nosuch", "--cfg job", "--cfg", "--config-name nosuch", "--config-name", "--config-dir nowhere"),
    *("--config-dir",),
    *("--config-path nowhere", "--multirun --run", "--info nosuch", "--info all", "--package nosuch --cfg job"),
    *("--resolve",),
    *("--experimental-rerun nowhere", "--experimental-rerun good.csv", "--nosuch", "-x", "-m", "-m -m", "--help"),
    *("--hydra-help",),
    *("--version", "--shell-completion install=nosuch", "--cfg job --resolve seed=${nothing}", "-c", "-c all seed=["),
    *("--config-dir good.csv", "--config-dir folder experiments=x", "--info config seed=nosuch"),
    *("--cfg job seed=[1", "--", "-- x"),
)

# fmt: on


def all_cases() -> list[Case]:
    """Every command line, in an order that never changes."""
    made: list[Case] = []
    counts: dict[str, int] = {}

    def add(kind: str, arguments: Sequence[str], statuses: frozenset[int] = ANY, **more: object) -> None:
        if any("\0" in argument for argument in arguments):
            return  # no shell can type it
        counts[kind] = counts.get(kind, 0) + 1
        made.append(Case(f"{kind}-{counts[kind]}", tuple(arguments), statuses, **more))  # type: ignore[arg-type]

    for arguments in LISTED:
        add("listed", arguments, REFUSED)
    for keys, values in NONSENSE.items():
        for key in keys:
            for value in values:
                if (key, value) not in MEANT:
                    add("value", (f"{key}={value}",), REFUSED)
    for key in KEYS:
        for wrong in islice(_misspelt(key), 1):
            add("key", (f"{wrong}=1",), REFUSED)
    for group in GROUPS:
        for choice in ("nosuch", "5", "[bp]", "{a:1}", "''", "../model/bp", "/etc/passwd", "bp,", "true", "-1", "."):
            meant = choice in ("[bp]", "../model/bp") and group == "model"  # Hydra takes lists and paths
            add("group", (f"{group}={choice}",), ANY if meant else REFUSED)
    for value in HYDRA:
        for key, flags in zip(HYDRA_KEYS, ((), ("-m",), (), ("-m",)), strict=True):
            add("hydra", (*flags, f"{key}={value}", *QUICK, *DRY))
    for form in HYDRA_FORMS:
        for key in ("seed", "model", "training.early_stopping", "nokey"):
            add("form", (form.format(key=key), *QUICK, *DRY))
    for setting in SETTINGS:
        add("setting", (setting, *QUICK, *DRY))
        add("setting", ("-m", "seed=0,1", setting, *QUICK, *DRY))
    for space in OPTUNA_SPACES:
        add("search", ("-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", space, *QUICK))
    for setting in OPTUNA_SETTINGS:
        trials = () if setting.startswith("n_trials") else ("hydra.sweeper.n_trials=2",)
        add(
            "search",
            ("-m", "hydra/sweeper=optuna", *trials, f"hydra.sweeper.{setting}", "training.l2=interval(0,1)", *QUICK),
        )
    for path in PATHS:
        add("path", ("data=csv", f"data.path='{path}'", *QUICK, *DRY))
    for uri in URIS:
        add("uri", (f"tracking.uri='{uri}'", *QUICK))
    for name in NAMES:
        add("experiment", (f"tracking.experiment={_quoted(name)}", *QUICK))
        add("register", (f"tracking.register={_quoted(name)}", "training.epochs=1", "cv.folds=2"))
    for estimator in ESTIMATORS:
        add("estimator", ("model=sklearn", f"model.estimator='{estimator}'", *QUICK), ANY | FAILED)
    for extreme in EXTREMES:
        add("extreme", (extreme, *DRY))
        if not extreme.startswith("training.epochs="):
            add("extreme", (*QUICK, extreme))
    for module, lines in OTHER.items():
        for line in lines:
            add(
                module.removeprefix("src."),
                shlex.split(line),
                ANY if line in GOOD_OF_OTHERS else REFUSED,
                module=module,
            )
    for study in STUDIES:
        files = {"own/experiments/mine.yaml": f"# @package _global_\n{study}\n".encode()}
        add("study", ("--config-dir", "own", "experiments=mine", *QUICK, *DRY), files=files)
    for line in FLAGS_OF_HYDRA:
        add("flag", (*line.split(), *([] if line.endswith(("-x", "-c", "--cfg")) else [*QUICK, *DRY])))
    for arguments in islice(_mutated(random.Random(SEED)), MUTATED):
        add("mutated", (*arguments, *DRY))
    return list({case.line: case for case in reversed(made)}.values())[::-1]


# Of the nonsense above, what does mean something to a key.
MEANT: set[tuple[str, str]] = set()


def _quoted(name: str) -> str:
    """A text as Hydra reads it."""
    return "'" + name.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _misspelt(key: str) -> Iterator[str]:
    """Names that are near a key's, and are no key's."""
    section, _, name = key.rpartition(".")
    for wrong in (name[:-2] + name[-1] + name[-2], name[0] + name, name.upper(), name.replace("_", "-")):
        if wrong != name:
            yield f"{section}.{wrong}" if section else wrong


VALID: tuple[tuple[str, ...], ...] = (
    ("model=softmax", "data=iris", "cv.folds=3", "training.l2=1e-3"),
    ("data=csv", "data.path=good.csv", "data.target=label"),
    ("model.hidden_layer_sizes=[16,8]", "model.activation=[relu,tanh]", "training.optimizer=adam"),
    ("-m", "model=bp,logistic,softmax", "training.learning_rate=0.1,0.3,1"),
    ("-m", "seed=range(0,3)", "training.l2=choice(0,1e-3)"),
    ("model=sklearn", "model.estimator=sklearn.svm.SVC", "+model.params.probability=true"),
    ("training.class_weight={0: 2, 1: 1}", "comparison.baselines=[]", "data.separator=';'"),
    ("-m", "experiments=homework5", "training.epochs=3", "comparison.metric=log_loss"),
    ("training.schedule=cosine", "training.early_stopping.patience=3", "tracking.experiment='a b'"),
)
SPECIAL = "=,[]{}()'\"$~+@:.*#\\ \t-&|<>%!?;/^`é\u202e"


def _mutated(random_: random.Random) -> Iterator[tuple[str, ...]]:
    """Valid command lines with some characters dropped, doubled, exchanged or put in."""
    while True:
        words = list(random_.choice(VALID))
        for _ in range(random_.randint(1, 3)):
            place = random_.randrange(len(words))
            word = words[place]
            at = random_.randrange(len(word)) if word else 0
            new = random_.choice(SPECIAL + string.digits[:3])
            words[place] = random_.choice(
                [word[:at] + word[at + 1 :], word[:at] + new + word[at:], word[:at] + new + word[at + 1 :], word + new]
            )
            if random_.random() < 0.1:
                words[place] += words[random_.randrange(len(words))]
        yield tuple(word for word in words if word)
