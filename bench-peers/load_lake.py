"""Loads one-minute candles from a lake into arrays, as pandas and as PyArrow do it best.

usage: load_lake.py LAKE [RUNS]

LAKE holds venue=…/symbol=…/interval=…/year=….parquet. The columns end as NumPy arrays, as ours end as vectors;
the page cache is warm. Each candle's open time and its five numbers are read, and the three optional columns.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from figures import report, times_ms

COLUMNS = ["open_time", "open", "high", "low", "close", "volume", "quote_volume", "trades", "taker_buy_base"]


def load_pandas(files):
    frame = pd.concat([pd.read_parquet(file, columns=COLUMNS, partitioning=None) for file in files], ignore_index=True)
    return {name: frame[name].to_numpy() for name in COLUMNS}


def load_pyarrow(files):
    table = pa.concat_tables([pq.ParquetFile(file, memory_map=True).read(columns=COLUMNS) for file in files])
    return {name: table[name].to_numpy() for name in COLUMNS}


def main():
    lake = Path(sys.argv[1])
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 15
    files = sorted(str(file) for file in lake.glob("venue=*/symbol=*/interval=1m/*.parquet"))
    if not files:
        sys.exit(f"no one-minute candles below {lake}: import some first")
    for variant, load in (("pandas", load_pandas), ("pyarrow", load_pyarrow)):
        arrays = load(files)
        rows, total = len(arrays["close"]), float(np.nansum(arrays["close"]))
        report("load-lake", variant, times_ms(lambda: load(files), runs, warm_up=2), rows=rows, closeSum=round(total, 2))


if __name__ == "__main__":
    main()
