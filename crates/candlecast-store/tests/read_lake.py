"""Checks that PyArrow, pandas, Polars and DuckDB read a lake as it is.

    cargo run -p candlecast-store --example write_lake -- FOLDER > expected.jsonl
    python read_lake.py FOLDER expected.jsonl

Needs pyarrow, pandas, polars and duckdb. Exits with 1 at the first difference.
"""

import json
import math
import sys
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute
import pyarrow.dataset as ds
import pyarrow.parquet as pq

FLOATS = ["open", "high", "low", "close", "volume", "quote_volume", "taker_buy_base"]
COLUMNS = ["open_time", "open", "high", "low", "close", "volume", "quote_volume", "trades", "taker_buy_base"]
OPTIONAL = ["quote_volume", "trades", "taker_buy_base"]


def check(reader, want, rows, first_ms, last_ms, sums, counts):
    name = f"{want['venue']}:{want['symbol']}:{want['interval']}"
    exact = [("rows", rows, want["rows"]), ("first", first_ms, want["first_ms"]), ("last", last_ms, want["last_ms"])]
    exact += [(f"count of {c}", counts[c], want["counts"][c]) for c in OPTIONAL]
    # Readers sum in orders of their own.
    close = [(f"sum of {c}", sums[c] or 0, want["sums"][c]) for c in want["sums"]]
    wrong = [difference for difference in exact if difference[1] != difference[2]]
    wrong += [difference for difference in close if not math.isclose(difference[1], difference[2], rel_tol=1e-9)]
    for what, got, expected in wrong:
        sys.exit(f"{reader}: {name}: {what} is {got}, expected {expected}")


def with_pandas(folder, want):
    frame = pd.read_parquet(folder).sort_values("open_time")
    assert str(frame["open_time"].dtype).startswith("datetime64[ms, UTC"), frame["open_time"].dtype
    ms = frame["open_time"].astype("int64")
    check("pandas", want, len(frame), ms.iloc[0], ms.iloc[-1], frame[list(want["sums"])].sum(),
          frame[OPTIONAL].notna().sum())


def with_polars(folder, want):
    frame = pl.scan_parquet(f"{folder}/*.parquet").sort("open_time").collect()
    assert frame.schema["open_time"] == pl.Datetime("ms", "UTC"), frame.schema
    ms = frame["open_time"].dt.epoch("ms")
    check("polars", want, frame.height, ms[0], ms[-1], {c: frame[c].sum() for c in want["sums"]},
          {c: frame.height - frame[c].null_count() for c in OPTIONAL})


def with_duckdb(root, want):
    sums = ", ".join(f"sum({c})::DOUBLE" for c in want["sums"])
    counts = ", ".join(f"count({c})" for c in OPTIONAL)
    row = duckdb.execute(
        f"""SELECT count(*), epoch_ms(min(open_time)), epoch_ms(max(open_time)), {sums}, {counts}
            FROM read_parquet(?, hive_partitioning = true)
            WHERE venue = ? AND symbol = ? AND "interval" = ?""",
        [f"{root}/**/*.parquet", want["venue"], want["symbol"], want["interval"]],
    ).fetchone()
    n = len(want["sums"])
    check("duckdb", want, row[0], row[1], row[2], dict(zip(want["sums"], row[3:3 + n])),
          dict(zip(OPTIONAL, row[3 + n:])))


def with_pyarrow(root, want):
    parts = ds.partitioning(pa.schema([(c, pa.string()) for c in ["venue", "symbol", "interval"]]), flavor="hive")
    lake = ds.dataset(root, format="parquet", partitioning=parts)
    key = ((ds.field("venue") == want["venue"]) & (ds.field("symbol") == want["symbol"])
           & (ds.field("interval") == want["interval"]))
    table = lake.to_table(columns=COLUMNS, filter=key).sort_by("open_time")
    assert table.schema.field("open_time").type == pa.timestamp("ms", tz="UTC"), table.schema
    ms = table["open_time"].cast(pa.int64())
    check("pyarrow", want, table.num_rows, ms[0].as_py(), ms[-1].as_py(),
          {c: pa.compute.sum(table[c]).as_py() for c in want["sums"]},
          {c: table.num_rows - table[c].null_count for c in OPTIONAL})


def check_file(path, want):
    """The form of the files, and that a reader can leave out row groups by their range of time."""
    file = pq.ParquetFile(path)
    schema = file.schema_arrow
    assert schema.names == COLUMNS, schema.names
    for field in schema:
        assert field.nullable == (field.name in OPTIONAL), f"{path}: {field}"
        assert field.name not in FLOATS or field.type == pa.float64(), f"{path}: {field}"
    assert schema.field("trades").type == pa.int64()
    series = f"{want['venue']}:{want['symbol']}:{want['interval']}"
    assert file.metadata.metadata[b"candlecast.series"].decode() == series
    last = None
    for i in range(file.metadata.num_row_groups):
        times = file.metadata.row_group(i).column(0).statistics
        assert times is not None and times.has_min_max and (last is None or times.min > last), f"{path}: row group {i}"
        last = times.max


def main():
    root, expected = Path(sys.argv[1]), Path(sys.argv[2])
    series = [json.loads(line) for line in expected.read_text().splitlines() if line.strip()]
    for want in series:
        folder = root / f"venue={want['venue']}" / f"symbol={want['symbol']}" / f"interval={want['interval']}"
        for path in sorted(folder.glob("*.parquet")):
            check_file(path, want)
        with_pandas(folder, want)
        with_polars(folder, want)
        with_duckdb(root, want)
        with_pyarrow(root, want)
    print(f"{len(series)} series read alike by pyarrow, pandas, polars and duckdb")


if __name__ == "__main__":
    main()
