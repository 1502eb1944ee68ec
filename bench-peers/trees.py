"""Fits of xgboost (hist) and scikit-learn's random forest on the samples that bench_trees wrote.

usage: trees.py FOLDER

FOLDER/trees.json has the settings and the sets; each set's file holds little-endian f32, one sample a row: the
features, the regression target, the class (0 or 1). The first `trainRows` rows train, the others test:

    {"features": 45, "threads": 2, "seed": 1, "runs": 1, "sets": [{
        "name": "8760x45", "file": "8760x45.f32", "rows": 8760, "trainRows": 7008,
        "gbdt": {"rounds": 300, "maxDepth": 6, "learningRate": 0.05, "lambda": 1.0, "minChildWeight": 1.0, "bins": 256},
        "forest": {"trees": 100, "maxDepth": null, "minLeaf": 5, "maxFeatures": 15}}]}

Figures of each set: `gbdt-regression-NAME` and `forest-regression-NAME` with `rmse`, `gbdt-class-NAME` with `auc`,
all on the test part.
"""

import json
import sys
from pathlib import Path

import numpy as np
import xgboost
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import roc_auc_score

from figures import report, times_ms


def samples(path, part, width):
    """Rows that train and rows that test, features and both targets side by side."""
    table = np.fromfile(path, dtype="<f4")
    if table.size != part["rows"] * width:
        sys.exit(f"{path} holds {table.size} numbers, trees.json says {part['rows']} rows of {width}")
    table = table.reshape(part["rows"], width)
    return table[: part["trainRows"]], table[part["trainRows"] :]


def rmse(predicted, actual):
    return float(np.sqrt(np.mean((predicted.astype(np.float64) - actual.astype(np.float64)) ** 2)))


def boosting(header, part, **objective):
    options = part["gbdt"]
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


def forest(header, part):
    options = part["forest"]
    return RandomForestRegressor(
        n_estimators=options["trees"],
        max_depth=options["maxDepth"],
        min_samples_leaf=options["minLeaf"],
        max_features=options["maxFeatures"],
        n_jobs=header["threads"],
        random_state=header["seed"],
    )


def bench(folder, header, part):
    n, runs, name = header["features"], header["runs"], part["name"]
    train, test = samples(folder / part["file"], part, n + 2)
    x, target, label = train[:, :n].copy(), train[:, n].copy(), train[:, n + 1].copy()
    x_test, target_test, label_test = test[:, :n].copy(), test[:, n], test[:, n + 1]

    # What a first fit loads and starts up does not count.
    xgboost.XGBRegressor(**boosting(header, part) | {"n_estimators": 2}).fit(x, target)
    model = xgboost.XGBRegressor(**boosting(header, part))
    times = times_ms(lambda: model.fit(x, target), runs, warm_up=0)
    report(f"gbdt-regression-{name}", "xgboost", times, rmse=round(rmse(model.predict(x_test), target_test), 6))

    model = xgboost.XGBClassifier(**boosting(header, part, objective="binary:logistic"))
    times = times_ms(lambda: model.fit(x, label), runs, warm_up=0)
    auc = float(roc_auc_score(label_test, model.predict_proba(x_test)[:, 1]))
    report(f"gbdt-class-{name}", "xgboost", times, auc=round(auc, 6))

    model = forest(header, part)
    times = times_ms(lambda: model.fit(x, target), runs, warm_up=0)
    report(f"forest-regression-{name}", "scikit-learn", times, rmse=round(rmse(model.predict(x_test), target_test), 6))


def main():
    folder = Path(sys.argv[1])
    header = json.loads((folder / "trees.json").read_text())
    for part in header["sets"]:
        bench(folder, header, part)


if __name__ == "__main__":
    main()
