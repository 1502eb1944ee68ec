"""Reads a gzipped CSV of candles with pandas and writes it as Parquet; timed in process, without imports.

usage: import_csv.py FILE OUT [RUNS]

`pandas` is the default parser, `pandas-pyarrow` the multi-threaded one of PyArrow.
"""

import os
import sys

import pandas as pd

from figures import report, times_ms


def main():
    source, target = sys.argv[1], sys.argv[2]
    runs = int(sys.argv[3]) if len(sys.argv) > 3 else 3

    def convert(**reader):
        frame = pd.read_csv(source, **reader)
        frame["open_time"] = pd.to_datetime(frame["open_time"], unit="ms", utc=True)
        frame.to_parquet(target, index=False)
        return len(frame)

    for variant, reader in (("pandas", {}), ("pandas-pyarrow", {"engine": "pyarrow"})):
        rows = convert(**reader)
        report("import-csv", variant, times_ms(lambda: convert(**reader), runs, warm_up=0), rows=rows)
    os.remove(target)


if __name__ == "__main__":
    main()
