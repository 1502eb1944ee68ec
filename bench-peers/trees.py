"""Fits of xgboost (hist) and scikit-learn's random forest on the samples that bench_trees wrote.

usage: trees.py FOLDER

FOLDER/trees.json describes FOLDER/trees.f32, little-endian f32, one sample a row: the features, the regression
target, the class (0 or 1). The first `trainRows` rows train, the others test. The header:

    {"rows": 20000, "features": 45, "trainRows": 16000, "seed": 1, "threads": 2, "runs": 3,
     "gbdt": {"rounds": 300, "maxDepth": 6, "learningRate": 0.05, "lambda": 1.0, "minChildWeight": 1.0, "bins": 256},
     "forest": {"trees": 100, "maxDepth": 12, "minLeaf": 5, "maxFeatures": 0.33}}

Figures: `gbdt-regression` and `forest-regression` with `rmse`, `gbdt-class` with `auc`, all on the test part.
"""

import json
import sys
from pathlib import Path

import numpy as np
import xgboost
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import roc_auc_score

from figures import report, times_ms


def samples(folder, header):
    width = header["features"] + 2
    table = np.fromfile(folder / "trees.f32", dtype="<f4")
    if table.size != header["rows"] * width:
        sys.exit(f"trees.f32 holds {table.size} numbers, trees.json says {header['rows']} rows of {width}")
    table = table.reshape(header["rows"], width)
    cut = header["trainRows"]
    return table[:cut], table[cut:]


def rmse(predicted, actual):
    return float(np.sqrt(np.mean((predicted.astype(np.float64) - actual.astype(np.float64)) ** 2)))


def boosting(header, **objective):
    options = header["gbdt"]
    return {
        "n_estimators": options["rounds"],
        "max_depth": options["maxDepth"],
        "learning_rate": options["learningRate"],
        "reg_lambda": options["lambda"],
        "min_child_weight": options["minChildWeight"],
        "max_bin": options["bins"],
        "tree_method": "hist",
        "n_jobs": header["threads"],
        "random_state": header["seed"],
    } | objective


def main():
    folder = Path(sys.argv[1])
    header = json.loads((folder / "trees.json").read_text())
    train, test = samples(folder, header)
    n, runs = header["features"], header["runs"]
    x, target, label = train[:, :n].copy(), train[:, n].copy(), train[:, n + 1].copy()
    x_test, target_test, label_test = test[:, :n].copy(), test[:, n], test[:, n + 1]

    model = xgboost.XGBRegressor(**boosting(header))
    times = times_ms(lambda: model.fit(x, target), runs)
    report("gbdt-regression", "xgboost", times, rmse=round(rmse(model.predict(x_test), target_test), 6))

    model = xgboost.XGBClassifier(**boosting(header, objective="binary:logistic"))
    times = times_ms(lambda: model.fit(x, label), runs)
    auc = float(roc_auc_score(label_test, model.predict_proba(x_test)[:, 1]))
    report("gbdt-class", "xgboost", times, auc=round(auc, 6))

    options = header["forest"]
    model = RandomForestRegressor(
        n_estimators=options["trees"],
        max_depth=options["maxDepth"],
        min_samples_leaf=options["minLeaf"],
        max_features=options["maxFeatures"],
        n_jobs=header["threads"],
        random_state=header["seed"],
    )
    times = times_ms(lambda: model.fit(x, target), max(1, runs // 2), warm_up=0)
    report("forest-regression", "scikit-learn", times, rmse=round(rmse(model.predict(x_test), target_test), 6))


if __name__ == "__main__":
    main()
