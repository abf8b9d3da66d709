"""What several data sets say together of candidates that stand on each of them.

Scores on different data sets have no common scale, so candidates are ranked on each, and ranks are averaged. With six
data sets or more differences are tested: by Friedman's test over all candidates, and pair by pair by Wilcoxon's
signed-rank test with Holm's correction (Demšar, "Statistical comparisons of classifiers over multiple data sets", JMLR
7, 2006) and by the Bayesian signed-rank test (Benavoli et al., "A Bayesian Wilcoxon signed-rank test based on the
Dirichlet process", ICML 2014). Five data sets cannot reach p < 0.05 by Wilcoxon's test, whatever they show.
"""

import itertools
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np

from src.comparison import ranking
from src.comparison.families import Family, named_baselines, pairs, rope_of
from src.comparison.jobs import FloatArray, mean
from src.config.schema import ComparisonConfig
from src.evaluation.metrics import higher_is_better
from src.evaluation.significance import Posterior, holm

FEWEST = 3  # data sets for a table
FEWEST_TESTED = 6
MOST_EXACT = 13  # data sets, of which all 2^n signs are gone through
SAMPLES = 50_000  # of the Bayesian test
PRIOR_WEIGHT = 0.5  # of its one observation that shows no difference
ALPHA = 0.05


@dataclass(frozen=True, eq=False)
class PairAcross:
    """A candidate against a baseline over N data sets.

    Attributes
    ----------
    difference : mean over the data sets of the difference in score, model minus baseline.
    wins, losses : data sets on which the model's score is the better, the worse.
    p, p_holm : Wilcoxon's signed-rank test, two-sided, exact for few data sets; after Holm's correction for all pairs
        tested. None where there are too few data sets to test.
    p_worse, p_equal, p_better : Bayesian signed-rank test; None likewise.
    """

    model: str
    baseline: str
    difference: float
    wins: int
    losses: int
    p: float | None = None
    p_holm: float | None = None
    p_worse: float | None = None
    p_equal: float | None = None
    p_better: float | None = None

    @property
    def is_difference(self) -> bool:
        """Whether the corrected test shows one."""
        return self.p_holm is not None and self.p_holm <= ALPHA


@dataclass(frozen=True, eq=False)
class AcrossData:
    """Candidates over N data sets.

    Attributes
    ----------
    data : the data sets.
    names : the candidates that stand on all of them, best mean rank first.
    ranks : each one's mean rank, 1 for the best, equals sharing theirs; shape (k,).
    scores : mean scores, shape (k, N).
    friedman : p of Friedman's test; None for fewer than six data sets or three candidates.
    critical_difference : of mean ranks at 5 % (Nemenyi; Demšar 2006, 3.2.2); None likewise, and where Friedman's test
        shows no difference, after which none is looked for between two.
    pairs : against the baselines, or with the best where there are none.
    tests : the number of pairs that they are corrected for.
    left_out : candidates that stand on some of the data sets only.
    """

    data: tuple[str, ...]
    names: tuple[str, ...]
    ranks: FloatArray
    scores: FloatArray
    friedman: float | None
    critical_difference: float | None
    pairs: tuple[PairAcross, ...]
    tests: int
    left_out: tuple[str, ...]

    @property
    def is_tested(self) -> bool:
        """Whether there are enough data sets for a test."""
        return len(self.data) >= FEWEST_TESTED

    @property
    def least_p_holm(self) -> float:
        """The least p that so many data sets and pairs can reach: every difference of one sign, Holm's first step."""
        return min(1.0, self.tests * 2 * 0.5 ** len(self.data))

    @property
    def can_show(self) -> bool:
        """Whether the tests of the pairs can show a difference at all."""
        return self.is_tested and self.least_p_holm <= ALPHA


def across_data(families: Sequence[Family], options: ComparisonConfig) -> AcrossData | None:
    """Put the candidates of several data sets together; None with fewer than three data sets or two candidates."""
    found = [{one.name: one for one in family.candidates} for family in families]
    everywhere = [name for name in dict.fromkeys(itertools.chain(*found)) if all(name in names for names in found)]
    if len(families) < FEWEST or len(everywhere) < 2:
        return None
    from scipy.stats import rankdata

    scores = np.array([[names[name].mean for names in found] for name in everywhere])
    quality = -scores if higher_is_better(options.metric) else scores
    ranks = rankdata(np.round(quality, ranking.DIGITS), axis=0).mean(axis=1)  # equals share their mean rank
    by_rank = sorted(range(len(everywhere)), key=lambda place: (ranks[place], everywhere[place]))
    names, scores, ranks = tuple(everywhere[place] for place in by_rank), scores[by_rank], ranks[by_rank]
    baselines = named_baselines([found[0][name] for name in names], options.baselines)
    told, tested = pairs(names, baselines if len(baselines) < len(names) else [])
    is_tested = len(families) >= FEWEST_TESTED
    friedman = _friedman(scores) if is_tested and len(names) > 2 else None
    is_rejected = friedman is not None and friedman <= ALPHA
    rows = dict(zip(names, scores, strict=True))
    p_values = [wilcoxon(rows[one], rows[other]) for one, other in tested] if is_tested else []
    p_of_pair = dict(zip(tested, zip(p_values, holm(p_values), strict=True), strict=True)) if is_tested else {}
    return AcrossData(
        data=tuple(family.data for family in families),
        names=names,
        ranks=ranks,
        scores=scores,
        friedman=friedman,
        critical_difference=critical_difference(*scores.shape) if is_rejected else None,
        pairs=tuple(_pair(pair, rows, options, p_of_pair.get(pair, ())) for pair in told),
        tests=len(tested),
        left_out=tuple(name for name in dict.fromkeys(itertools.chain(*found)) if name not in names),
    )


def _pair(
    pair: tuple[str, str], rows: dict[str, FloatArray], options: ComparisonConfig, p: Sequence[float]
) -> PairAcross:
    """How a pair does over the data sets; `p` holds its p-value and Holm's, none if nothing is tested."""
    difference = np.round(rows[pair[0]] - rows[pair[1]], ranking.DIGITS)
    quality = difference if higher_is_better(options.metric) else -difference
    shares = astuple(signed_rank_posterior(quality, rope_of(options) or 0.0)) if p else ()
    return PairAcross(*pair, mean(difference), int((quality > 0).sum()), int((quality < 0).sum()), *p, *shares)


def wilcoxon(scores: FloatArray, baseline: FloatArray) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test over data sets, each of shape (N,); exact for few of them.

    Data sets without a difference count half for each side (Pratt 1959), so that leaving them out cannot make a
    difference.
    """
    from scipy import stats

    differences = np.round(scores - baseline, ranking.DIGITS)
    if not differences.any():
        return 1.0
    if len(differences) > MOST_EXACT:
        return float(stats.wilcoxon(differences, zero_method="pratt").pvalue)
    # scipy's own exact test takes no ties and no zeros, and its permutations take seconds.
    ranks = stats.rankdata(np.abs(differences)) * np.sign(differences)
    signs = 1 - 2 * (np.arange(2 ** len(ranks))[:, None] >> np.arange(len(ranks)) & 1)
    return float((np.abs(signs @ ranks) >= abs(ranks.sum())).mean())


def signed_rank_posterior(differences: FloatArray, rope: float) -> Posterior:
    """Bayesian signed-rank test of differences over data sets, shape (N,).

    A Dirichlet process whose prior is one observation without a difference, of weight 0.5: in each sample of weights
    the region with the largest share of the sums z_i + z_j of pairs of data sets wins. (`baycomp`, which a test holds
    this to, draws its figures with another library.)
    """
    z = np.concatenate([[0.0], differences])
    sums = z[:, None] + z
    inside = np.abs(sums) <= 2 * rope
    above = np.where(inside, 0.5 * (sums == 2 * rope), sums > 0)
    below = np.where(inside, 0.5 * (sums == -2 * rope), sums < 0)
    weights = np.random.default_rng(0).dirichlet([PRIOR_WEIGHT, *np.ones(len(differences))], SAMPLES)
    shares = np.array([np.einsum("si,ij,sj->s", weights, region, weights, optimize=True) for region in (below, above)])
    regions = np.vstack([shares, 1 - shares.sum(axis=0)])
    won = np.bincount(regions.argmax(axis=0), minlength=3) / SAMPLES
    return Posterior(float(won[0]), float(won[2]), float(won[1]))


def _friedman(scores: FloatArray) -> float:
    """P of Friedman's test over data sets (its chi-squared form, in scipy)."""
    from scipy import stats

    rounded = np.round(scores, ranking.DIGITS)
    if not np.ptp(rounded, axis=0).any():
        return 1.0
    return float(stats.friedmanchisquare(*rounded).pvalue)


def critical_difference(candidates: int, data_sets: int) -> float:
    """The difference of two mean ranks that shows a difference at 5 %: q sqrt(k (k + 1) / (6 N)) (Nemenyi).

    q is the quantile of the studentized range for k groups and infinitely many degrees of freedom, over sqrt(2)
    (Demšar 2006, table 5: 2.343 for three, 2.850 for six).
    """
    from scipy import stats

    q = stats.studentized_range.ppf(1 - ALPHA, candidates, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(candidates * (candidates + 1) / (6 * data_sets)))
