#!/bin/sh
# Stands in for candlecast: acts on `--data-dir D (--quiet|--json) [--now T] COMMAND …` and keeps all state in D. Words
# in capitals are replaced by a test that wants something done wrong.
dir=$2
parent=$(dirname "$dir")
shift 3
if test "$1" = --now; then shift 2; fi
mkdir -p "$dir/jobs" "$dir/models"
touch "$dir/play.csv" "$dir/log" "$dir/ledger"

# Puts text into a file: there is always the old one or the new one.
put() { echo "$2" > "$1.new" && mv "$1.new" "$1"; }

# Does the work of job $1 and puts its result on record.
finish() {
  work=$(cat "$dir/jobs/$1/work")
  WORK
  case "$work" in
    train*)
      SAVE_MODEL
      ;;
  esac
  LEDGER
  put "$dir/jobs/$1/result" "{\"model\":{\"sha256\":\"$digest\"}}"
  put "$dir/jobs/$1/state" succeeded
}

job() {
  id=J$(ls "$dir/jobs" | wc -l | tr -d ' ')
  mkdir -p "$dir/new"
  echo "$*" > "$dir/new/work"
  echo running > "$dir/new/state"
  mv "$dir/new" "$dir/jobs/$id"
  finish "$id"
}

# A series of `data list`: its file of rows, venue, symbol and interval.
series() {
  test -e "$1" || return
  printf '%s{"venue":"%s","symbol":"%s","interval":"%s","rows":%s}' "$sep" "$2" "$3" "$4" "$(cat "$1")"
  sep=,
}

# A table of a dump: its name, columns and file of rows.
table() {
  printf '%s{"name":"%s","columns":[%s],"rows":%s}' "$sep" "$1" "$2" "$(wc -l < "$3" | tr -d ' ')"
  sep=,
  cp "$3" "$pack/database/$1.0000.jsonl"
}

# Plays file $1 up to candle $2: each is stored and logged, then told of.
play() {
  stored=$(wc -l < "$dir/play.csv" | tr -d ' ')
  i=0
  # No pipe: its other side would outlive a kill.
  tail -n 1440 "$1" > "$dir/source.csv"
  while IFS= read -r line; do
    test "$i" -lt "$2" || break
    i=$((i + 1))
    TELL_CANDLE
    if test $((i % 60)) = 0; then
      origin=$((1578614400000 + i * 60000))
      if ! grep -q "$origin" "$dir/log"; then
        rows=
        for step in 1 5; do
          rows="$rows[0,\"price\",\"M\",\"replay-binance\",\"SOLUSDT\",\"1m\",$origin,$step]
"
        done
        LOG_FORECAST
      fi
      day=$((10 + i / 1440))
      minute=$((i % 1440))
      printf '{"event":"forecast","venue":"replay-binance","symbol":"SOLUSDT","interval":"1m","modelId":"M",'
      printf '"origin":"2020-01-%02dT%02d:%02d:00Z",' $day $((minute / 60)) $((minute % 60))
      printf '"inTime":true,"seenFuture":false}\n'
    fi
  done < "$dir/source.csv"
}

case "$1 $2" in
  "import "*)
    shift
    for file in "$@"; do
      n=$(($(wc -l < "$file") - 1))
      case "$file" in
        *BTCUSDT*) SAVE_ROWS ;;
        *ETHUSDT*) put "$dir/rows.hours" "$n" ;;
        *) put "$dir/rows.minutes" "$n" ;;
      esac
    done
    ;;
  "data list")
    sep=
    printf '['
    series "$dir/rows" binance BTCUSDT 5m
    series "$dir/rows.hours" binance ETHUSDT 1h
    series "$dir/rows.minutes" binance SOLUSDT 1m
    if test -s "$dir/play.csv"; then
      wc -l < "$dir/play.csv" | tr -d ' ' > "$dir/rows.played"
      series "$dir/rows.played" replay-binance SOLUSDT 1m
    fi
    echo ']'
    ;;
  "data check") test -s "$dir/rows" ;;
  "data export")
    echo open_time > "$6"
    cat "$dir/play.csv" >> "$6"
    ;;
  "models list")
    sep=
    printf '['
    for file in "$dir"/models/M*; do
      test -e "$file" || continue
      name=$(basename "$file" .json)
      printf '%s{"id":"%s","sha256":"%s"}' "$sep" "$name" "$(tr -d '"\n' < "$file")"
      sep=,
    done
    echo ']'
    ;;
  "jobs list")
    sep=
    printf '{"jobs":['
    for file in "$dir"/jobs/*; do
      test -e "$file" || continue
      state=$(cat "$file/state")
      if test "$state" = running; then state=DEAD; fi
      printf '%s{"id":"%s","state":"%s"}' "$sep" "$(basename "$file")" "$state"
      sep=,
    done
    echo ']}'
    ;;
  "jobs show") echo "{\"result\":$(cat "$dir/jobs/$3/result")}" ;;
  "jobs retry")
    again=yes
    finish "$3"
    ;;
  "predict "*)
    case "$*" in
      *--no-log*) ;;
      *) echo '[0,"price","H","binance","ETHUSDT","1h",1,1]' >> "$dir/log" ;;
    esac
    echo '{"price":1}'
    ;;
  "predictions validate") ;;
  "train "* | "compare "*) job "$@" ;;
  "stream "*)
    until=1440
    case "$*" in *"--for 1h"*) until=60 ;; esac
    play "$9" $until
    ;;
  "backup "*)
    pack="$parent/.pack"
    rm -rf "$pack"
    mkdir -p "$pack/database"
    cp -R "$dir" "$pack/state"
    sep=
    {
      printf '{"tables":['
      table ml_ledger '{"name":"seq"},{"name":"id"}' "$dir/ledger"
      table ml_predictions '{"name":"seq"},{"name":"task"},{"name":"model_id"},{"name":"venue"},{"name":"symbol"},{"name":"interval"},{"name":"origin"},{"name":"step"}' "$dir/log"
      printf ']}'
    } > "$pack/database/dump.json"
    case "$*" in
      *--without-candles*) tar -cf "$2" -C "$pack" . ;;
      *) PUT_ARCHIVE ;;
    esac
    ;;
  "restore "*)
    mkdir -p "$parent/.unpacked"
    tar -xf "$2" -C "$parent/.unpacked" || exit 1
    rm -rf "$dir"
    mv "$parent/.unpacked/state" "$dir"
    rm -rf "$parent/.unpacked"
    ;;
  *) exit 2 ;;
esac
