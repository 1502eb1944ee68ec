"""Makes the golden files of candlecast-models: inputs, and what scikit-learn and XGBoost make of them.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install -r requirements.txt
    /tmp/peers/bin/python make_golden.py

Inputs are Friedman #1 (Friedman 1991) and a noisy classification derived from it, on eight uniform features. They are
rounded to five decimals, so that both sides read the same numbers.
"""

import json
import pathlib

import numpy as np
import sklearn
import xgboost as xgb
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, roc_auc_score

HERE = pathlib.Path(__file__).parent
VERSIONS = {"scikit-learn": sklearn.__version__, "xgboost": xgb.__version__, "numpy": np.__version__}
N, N_TRAIN, P = 2000, 1200, 8


def inputs():
    rng = np.random.default_rng(20261121)
    x = np.round(rng.uniform(size=(N, P)), 5)
    signal = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    y = np.round(signal + rng.normal(size=N), 5)
    second = np.round(10 * x[:, 5] * x[:, 0] - 5 * x[:, 6] + rng.normal(size=N), 5)
    odds = 0.6 * (signal - np.median(signal))
    binary = (rng.uniform(size=N) < 1 / (1 + np.exp(-odds))).astype(int)
    classes = np.digitize(signal + 2 * rng.normal(size=N), np.quantile(signal, [0.25, 0.75]))
    return x, y, second, binary, classes


def rmse(a, b):
    return float(np.sqrt(np.mean((a - b) ** 2)))


def write(name, content):
    (HERE / name).write_text(json.dumps({"versions": VERSIONS, **content}) + "\n")


def linear(x, y, second, classes):
    n = 300
    out = {"n": n, "ridge": [], "logistic": []}
    for alpha in (0.1, 1.0, 100.0):
        fit = Ridge(alpha=alpha, solver="cholesky").fit(x[:n], np.c_[y[:n], second[:n]])
        out["ridge"].append({"alpha": alpha, "coef": fit.coef_.T.ravel().tolist(), "intercept": fit.intercept_.tolist()})
    for alpha in (0.5, 10.0):
        fit = LogisticRegression(C=1 / alpha, tol=1e-10, max_iter=10_000).fit(x[:n], classes[:n])
        loss = log_loss(classes[N_TRAIN:], fit.predict_proba(x[N_TRAIN:]))
        out["logistic"].append({"alpha": alpha, "coef": fit.coef_.T.ravel().tolist(), "logLoss": loss})
    write("linear.json", out)


# The number of bins moves the figures of one fit by 2 %, in either program: the mean over several is compared.
BINS = (64, 96, 128, 160, 200, 255)


def boosting(x, y, binary, classes):
    train, test = slice(0, N_TRAIN), slice(N_TRAIN, N)
    rows, rounds = [], []
    for bins in BINS:
        common = dict(max_depth=4, learning_rate=0.1, reg_lambda=1.0, min_child_weight=1.0, tree_method="hist",
                      max_bin=bins, n_estimators=150, n_jobs=2)
        regression = xgb.XGBRegressor(**common).fit(x[train], y[train])
        early = xgb.XGBRegressor(**{**common, "n_estimators": 2000}, early_stopping_rounds=30)
        early.fit(x[:900], y[:900], eval_set=[(x[900:N_TRAIN], y[900:N_TRAIN])], verbose=False)
        binary_fit = xgb.XGBClassifier(**common).fit(x[train], binary[train])
        soft = xgb.XGBClassifier(**common).fit(x[train], classes[train])
        rounds.append(int(early.best_iteration) + 1)
        rows.append([
            rmse(regression.predict(x[test]), y[test]),
            rmse(early.predict(x[test]), y[test]),
            float(roc_auc_score(binary[test], binary_fit.predict_proba(x[test])[:, 1])),
            float(log_loss(binary[test], binary_fit.predict_proba(x[test]))),
            float(log_loss(classes[test], soft.predict_proba(x[test]))),
        ])
    names = ("rmse", "earlyRmse", "auc", "binaryLogLoss", "softmaxLogLoss")
    write("boosting.json", {
        "settings": {"maxDepth": 4, "learningRate": 0.1, "rounds": 150, "bins": BINS},
        **dict(zip(names, map(float, np.mean(rows, axis=0)))), "earlyRounds": rounds,
    })


def forest(x, y, second, binary, classes):
    train, test = slice(0, N_TRAIN), slice(N_TRAIN, N)
    both = np.c_[y, second]
    rows = []
    for seed in range(10):
        common = dict(n_estimators=100, min_samples_leaf=5, max_features="sqrt", random_state=seed, n_jobs=2)
        one = RandomForestRegressor(**common).fit(x[train], y[train]).predict(x[test])
        two = RandomForestRegressor(**common).fit(x[train], both[train]).predict(x[test])
        two_classes = RandomForestClassifier(**common).fit(x[train], binary[train]).predict_proba(x[test])
        three = RandomForestClassifier(**common).fit(x[train], classes[train]).predict_proba(x[test])
        rows.append([rmse(one, y[test]), rmse(two[:, 0], y[test]), rmse(two[:, 1], second[test]),
                     roc_auc_score(binary[test], two_classes[:, 1]), log_loss(classes[test], three)])
    mean = np.mean(rows, axis=0)
    names = ("rmse", "rmseFirstOfTwo", "rmseSecondOfTwo", "auc", "classesLogLoss")
    write("forest.json", {"settings": {"trees": 100, "minLeaf": 5, "seeds": 10}, **dict(zip(names, map(float, mean)))})


def main():
    x, y, second, binary, classes = inputs()
    write("inputs.json", {
        "n": N, "nTrain": N_TRAIN, "nFeatures": P, "x": x.ravel().tolist(), "y": y.tolist(), "second": second.tolist(),
        "binary": binary.tolist(), "classes": classes.tolist(),
    })
    linear(x, y, second, classes)
    boosting(x, y, binary, classes)
    forest(x, y, second, binary, classes)


if __name__ == "__main__":
    main()
