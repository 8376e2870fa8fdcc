#!/usr/bin/env bash
# A real Apache Kafka for the tests: one node, broker and controller in one, on 127.0.0.1 only.
# Needs a Java 17 or newer and, for the first fetch, Maven.
#
#   apache-kafka.sh fetch JARS                    Kafka's jars from Maven Central into JARS, once
#   apache-kafka.sh serve JARS DIR PORT [K=V…]    a broker on DIR/data (formatted if it is new), its
#                                                 controller on PORT+1; says "ready" on stdout when
#                                                 it answers; stops cleanly when its stdin ends
#   apache-kafka.sh tool JARS CLASS [ARG…]        one of Kafka's own command-line classes
#
# K=V are added to server.properties and win; log.dirs=DIR serves another data directory. The words
# of KAFKA_FORMAT are added to `kafka-storage format`, such as --add-scram SCRAM-SHA-256=[…], those
# of KAFKA_UNDER stand before java, such as strace -f, and those of KAFKA_JVM are java's own.
set -euo pipefail

version=4.3.1
scala=2.13
log4j=2.25.4   # What Kafka brings; its binding to slf4j 1.7 is not among Kafka's own jars.

fail() { echo "apache-kafka.sh: $*" >&2; exit 1; }

# Kafka's dependencies without Connect's web server, which one plug-in tool alone needs.
pom() {
  dependency() { echo "<dependency><groupId>$1</groupId><artifactId>$2</artifactId>" \
    "<version>$3</version>${4:-}</dependency>"; }
  echo '<project><modelVersion>4.0.0</modelVersion><groupId>kaw</groupId>'
  echo '<artifactId>apache-kafka</artifactId><version>1</version><packaging>pom</packaging>'
  echo '<dependencies>'
  dependency org.apache.kafka "kafka_$scala" "$version"
  dependency org.apache.kafka kafka-tools "$version" '<exclusions><exclusion>
    <groupId>org.apache.kafka</groupId><artifactId>connect-runtime</artifactId>
    </exclusion></exclusions>'
  for part in log4j-slf4j-impl log4j-core log4j-api; do
    dependency org.apache.logging.log4j $part "$log4j"
  done
  echo '</dependencies></project>'
}

fetch() {
  local jars=$1 work
  [ ! -f "$jars/complete" ] || return 0
  work=$(mktemp -d)
  pom >"$work/pom.xml"
  mkdir -p "$jars"
  mvn -q -B -f "$work/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$(realpath "$jars")" >"$work/log" 2>&1 </dev/null ||
    { tail -5 "$work/log" >&2; fail "Maven could not fetch Apache Kafka $version"; }
  rm -r "$work"
  touch "$jars/complete"
}

# Logs to one file; what a tool complains about goes to stderr.
logging() {
  cat >"$1/log4j2.properties" <<CONF
status=error
appender.f.type=File
appender.f.name=f
appender.f.fileName=$1/server.log
appender.f.layout.type=PatternLayout
appender.f.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=info
rootLogger.appenderRef.f.ref=f
CONF
}

# Serial collection and no second compiler start quicker.
quick='-Xmx512M -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto'

java_with() {   # JARS DIR CLASS [ARG…]
  local jars=$1 dir=$2
  shift 2
  # shellcheck disable=SC2086 # They are several words, or none.
  exec ${KAFKA_UNDER:-} java ${KAFKA_JVM:-$quick} \
    -Dlog4j2.configurationFile="$dir/log4j2.properties" -cp "$jars/*" "$@"
}

properties() {   # DIR PORT [K=V…]
  local dir=$1 port=$2
  shift 2
  cat <<CONF
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:$((port + 1))
log.dirs=$dir/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
CONF
  [ $# = 0 ] || printf '%s\n' "$@"
}

# Asks for Metadata (key 3, version 1) of no topic and looks for a broker in the answer: there is
# one only once it is registered and serves clients.
answers() {
  local answer
  answer=$( {
    exec 4<>"/dev/tcp/127.0.0.1/$1"
    printf '\0\0\0\016\0\003\0\001\0\0\0\007\377\377\0\0\0\0' >&4
    timeout 2 head -c 12 <&4 | od -An -v -tu1 | tr -s ' \n' ' '
  } 2>/dev/null ) || return 1
  # Length, correlation id, and the number of brokers, four bytes each.
  [[ $answer =~ \ 0\ 0\ 0\ 7\ 0\ 0\ 0\ [1-9] ]]
}

serve() {
  local jars=$1 dir=$2 port=$3 data id=- quorum=--standalone broker input
  shift 3
  mkdir -p "$dir"
  logging "$dir"
  properties "$dir" "$port" "$@" >"$dir/server.properties"
  data=$(sed -n 's/^log.dirs=//p' "$dir/server.properties" | tail -1)
  if [ ! -f "$data/meta.properties" ]; then
    # 16 bytes as URL-safe base64; Kafka's own ids never begin with a dash.
    while [[ $id == -* ]]; do id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d =); done
    # Voters that the settings name are a static quorum, which is not in the directory.
    ! grep -q ^controller.quorum.voters= "$dir/server.properties" || quorum=
    # shellcheck disable=SC2086 # They are several words, or none.
    (java_with "$jars" "$dir" kafka.tools.StorageTool format $quorum -t "$id" \
      -c "$dir/server.properties" ${KAFKA_FORMAT:-}) >"$dir/format.log" 2>&1 ||
      { tail -5 "$dir/format.log" >&2; fail "could not format $data"; }
  fi
  exec 3<&0
  java_with "$jars" "$dir" kafka.Kafka "$dir/server.properties" \
    >"$dir/output.log" 2>&1 </dev/null 3<&- &
  broker=$!
  until answers "$port"; do
    kill -0 $broker 2>/dev/null || { tail -5 "$dir"/*.log >&2; fail "the broker died"; }
    sleep 0.05
  done
  echo ready
  cat <&3 >/dev/null &
  input=$!
  wait -n $broker $input || true
  kill -TERM $broker $input 2>/dev/null || true
  wait $broker || true
}

tool() {
  local jars=$1
  shift
  scratch=$(mktemp -d)
  trap 'rm -r "$scratch"' EXIT
  logging "$scratch"
  (java_with "$jars" "$scratch" "$@")
}

[ $# -ge 2 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2; }
"$@"
