#!/usr/bin/env bash
# kaw and kcat side by side: the same work against the same broker, in turn, and the medians.
#
#   tests/versus.sh [WORK…]      WORK: bulk formats one start topics (default: all of them)
#   tests/versus.sh broker       kaw's broker, the floor (tests/floor) and Apache Kafka with the same
#                                client: throughput, the broker's CPU seconds a GiB, its peak memory
#
# ROUNDS=5  RECORDS=5000000  KAW=path of an optimised kaw (default: built here)
# BROKERS=HOST:PORT  measure bulk, formats and one against this running cluster, such as an Apache Kafka;
#                    otherwise against a `kaw broker` started for it, and start and topics too.
# KAFKA_LIB=DIR      with `broker`: Apache Kafka's jars, as tests/apache-kafka.sh fetches them; without
#                    them that side is left out. BYTES=536870912 are sent each time. Needs jq. kaw's
#                    broker leaves the disk to the system as the others do, or not: DURABILITY=fsync.
# Needs kcat and GNU time. Everything lies in a directory under TMPDIR that is removed at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

ROUNDS=${ROUNDS:-5}
RECORDS=${RECORDS:-5000000}
PORT=${PORT:-21690}
brokers=${BROKERS:-127.0.0.1:$PORT}
for tool in kcat time; do
  type -P "$tool" >/dev/null || { echo "versus.sh: $tool is not installed" >&2; exit 1; }
done
if [ -z "${KAW:-}" ]; then
  cargo build --release --quiet
  KAW=target/release/kaw
fi
tmp=$(mktemp -d)
broker=
side=
trap 'stop_broker; stop_side; rm -rf "$tmp"' EXIT

start_broker() { # DATA_DIR: returns when the first Metadata request is answered
  "$KAW" broker --data-dir "$1" --listen "127.0.0.1:$PORT" >"$tmp/broker.out" 2>"$tmp/broker.err" &
  broker=$!
  until answers; do
    kill -0 "$broker" 2>/dev/null || { cat "$tmp/broker.err" >&2; exit 1; }
  done
}

answers() { # one Metadata v1 request for no topic, and the length of its answer
  exec 3<>"/dev/tcp/127.0.0.1/$PORT" || return 1
  printf '\0\0\0\x0e\0\x03\0\x01\0\0\0\x01\xff\xff\0\0\0\0' >&3
  local length
  length=$(head -c 4 <&3 | wc -c)
  exec 3>&-
  [ "$length" = 4 ]
} 2>/dev/null

stop_broker() {
  [ -z "$broker" ] && return
  kill "$broker" 2>/dev/null && wait "$broker" || true
  broker=
}

# SIDE COMMAND: appends "milliseconds, CPU milliseconds, peak KiB" to that side's file.
once() {
  local start=${EPOCHREALTIME/./} end
  command time -o "$tmp/usage" -f '%U %S %M' sh -c "$2"
  end=${EPOCHREALTIME/./}
  awk -v us=$((end - start)) '{ print us / 1000, ($1 + $2) * 1000, $3 }' "$tmp/usage" >>"$tmp/$1"
}

median() { # FILE COLUMN
  awk -v column="$2" '{ print $column }' "$1" | sort -n | awk '{ all[NR] = $1 }
    END { print NR % 2 ? all[(NR + 1) / 2] : (all[NR / 2] + all[NR / 2 + 1]) / 2 }'
}

# LABEL KAW_COMMAND OTHER_COMMAND [BEFORE_EACH]: both in turn, then a line of medians.
compare() {
  rm -f "$tmp/kaw" "$tmp/kcat"
  for ((round = 0; round < ROUNDS; round++)); do
    for side in kaw kcat; do
      eval "${4:-:}"
      if [ $side = kaw ]; then once kaw "$2"; else once kcat "$3"; fi
    done
  done
  local column figures=()
  for column in 1 2 3; do
    figures+=("$(median "$tmp/kaw" $column)" "$(median "$tmp/kcat" $column)")
  done
  printf '%s\n' "${figures[@]}" | paste -sd' ' | awk -v label="$1" '{
    printf "%-22s %10.1f %10.1f %6.2f  %9.0f %9.0f  %7.1f %7.1f\n",
      label, $1, $2, $2 / $1, $3, $4, $5 / 1024, $6 / 1024 }'
}

# LABEL UNIT GOAL COMMAND: runs COMMAND, which appends a number to $tmp/figure, ROUNDS times.
measure() {
  rm -f "$tmp/figure"
  for ((round = 0; round < ROUNDS; round++)); do eval "$4"; done
  printf '%-34s %10.1f %s (goal: %s)\n' "$1" "$(median "$tmp/figure" 1)" "$2" "$3"
}

timed() { # COMMAND…: its milliseconds become a figure
  local start=${EPOCHREALTIME/./}
  "$@"
  awk -v us=$((${EPOCHREALTIME/./} - start)) 'BEGIN { print us / 1000 }' >>"$tmp/figure"
}

headings() {
  printf '%-22s %10s %10s %6s  %9s %9s  %7s %7s\n' work kaw_ms kcat_ms ratio \
    kaw_cpu kcat_cpu kaw_MiB kcat_MiB
}

fresh_topic() {
  "$KAW" -b "$brokers" -q topic delete --if-exists versus >/dev/null
  "$KAW" -b "$brokers" -q topic create versus -p 1 >/dev/null
}

bulk() {
  local lines=$tmp/lines
  seq -f '%099.0f' "$RECORDS" >"$lines"
  compare "produce $RECORDS lines" "$KAW -q -b $brokers produce versus <$lines" \
    "kcat -q -b $brokers -P -t versus <$lines" fresh_topic
  compare "consume them" "$KAW -q -b $brokers consume -e versus >/dev/null" \
    "kcat -q -b $brokers -C -e -t versus >/dev/null"
}

formats() {
  local lines=$tmp/keyed
  seq -f '%099.0f' "$RECORDS" | sed 's/^\(.\{89\}\)\(.*\)/\2:\1/' >"$lines"
  compare "produce with keys" "$KAW -q -b $brokers produce versus -K : <$lines" \
    "kcat -q -b $brokers -P -t versus -K : <$lines" fresh_topic
  local format="'%t %p %o %k %s\\n'"
  compare "consume -f" "$KAW -q -b $brokers consume -e versus -f $format >/dev/null" \
    "kcat -q -b $brokers -C -e -t versus -f $format >/dev/null"
  compare "consume -J" "$KAW -q -b $brokers consume -e versus -J >/dev/null" \
    "kcat -q -b $brokers -C -e -t versus -J >/dev/null"
}

one() {
  compare "produce one record" "echo hi | $KAW -q -b $brokers produce versus" \
    "echo hi | kcat -q -b $brokers -P -t versus" fresh_topic
  fresh_topic
  echo hi | "$KAW" -q -b "$brokers" produce versus
  compare "consume one record" "$KAW -q -b $brokers consume -e versus >/dev/null" \
    "kcat -q -b $brokers -C -e -t versus >/dev/null"
}

start() {
  stop_broker
  measure "broker: start to first Metadata" ms "20" \
    'rm -rf "$tmp/empty"; timed start_broker "$tmp/empty"; idle_memory; stop_broker'
  mv "$tmp/idle" "$tmp/figure.idle"
  measure "broker: idle resident memory" MiB "15" 'cp "$tmp/figure.idle" "$tmp/figure"'
  measure "first record, no broker running" ms "100" \
    'rm -rf "$tmp/home"; timed first_record; "$KAW" --data-dir "$tmp/home" -q broker stop'
}

idle_memory() {
  awk '/^VmRSS/ { print $2 / 1024 }' "/proc/$broker/status" >>"$tmp/idle"
}

first_record() {
  echo hi | "$KAW" -q --data-dir "$tmp/home" produce versus
}

topics() {
  stop_broker
  local names
  names=$(seq -f 'topic-%g' 1000)
  measure "1,000 topics of 10 partitions" ms "2000" \
    'rm -rf "$tmp/many"; start_broker "$tmp/many"; timed create_all; stop_broker'
  measure "restart with them" ms "500" 'timed start_broker "$tmp/many"; stop_broker'
}

create_all() {
  # shellcheck disable=SC2086 # One word a topic.
  "$KAW" -q -b "127.0.0.1:$PORT" topic create -p 10 $names >/dev/null
  [ "$("$KAW" -q -b "127.0.0.1:$PORT" topic list | grep -c topic-)" = 1000 ]
}

# As kafka-server-start.sh and kafka-run-class.sh have them.
stock='-Xms1G -Xmx1G -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20
  -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent'

# SIDE: starts it on an empty directory; its address is in $address.
start_side() {
  local port=$((PORT + 10)) dir=$tmp/$1
  named=$1
  rm -rf "$dir" && mkdir -p "$dir"
  : >"$tmp/side.out"
  case $1 in
    kaw) "$KAW" broker --data-dir "$dir" --listen 127.0.0.1:0 --durability "${DURABILITY:-os}" >"$tmp/side.out" 2>/dev/null & ;;
    floor) "$FLOOR" "$dir" >"$tmp/side.out" & ;;
    # It stops when its stdin ends.
    kafka) mkfifo "$dir/hold"
      KAFKA_JVM=$stock tests/apache-kafka.sh serve "$KAFKA_LIB" "$dir" $port <"$dir/hold" >"$tmp/side.out" &
      exec 4>"$dir/hold" ;;
  esac
  side=$!
  until grep -q . "$tmp/side.out"; do
    kill -0 $side || { echo "versus.sh: $1 did not start" >&2; exit 1; }
  done
  address=$(grep -oE '127\.0\.0\.1:[0-9]+' "$tmp/side.out" | head -1) || address=127.0.0.1:$port
}

stop_side() {
  [ -z "$side" ] && return
  exec 4>&-
  [ "$named" = kafka ] || kill $side
  wait $side || true
  side=
  rm -rf "${tmp:?}/$named"
}

# SIDE CELL WORK…: appends "records/s, broker CPU seconds a GiB, broker peak MiB".
bench_side() {
  "$KAW" -q bench "${@:3}" -b "$address" --json >"$tmp/result"
  jq -r '.results[0].runs[0] | .window.bytes as $bytes | .metrics
    | [."records/s", ."broker-cpu" * 1073741824 / $bytes, ."broker-memory" / 1048576] | @tsv' \
    "$tmp/result" >>"$tmp/$1.$2"
}

broker() {
  local sides=(kaw floor) name cell records size partitions codec work
  [ -z "${KAFKA_LIB:-}" ] || sides+=(kafka)
  type -P jq >/dev/null || { echo "versus.sh: jq is not installed" >&2; exit 1; }
  FLOOR=${FLOOR:-$(dirname "$KAW")/examples/floor}
  [ -x "$FLOOR" ] || cargo build --release --quiet --example floor
  rm -f "$tmp"/*.cell-*
  for ((round = 0; round < ROUNDS; round++)); do
    for name in "${sides[@]}"; do
      start_side "$name"
      for cell in $(cells); do
        IFS=- read -r _ work size partitions codec <<<"$cell"
        records=$((${BYTES:-536870912} / size))
        bench_side "$name" "$cell" "$work" --records $records --record-size "$size" \
          --partitions "$partitions" -z "$codec" --payload text
      done
      stop_side
    done
  done
  printf '%-24s' 'bytes-partitions-codec'
  for name in "${sides[@]}"; do printf ' %12s %8s %6s' "$name:rec/s" s/GiB MiB; done
  for name in "${sides[@]:1}"; do printf ' %12s %5s' "rate/$name" CPU; done
  echo
  for cell in $(cells); do report_cell "$cell" "${sides[@]}"; done
}

cells() {
  local work size partitions codec
  for work in produce consume; do for size in 100 1024; do for partitions in 1 6; do
    for codec in none lz4; do echo "cell-$work-$size-$partitions-$codec"; done
  done; done; done
}

report_cell() { # CELL SIDE…
  local cell=$1 name all=
  shift
  printf '%-24s' "${cell#cell-}"
  for name in "$@"; do
    all+="$(median "$tmp/$name.$cell" 1) $(median "$tmp/$name.$cell" 2) $(median "$tmp/$name.$cell" 3) "
  done
  awk 'function ratio(one, other) { return other ? sprintf("%.2f", one / other) : "-" }
    { for (i = 1; i < NF; i += 3) printf " %12.0f %8.2f %6.1f", $i, $(i + 1), $(i + 2)
      for (i = 4; i < NF; i += 3) printf " %12s %5s", ratio($1, $i), ratio($2, $(i + 1))
      print "" }' <<<"$all"
}

works=${*:-bulk formats one start topics}
case " $works " in *" bulk "* | *" formats "* | *" one "*)
  [ -n "${BROKERS:-}" ] || start_broker "$tmp/data"
  headings ;;
esac
for work in $works; do
  case $work in
    bulk | formats | one | broker) $work ;;
    start | topics) if [ -z "${BROKERS:-}" ]; then $work; fi ;;
    *) echo "versus.sh: no work '$work'; there are bulk, formats, one, start, topics and broker" >&2; exit 2 ;;
  esac
done
