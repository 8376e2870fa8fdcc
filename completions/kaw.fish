complete -c kaw -s b -l brokers -d 'Kafka brokers; without any, the built-in broker is found or started' -r
complete -c kaw -s F -l config -d 'Configuration file: librdkafka\'s key=value lines or a Java client.properties' -r -F
complete -c kaw -s X -d 'Set a librdkafka property; `list` prints them all' -r
complete -c kaw -l data-dir -d 'Where the built-in broker keeps its data' -r -F
complete -c kaw -l connect-timeout -d 'How long a broker may take to answer' -r
complete -c kaw -s q -l quiet -d 'Print no progress, summaries or warnings'
complete -c kaw -s v -l verbose -d 'Say more; twice adds librdkafka\'s log'
complete -c kaw -s h -l help -d 'Print help'
complete -c kaw -s V -l version -d 'Print version'
