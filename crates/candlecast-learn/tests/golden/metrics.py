"""Makes metrics.json: metrics of classes and of volatilities as scikit-learn computes them.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install -r requirements.txt
    /tmp/peers/bin/python metrics.py

Made with scikit-learn 1.9.1 and numpy 2.4.6 from seed 20260117. Inputs are written with all their digits, so that both
sides read the same numbers.

What scikit-learn leaves undefined it counts as 0 here (zero_division=0): so do the macro means of the Rust side, whose
values for single classes are then null. Its log loss gets probabilities clipped to 1e-15, as the Rust side clips them.
QLIKE is half the mean Gamma deviance.
"""

import json
import pathlib

import numpy as np
import sklearn
from sklearn import metrics

HERE = pathlib.Path(__file__).parent
SEED = 20260117
CLASSES = [0, 1, 2]
CLIP = 1e-15


def undefined_as_null(values, counts):
    return [float(v) if n > 0 else None for v, n in zip(values, counts)]


def class_case(name, actual, p):
    forecast = p.argmax(axis=1)
    clipped = np.clip(p, CLIP, 1 - CLIP)
    each = {"labels": CLASSES, "average": None, "zero_division": 0}
    macro = {"average": "macro", "zero_division": 0}
    n_actual = [int((actual == c).sum()) for c in CLASSES]
    n_forecast = [int((forecast == c).sum()) for c in CLASSES]
    n_either = [a + f for a, f in zip(n_actual, n_forecast)]
    return {
        "name": name,
        "actual": actual.tolist(),
        "probabilities": p.tolist(),
        "accuracy": metrics.accuracy_score(actual, forecast),
        "balancedAccuracy": metrics.balanced_accuracy_score(actual, forecast),
        "precision": undefined_as_null(metrics.precision_score(actual, forecast, **each), n_forecast),
        "recall": undefined_as_null(metrics.recall_score(actual, forecast, **each), n_actual),
        "f1": undefined_as_null(metrics.f1_score(actual, forecast, **each), n_either),
        "macroPrecision": metrics.precision_score(actual, forecast, **macro),
        "macroRecall": metrics.recall_score(actual, forecast, **macro),
        "macroF1": metrics.f1_score(actual, forecast, **macro),
        "mcc": metrics.matthews_corrcoef(actual, forecast),
        "logLoss": metrics.log_loss(actual, clipped, labels=CLASSES),
        "brier": metrics.brier_score_loss(actual, p, labels=CLASSES, scale_by_half=False),
        "confusion": metrics.confusion_matrix(actual, forecast, labels=CLASSES).tolist(),
    }


def class_cases(rng):
    n = 150
    actual = rng.choice(3, size=n, p=[0.25, 0.5, 0.25])
    skilled = np.array([rng.dirichlet(1 + 2 * np.eye(3)[c]) for c in actual])
    # The middle class is the least probable one in every forecast.
    never = skilled.copy()
    for row in never:
        least = row.argmin()
        row[[1, least]] = row[[least, 1]]
    certain = skilled.copy()
    certain[::7] = np.eye(3)[rng.choice(3, size=len(certain[::7]))]
    # A class that is forecast and never comes true.
    two = np.minimum(actual, 1)
    return [
        class_case("skilled", actual, skilled),
        class_case("one class is never forecast", actual, never),
        class_case("some forecasts are certain, and wrong", actual, certain),
        class_case("one class never comes true", two, skilled),
    ]


def volatility_case(rng):
    n = 150
    log_variance = -9 + rng.normal(size=n)
    forecast = -9 + 0.6 * (log_variance + 9) + 0.4 * rng.normal(size=n)
    actual, variance = np.exp(log_variance), np.exp(forecast)
    return {
        "forecast": forecast.tolist(),
        "actual": actual.tolist(),
        "qlike": metrics.mean_gamma_deviance(actual, variance) / 2,
        "rmse": metrics.root_mean_squared_error(np.sqrt(actual), np.sqrt(variance)),
        "mae": metrics.mean_absolute_error(np.sqrt(actual), np.sqrt(variance)),
        "r2": metrics.r2_score(np.log(actual), forecast),
    }


def main():
    rng = np.random.default_rng(SEED)
    golden = {
        "versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__},
        "seed": SEED,
        "classes": class_cases(rng),
        "volatility": volatility_case(rng),
    }
    (HERE / "metrics.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
