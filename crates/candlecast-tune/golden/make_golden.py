"""Makes the golden file of candlecast-tune: inputs, and what Optuna and scipy make of them.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install -r requirements.txt
    /tmp/peers/bin/python make_golden.py

Inputs are drawn from one seed and rounded, so that both sides read the same numbers. Numbers that are not finite are
null. Much of what is called here is private to Optuna: hence the exact version.
"""

import json
import math
import pathlib
import warnings

import numpy as np
import optuna
import scipy
from optuna._hypervolume import compute_hypervolume
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator, _ParzenEstimatorParameters
from optuna.samplers._tpe.sampler import (
    _split_complete_trials_multi_objective,
    _split_trials,
    default_gamma,
    default_gamma_multiobjective,
    default_weights,
)
from optuna.study._multi_objective import _fast_non_domination_rank
from optuna.trial import TrialState, create_trial

HERE = pathlib.Path(__file__).parent
VERSIONS = {"optuna": optuna.__version__, "scipy": scipy.__version__, "numpy": np.__version__}
SEED = 20270114

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)


def plain(value):
    """Without what JSON has no word for."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def splits():
    counts = [*range(0, 40), 70, 110, 240, 250, 251, 260, 500]
    weights = [0, 1, 2, 24, 25, 26, 27, 28, 40, 100]
    return {
        "gamma": [[n, default_gamma(n), default_gamma_multiobjective(n)] for n in counts],
        "weights": [default_weights(n) for n in weights],
    }


# Distributions, by the name that they have in the file.
DOMAINS = {
    "line": FloatDistribution(-2.0, 3.0),
    "rate": FloatDistribution(1e-4, 0.3, log=True),
    "tenths": FloatDistribution(0.1, 0.9, step=0.1),
    "whole": IntDistribution(-3, 12),
    "thirds": IntDistribution(1, 25, step=3),
    "sizes": IntDistribution(1, 600, log=True),
    "wide": IntDistribution(1, 100_000),
    "words": CategoricalDistribution(["a", "b", "c", "d"]),
}


def describe(dist):
    if isinstance(dist, CategoricalDistribution):
        return {"kind": "choice", "n": len(dist.choices)}
    kind = "int" if isinstance(dist, IntDistribution) else "float"
    return {"kind": kind, "low": dist.low, "high": dist.high, "step": dist.step, "log": dist.log}


def draw(rng, dist):
    """A value as Optuna keeps it inside: a number, of words the place."""
    if isinstance(dist, CategoricalDistribution):
        return int(rng.integers(len(dist.choices)))
    if isinstance(dist, IntDistribution):
        if dist.log:
            return int(np.clip(round(math.exp(rng.uniform(math.log(dist.low), math.log(dist.high)))), dist.low, dist.high))
        return int(dist.low + dist.step * rng.integers((dist.high - dist.low) // dist.step + 1))
    if dist.step is not None:
        return round(dist.low + dist.step * int(rng.integers(round((dist.high - dist.low) / dist.step) + 1)), 10)
    if dist.log:
        return round(math.exp(rng.uniform(math.log(dist.low), math.log(dist.high))), 8)
    return round(rng.uniform(dist.low, dist.high), 6)


def column(rng, dist, n, may_repeat):
    """Values of `n` observations. How NumPy orders equal ones is its secret, which shows where there are others beside."""
    values = []
    while len(values) < n:
        value = draw(rng, dist)
        if may_repeat or value not in values or isinstance(dist, CategoricalDistribution):
            values.append(value)
    return values


def parzen(rng):
    cases = []
    plans = [
        (["line"], 0), (["line"], 1), (["line"], 2), (["line"], 9), (["rate"], 12), (["tenths"], 7), (["whole"], 15),
        (["thirds"], 5), (["sizes"], 11), (["wide"], 14), (["words"], 6), (["words"], 0),
        (["line", "rate", "words"], 14), (["tenths", "sizes", "words", "whole"], 8), (["line", "rate"], 60),
    ]
    for names, n in plans:
        space = {name: DOMAINS[name] for name in names}
        rows = list(zip(*(column(rng, dist, n, len(names) == 1) for dist in space.values())))
        points = [[draw(rng, dist) for dist in space.values()] for _ in range(12)]
        points += [[describe(dist).get("low", 0) for dist in space.values()]]
        points += [[describe(dist).get("high", 1) for dist in space.values()]]
        options = [(1.0, True, False)]
        if n in (9, 14, 15):
            options += [(0.3, True, True), (1.0, False, False), (2.0, False, True)]
        for prior, clip, endpoints in options:
            parameters = _ParzenEstimatorParameters(prior, clip, endpoints, default_weights, True)
            columns = lambda rows: {
                name: np.asarray([row[i] for row in rows], dtype=float) for i, name in enumerate(space)
            }
            density = _ParzenEstimator(columns(rows), space, parameters)
            cases.append({
                "domains": [describe(dist) for dist in space.values()],
                "priorWeight": prior, "magicClip": clip, "endpoints": endpoints,
                "rows": rows, "points": points, "lnDensity": density.log_pdf(columns(points)),
            })
    return cases


def curves(rng, n, steps, gaps):
    """Curves that fall to levels of their own, with noise; some end early, some have holes and NaN."""
    made = []
    for i in range(n):
        level = rng.uniform(0.5, 2.0)
        length = steps if not gaps or i % 4 else int(rng.integers(1, steps))
        curve = [[s, round(level + 2 / (s + 1) + 0.15 * rng.normal(), 6)] for s in range(length)]
        if gaps:
            curve = [[s, math.nan if rng.uniform() < 0.05 else v] for s, v in curve if rng.uniform() > 0.15]
        made.append(curve)
    return made


def run_pruner(pruner, curves, goal, brackets=None):
    """The step at which each trial is given up, trial after trial, and null where it never is."""
    study = optuna.create_study(direction=goal, pruner=pruner, study_name="golden")
    pruned = []
    for curve in curves:
        trial = study.ask()
        at = None
        for step, value in curve:
            trial.report(value, step)
            if trial.should_prune():
                at = step
                break
        if brackets is not None:
            brackets.append(pruner._get_bracket_id(study, trial))
        if at is not None:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            values = [value for _, value in curve if not math.isnan(value)]
            study.tell(trial, float(np.mean(values)) if values else 0.0)
        pruned.append(at)
    return pruned


def pruners(rng):
    p = optuna.pruners
    plans = [
        ("median", {}, p.MedianPruner),
        ("median", {"startupTrials": 2, "warmupSteps": 3, "intervalSteps": 4, "minTrials": 3}, p.MedianPruner),
        ("percentile", {"percentile": 25.0}, p.PercentilePruner),
        ("percentile", {"percentile": 70.0, "startupTrials": 1, "intervalSteps": 2}, p.PercentilePruner),
        ("halving", {}, p.SuccessiveHalvingPruner),
        ("halving", {"minSteps": 2, "factor": 2, "offset": 1}, p.SuccessiveHalvingPruner),
        ("halving", {"minSteps": 1, "factor": 3, "bootstrap": 2}, p.SuccessiveHalvingPruner),
        ("hyperband", {}, p.HyperbandPruner),
        ("hyperband", {"minSteps": 1, "maxSteps": 27, "factor": 3}, p.HyperbandPruner),
        ("wilcoxon", {}, p.WilcoxonPruner),
        ("wilcoxon", {"level": 0.3, "startupSteps": 5}, p.WilcoxonPruner),
    ]
    names = {
        "startupTrials": "n_startup_trials", "warmupSteps": "n_warmup_steps", "intervalSteps": "interval_steps",
        "minTrials": "n_min_trials", "percentile": "percentile", "minSteps": "min_resource", "maxSteps": "max_resource",
        "factor": "reduction_factor", "offset": "min_early_stopping_rate", "bootstrap": "bootstrap_count",
        "level": "p_threshold", "startupSteps": "n_startup_steps",
    }
    sets = [curves(rng, 24, 30, False), curves(rng, 24, 30, True)]
    cases = []
    for name, config, make in plans:
        for curve_set in range(len(sets)):
            for goal in ("minimize", "maximize"):
                pruner = make(**{names[key]: value for key, value in config.items()})
                brackets = [] if name == "hyperband" else None
                pruned = run_pruner(pruner, sets[curve_set], goal, brackets)
                case = {"pruner": name, "config": config, "curves": curve_set, "goal": goal, "prunedAt": pruned}
                if brackets is not None:
                    case |= {"brackets": brackets, "shares": pruner._trial_allocation_budgets}
                cases.append(case)
    return {"curves": sets, "cases": cases}


def signed_rank(rng):
    samples = [np.round(rng.normal(0.2, 1.0, n), 6) for n in (1, 2, 3, 5, 9, 13, 14, 20, 50, 51, 80)]
    samples += [np.round(rng.normal(0.2, 1.0, n), 0) for n in (2, 4, 8, 13, 14, 30, 50, 70)]
    samples += [np.zeros(5), np.array([0.0, 1.0, 2.0, -3.0]), np.zeros(60)]
    test = lambda x: scipy.stats.wilcoxon(x, alternative="greater", zero_method="zsplit").pvalue
    return [{"differences": sample, "p": test(sample)} for sample in samples]


def fronts(rng):
    cases = []
    for n, d, rounding in ((1, 2, 3), (12, 2, 1), (40, 2, 3), (40, 2, 0), (30, 3, 2), (30, 3, 0), (25, 4, 1)):
        losses = np.round(rng.normal(0.0, 2.0, (n, d)), rounding) + 0.0
        study = optuna.create_study(directions=["minimize"] * d)
        trials = [create_trial(values=list(row)) for row in losses]
        for number, trial in enumerate(trials):
            trial.number = number
        below = []
        for k in sorted({0, 1, 3, n // 2, max(n - 1, 1), n}):
            if k > n:
                continue
            chosen, _ = _split_complete_trials_multi_objective(trials, study, k)
            below.append([k, [trial.number for trial in chosen]])
        reference = np.max(losses, axis=0) + 0.5
        cases.append({
            "losses": losses, "ranks": _fast_non_domination_rank(losses), "below": below,
            "reference": reference, "volume": compute_hypervolume(losses, reference),
        })
    return cases


def parted(rng):
    cases = []
    for n, goal in ((6, "minimize"), (37, "minimize"), (37, "maximize"), (120, "maximize")):
        study = optuna.create_study(direction=goal)
        trials = []
        for number in range(n):
            state = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.PRUNED][int(rng.integers(3))]
            if number >= n - 3:
                state = TrialState.RUNNING
            if n == 120 and state == TrialState.COMPLETE and number > 20:
                state = TrialState.PRUNED
            value = round(float(rng.normal()), 3) if state == TrialState.COMPLETE else None
            curve = {}
            if state == TrialState.PRUNED and number % 7:
                curve = {step: round(float(rng.normal()), 3) for step in range(int(rng.integers(1, 6)))}
                if number % 5 == 0:
                    curve[max(curve)] = math.nan
            trial = create_trial(state=state, value=value, intermediate_values=curve)
            trial.number = number
            trials.append(trial)
        n_below = default_gamma(n - 3)
        below, above = _split_trials(study, trials, n_below)
        cases.append({
            "goal": goal,
            "trials": [{"state": t.state.name.lower(), "value": t.value, "curve": list(t.intermediate_values.items())}
                       for t in trials],
            "below": [t.number for t in below], "above": [t.number for t in above],
        })
    return cases


def importances(rng):
    cases = []
    plans = [
        (["line", "rate", "words"], 80, 1, "minimize", False),
        (["tenths", "sizes", "whole", "thirds"], 120, 1, "maximize", False),
        (["words", "line", "wide"], 60, 1, "minimize", True),
        (["line", "rate"], 50, 2, "minimize", False),
        (["whole", "words"], 11, 1, "minimize", False),
    ]
    for names, n, n_goals, goal, conditional in plans:
        study = optuna.create_study(directions=[goal] * n_goals)
        rows, values = [], []
        for _ in range(n):
            row = [draw(rng, DOMAINS[name]) for name in names]
            if conditional and row[0] > 1:
                row[1] = None
            numbers = [0.0 if code is None else float(code) for code in row]
            scale = [describe(DOMAINS[name]).get("high", 4) for name in names]
            shares = [number / s for number, s in zip(numbers, scale)]
            losses = [round(sum((share - 0.3 * (k + 1)) ** 2 / (i + 1) for i, share in enumerate(shares)), 6)
                      for k in range(n_goals)]
            external = {name: DOMAINS[name].to_external_repr(code)
                        for name, code in zip(names, row) if code is not None}
            study.add_trial(create_trial(params=external, values=losses,
                                         distributions={name: DOMAINS[name] for name in external}))
            rows.append(row)
            values.append(losses)
        found = PedAnovaImportanceEvaluator().evaluate(study)
        cases.append({
            "domains": [describe(DOMAINS[name]) for name in names], "conditional": conditional, "goal": goal,
            "rows": rows, "values": values, "divergences": [found[name] for name in names],
        })
    return cases


def main():
    rng = np.random.default_rng(SEED)
    content = {
        "versions": VERSIONS,
        "seed": SEED,
        "splits": splits(),
        "parzen": parzen(rng),
        "pruners": pruners(rng),
        "signedRank": signed_rank(rng),
        "fronts": fronts(rng),
        "parted": parted(rng),
        "importances": importances(rng),
    }
    (HERE / "golden.json").write_text(json.dumps(plain(content)) + "\n")


if __name__ == "__main__":
    main()
