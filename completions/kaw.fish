# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_kaw_global_optspecs
    string join \n b/brokers= F/config= profile= X= data-dir= connect-timeout= q/quiet v/verbose h/help V/version
end

function __fish_kaw_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_kaw_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_kaw_using_subcommand
    set -l cmd (__fish_kaw_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c kaw -n "__fish_kaw_needs_command" -s b -l brokers -d 'Kafka brokers; without any, the built-in broker is found or started' -r
complete -c kaw -n "__fish_kaw_needs_command" -s F -l config -d 'Configuration file: librdkafka\'s key=value lines or a Java client.properties [env: KAW_CONFIG]' -r -F
complete -c kaw -n "__fish_kaw_needs_command" -l profile -d 'The configuration file ~/.config/kaw/NAME.conf [env: KAW_PROFILE]' -r
complete -c kaw -n "__fish_kaw_needs_command" -s X -d 'Set a librdkafka property; `list` prints them all' -r
complete -c kaw -n "__fish_kaw_needs_command" -l data-dir -d 'Where the built-in broker keeps its data' -r -F
complete -c kaw -n "__fish_kaw_needs_command" -l connect-timeout -d 'How long a broker may take to answer' -r
complete -c kaw -n "__fish_kaw_needs_command" -s q -l quiet -d 'Print no progress, summaries or warnings'
complete -c kaw -n "__fish_kaw_needs_command" -s v -l verbose -d 'Say more; twice adds librdkafka\'s log'
complete -c kaw -n "__fish_kaw_needs_command" -s h -l help -d 'Print help'
complete -c kaw -n "__fish_kaw_needs_command" -s V -l version -d 'Print version'
complete -c kaw -n "__fish_kaw_needs_command" -f -a "topic" -d 'Create, list, describe, change and delete topics, and find or delete their records'
complete -c kaw -n "__fish_kaw_needs_command" -f -a "produce" -d 'Send records to a topic: one a line, from stdin or files, until the end of input'
complete -c kaw -n "__fish_kaw_needs_command" -f -a "consume" -d 'Read topics to stdout, from the beginning, and follow them'
complete -c kaw -n "__fish_kaw_needs_command" -f -a "group" -d 'List, describe, reset and delete consumer groups'
complete -c kaw -n "__fish_kaw_needs_command" -f -a "bench" -d 'Measure throughput and latency, on a broker of its own unless -b is typed'
complete -c kaw -n "__fish_kaw_needs_command" -f -a "broker" -d 'Serve other programs as a Kafka broker, on port 9092'
complete -c kaw -n "__fish_kaw_needs_command" -f -a "config" -d 'Show which settings are in force and where each came from; secrets are hidden'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and not __fish_seen_subcommand_from create list describe alter delete offsets trim" -s b -l brokers -d 'Kafka brokers; without any, the built-in broker is found or started' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and not __fish_seen_subcommand_from create list describe alter delete offsets trim" -s F -l config -d 'Configuration file: librdkafka\'s key=value lines or a Java client.properties [env: KAW_CONFIG]' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand topic; and not __fish_seen_subcommand_from create list describe alter delete offsets trim" -l profile -d 'The configuration file ~/.config/kaw/NAME.conf [env: KAW_PROFILE]' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and not __fish_seen_subcommand_from create list describe alter delete offsets trim" -s X -d 'Set a librdkafka property; `list` prints them all' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and not __fish_seen_subcommand_from create list describe alter delete offsets trim" -l data-dir -d 'Where the built-in broker keeps its data' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand topic; and not __fish_seen_subcommand_from create list describe alter delete offsets trim" -l connect-timeout -d 'How long a broker may take to answer' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and not __fish_seen_subcommand_from create list describe alter delete offsets trim" -s q -l quiet -d 'Print no progress, summaries or warnings'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and not __fish_seen_subcommand_from create list describe alter delete offsets trim" -s v -l verbose -d 'Say more; twice adds librdkafka\'s log'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and not __fish_seen_subcommand_from create list describe alter delete offsets trim" -s h -l help -d 'Print help'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and not __fish_seen_subcommand_from create list describe alter delete offsets trim" -f -a "create" -d 'Create topics; what is not given is left to the broker'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and not __fish_seen_subcommand_from create list describe alter delete offsets trim" -f -a "list" -d 'List topics'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and not __fish_seen_subcommand_from create list describe alter delete offsets trim" -f -a "describe" -d 'Show partitions, and the settings that differ from the default'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and not __fish_seen_subcommand_from create list describe alter delete offsets trim" -f -a "alter" -d 'Change a topic: more partitions, other settings'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and not __fish_seen_subcommand_from create list describe alter delete offsets trim" -f -a "delete" -d 'Delete topics and all their records'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and not __fish_seen_subcommand_from create list describe alter delete offsets trim" -f -a "offsets" -d 'Show where partitions start and end, or the offset of a time'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and not __fish_seen_subcommand_from create list describe alter delete offsets trim" -f -a "trim" -d 'Delete the records before an offset'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from create" -s p -l partitions -d 'How many partitions' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from create" -s r -l replicas -d 'On how many brokers each partition is' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from create" -s c -l set -d 'A setting, such as retention.ms=3600000' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from create" -s b -l brokers -d 'Kafka brokers; without any, the built-in broker is found or started' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from create" -s F -l config -d 'Configuration file: librdkafka\'s key=value lines or a Java client.properties [env: KAW_CONFIG]' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from create" -l profile -d 'The configuration file ~/.config/kaw/NAME.conf [env: KAW_PROFILE]' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from create" -s X -d 'Set a librdkafka property; `list` prints them all' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from create" -l data-dir -d 'Where the built-in broker keeps its data' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from create" -l connect-timeout -d 'How long a broker may take to answer' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from create" -l if-not-exists -d 'A topic that is there already is no error'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from create" -l dry-run -d 'Only ask whether it could be done'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from create" -s q -l quiet -d 'Print no progress, summaries or warnings'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from create" -s v -l verbose -d 'Say more; twice adds librdkafka\'s log'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from list" -s b -l brokers -d 'Kafka brokers; without any, the built-in broker is found or started' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from list" -s F -l config -d 'Configuration file: librdkafka\'s key=value lines or a Java client.properties [env: KAW_CONFIG]' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from list" -l profile -d 'The configuration file ~/.config/kaw/NAME.conf [env: KAW_PROFILE]' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from list" -s X -d 'Set a librdkafka property; `list` prints them all' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from list" -l data-dir -d 'Where the built-in broker keeps its data' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from list" -l connect-timeout -d 'How long a broker may take to answer' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from list" -l internal -d 'Kafka\'s own topics too'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from list" -l detailed -d 'Partitions, replicas, records and bytes too'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from list" -s J -l json -d 'Print JSON, one object a line'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from list" -l no-headers -d 'Print tables without headings'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print no progress, summaries or warnings'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more; twice adds librdkafka\'s log'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from describe" -s b -l brokers -d 'Kafka brokers; without any, the built-in broker is found or started' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from describe" -s F -l config -d 'Configuration file: librdkafka\'s key=value lines or a Java client.properties [env: KAW_CONFIG]' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from describe" -l profile -d 'The configuration file ~/.config/kaw/NAME.conf [env: KAW_PROFILE]' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from describe" -s X -d 'Set a librdkafka property; `list` prints them all' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from describe" -l data-dir -d 'Where the built-in broker keeps its data' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from describe" -l connect-timeout -d 'How long a broker may take to answer' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from describe" -s a -l all -d 'All settings'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from describe" -s J -l json -d 'Print JSON, one object a line'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from describe" -l no-headers -d 'Print tables without headings'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from describe" -s q -l quiet -d 'Print no progress, summaries or warnings'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from describe" -s v -l verbose -d 'Say more; twice adds librdkafka\'s log'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from describe" -s h -l help -d 'Print help'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from alter" -s p -l partitions -d 'How many partitions it should have in all; there can only be more' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from alter" -s c -l set -d 'A setting, such as retention.ms=3600000; the others stay as they are' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from alter" -l delete-config -d 'A setting to give back to the broker\'s default' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from alter" -s b -l brokers -d 'Kafka brokers; without any, the built-in broker is found or started' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from alter" -s F -l config -d 'Configuration file: librdkafka\'s key=value lines or a Java client.properties [env: KAW_CONFIG]' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from alter" -l profile -d 'The configuration file ~/.config/kaw/NAME.conf [env: KAW_PROFILE]' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from alter" -s X -d 'Set a librdkafka property; `list` prints them all' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from alter" -l data-dir -d 'Where the built-in broker keeps its data' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from alter" -l connect-timeout -d 'How long a broker may take to answer' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from alter" -l dry-run -d 'Only ask whether it could be done'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from alter" -s q -l quiet -d 'Print no progress, summaries or warnings'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from alter" -s v -l verbose -d 'Say more; twice adds librdkafka\'s log'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from alter" -s h -l help -d 'Print help'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from delete" -s b -l brokers -d 'Kafka brokers; without any, the built-in broker is found or started' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from delete" -s F -l config -d 'Configuration file: librdkafka\'s key=value lines or a Java client.properties [env: KAW_CONFIG]' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from delete" -l profile -d 'The configuration file ~/.config/kaw/NAME.conf [env: KAW_PROFILE]' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from delete" -s X -d 'Set a librdkafka property; `list` prints them all' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from delete" -l data-dir -d 'Where the built-in broker keeps its data' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from delete" -l connect-timeout -d 'How long a broker may take to answer' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from delete" -l if-exists -d 'A topic that is not there is no error'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from delete" -s q -l quiet -d 'Print no progress, summaries or warnings'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from delete" -s v -l verbose -d 'Say more; twice adds librdkafka\'s log'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from delete" -s h -l help -d 'Print help'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from offsets" -l at -d 'A place in each: start, end, N, +N (after the start), -N (before the end) or @TIME, the first record at or after it' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from offsets" -s b -l brokers -d 'Kafka brokers; without any, the built-in broker is found or started' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from offsets" -s F -l config -d 'Configuration file: librdkafka\'s key=value lines or a Java client.properties [env: KAW_CONFIG]' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from offsets" -l profile -d 'The configuration file ~/.config/kaw/NAME.conf [env: KAW_PROFILE]' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from offsets" -s X -d 'Set a librdkafka property; `list` prints them all' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from offsets" -l data-dir -d 'Where the built-in broker keeps its data' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from offsets" -l connect-timeout -d 'How long a broker may take to answer' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from offsets" -s J -l json -d 'Print JSON, one object a line'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from offsets" -l no-headers -d 'Print tables without headings'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from offsets" -s q -l quiet -d 'Print no progress, summaries or warnings'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from offsets" -s v -l verbose -d 'Say more; twice adds librdkafka\'s log'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from offsets" -s h -l help -d 'Print help'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from trim" -l to -d 'The first record to keep, in each: end, N, +N (after the start), -N (before the end) or @TIME, the first record at or after it' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from trim" -s b -l brokers -d 'Kafka brokers; without any, the built-in broker is found or started' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from trim" -s F -l config -d 'Configuration file: librdkafka\'s key=value lines or a Java client.properties [env: KAW_CONFIG]' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from trim" -l profile -d 'The configuration file ~/.config/kaw/NAME.conf [env: KAW_PROFILE]' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from trim" -s X -d 'Set a librdkafka property; `list` prints them all' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from trim" -l data-dir -d 'Where the built-in broker keeps its data' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from trim" -l connect-timeout -d 'How long a broker may take to answer' -r
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from trim" -l dry-run -d 'Only show what would be deleted'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from trim" -s J -l json -d 'Print JSON, one object a line'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from trim" -l no-headers -d 'Print tables without headings'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from trim" -s q -l quiet -d 'Print no progress, summaries or warnings'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from trim" -s v -l verbose -d 'Say more; twice adds librdkafka\'s log'
complete -c kaw -n "__fish_kaw_using_subcommand topic; and __fish_seen_subcommand_from trim" -s h -l help -d 'Print help'
complete -c kaw -n "__fish_kaw_using_subcommand produce" -s D -l delimiter -d 'What ends a record: any bytes, with the escapes \\n \\t \\0 \\xNN' -r
complete -c kaw -n "__fish_kaw_using_subcommand produce" -s K -l key-delimiter -d 'What ends a record\'s key; a record without it has a null key' -r
complete -c kaw -n "__fish_kaw_using_subcommand produce" -s k -l key -d 'The key of every record that brings none' -r
complete -c kaw -n "__fish_kaw_using_subcommand produce" -s H -l header -d 'A header of every record, may be repeated; NAME alone has the value null' -r
complete -c kaw -n "__fish_kaw_using_subcommand produce" -s p -l partition -d 'The partition of every record; -1 lets the key decide' -r
complete -c kaw -n "__fish_kaw_using_subcommand produce" -l timestamp -d 'The time of every record: 2026-01-31T08:00Z, seconds or milliseconds since 1970, -1h' -r
complete -c kaw -n "__fish_kaw_using_subcommand produce" -s f -l format -d 'How a record is read, in franz-go\'s tokens' -r
complete -c kaw -n "__fish_kaw_using_subcommand produce" -s z -l compression -d 'How batches are compressed' -r -f -a "none\t''
gzip\t''
snappy\t''
lz4\t''
zstd\t''"
complete -c kaw -n "__fish_kaw_using_subcommand produce" -l acks -d 'Who must have a record before it counts as delivered: 0 nobody, 1 the leader, all' -r
complete -c kaw -n "__fish_kaw_using_subcommand produce" -l delivery-timeout -d 'How long a record may take until it has failed [default: 30s]' -r
complete -c kaw -n "__fish_kaw_using_subcommand produce" -l partitioner -d 'Which partition a record goes to by its key; the default is Java\'s' -r -f -a "murmur2_random\t''
murmur2\t''
consistent_random\t''
consistent\t''
fnv1a_random\t''
fnv1a\t''
random\t''"
complete -c kaw -n "__fish_kaw_using_subcommand produce" -l rate -d 'Send no faster than this: 500/s, 12.3k/s, 600/m' -r
complete -c kaw -n "__fish_kaw_using_subcommand produce" -l replay -d 'Keep the gaps between the input\'s timestamps, so many times as quick: 1, 2x, 0.5x' -r
complete -c kaw -n "__fish_kaw_using_subcommand produce" -l report -d 'Write what became of each record to a file, as JSON lines in the order of the input' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand produce" -l rejects -d 'Write input that was not delivered to a file, as JSON lines with its number and the reason' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand produce" -l resume -d 'Keep a checkpoint of how far the input was delivered or rejected; the same command again goes on from there' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand produce" -l transaction-records -d 'Commit every N records' -r
complete -c kaw -n "__fish_kaw_using_subcommand produce" -l transactional-id -d 'Who the transactions belong to; one who comes later shuts the earlier out [default: made from host and topic]' -r
complete -c kaw -n "__fish_kaw_using_subcommand produce" -s b -l brokers -d 'Kafka brokers; without any, the built-in broker is found or started' -r
complete -c kaw -n "__fish_kaw_using_subcommand produce" -s F -l config -d 'Configuration file: librdkafka\'s key=value lines or a Java client.properties [env: KAW_CONFIG]' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand produce" -l profile -d 'The configuration file ~/.config/kaw/NAME.conf [env: KAW_PROFILE]' -r
complete -c kaw -n "__fish_kaw_using_subcommand produce" -s X -d 'Set a librdkafka property; `list` prints them all' -r
complete -c kaw -n "__fish_kaw_using_subcommand produce" -l data-dir -d 'Where the built-in broker keeps its data' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand produce" -l connect-timeout -d 'How long a broker may take to answer' -r
complete -c kaw -n "__fish_kaw_using_subcommand produce" -s Z -l null -d 'An empty key or value is null'
complete -c kaw -n "__fish_kaw_using_subcommand produce" -s J -l json -d 'Each line is a record as JSON, as `consume -J`, kcat and kcl print it'
complete -c kaw -n "__fish_kaw_using_subcommand produce" -l whole -d 'Each input is one record'
complete -c kaw -n "__fish_kaw_using_subcommand produce" -l transactional -d 'All input in one transaction: all of it is there in the end, or nothing'
complete -c kaw -n "__fish_kaw_using_subcommand produce" -s T -l tee -d 'Copy the input to stdout'
complete -c kaw -n "__fish_kaw_using_subcommand produce" -s q -l quiet -d 'Print no progress, summaries or warnings'
complete -c kaw -n "__fish_kaw_using_subcommand produce" -s v -l verbose -d 'Say more; twice adds librdkafka\'s log'
complete -c kaw -n "__fish_kaw_using_subcommand produce" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kaw -n "__fish_kaw_using_subcommand consume" -s r -l regex -d 'Topics whose names match, also those that come up later' -r
complete -c kaw -n "__fish_kaw_using_subcommand consume" -s c -l count -d 'Stop after this many records' -r
complete -c kaw -n "__fish_kaw_using_subcommand consume" -l idle -d 'Stop after this long without a record' -r
complete -c kaw -n "__fish_kaw_using_subcommand consume" -l expect -d 'Expect exactly this many records, else exit with 3; without -e it ends at the last of them, with --idle only when no more follow' -r
complete -c kaw -n "__fish_kaw_using_subcommand consume" -l within -d 'Exit with 124 when it takes longer' -r
complete -c kaw -n "__fish_kaw_using_subcommand consume" -s g -l group -d 'Read as a member of this group: from where it has come to, and commit what was printed' -r
complete -c kaw -n "__fish_kaw_using_subcommand consume" -l tail -d 'The last N records over all partitions, in the order of their times, and what follows' -r
complete -c kaw -n "__fish_kaw_using_subcommand consume" -l isolation -d 'Read records of open or aborted transactions too, or only those that are committed' -r -f -a "committed\t''
uncommitted\t''"
complete -c kaw -n "__fish_kaw_using_subcommand consume" -s p -l partitions -d 'Only these partitions' -r
complete -c kaw -n "__fish_kaw_using_subcommand consume" -s o -l offset -d 'Where to start, or what to read: start, end, N, +N (after the start), -N (before the end), N..M, ..end, @TIME, @TIME..TIME, stored' -r
complete -c kaw -n "__fish_kaw_using_subcommand consume" -s f -l format -d 'How a record is printed, in the tokens of kcat and franz-go' -r
complete -c kaw -n "__fish_kaw_using_subcommand consume" -s K -l key-delimiter -d 'Print keys too, each followed by this' -r
complete -c kaw -n "__fish_kaw_using_subcommand consume" -s D -l delimiter -d 'Print this after each record, instead of a line\'s end' -r
complete -c kaw -n "__fish_kaw_using_subcommand consume" -l where -d 'Only records for which this jq expression is neither null nor false' -r
complete -c kaw -n "__fish_kaw_using_subcommand consume" -l select -d 'Print what this jq expression makes of each record, one result a line' -r
complete -c kaw -n "__fish_kaw_using_subcommand consume" -s b -l brokers -d 'Kafka brokers; without any, the built-in broker is found or started' -r
complete -c kaw -n "__fish_kaw_using_subcommand consume" -s F -l config -d 'Configuration file: librdkafka\'s key=value lines or a Java client.properties [env: KAW_CONFIG]' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand consume" -l profile -d 'The configuration file ~/.config/kaw/NAME.conf [env: KAW_PROFILE]' -r
complete -c kaw -n "__fish_kaw_using_subcommand consume" -s X -d 'Set a librdkafka property; `list` prints them all' -r
complete -c kaw -n "__fish_kaw_using_subcommand consume" -l data-dir -d 'Where the built-in broker keeps its data' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand consume" -l connect-timeout -d 'How long a broker may take to answer' -r
complete -c kaw -n "__fish_kaw_using_subcommand consume" -l wait -d 'Wait for a topic that is not there yet'
complete -c kaw -n "__fish_kaw_using_subcommand consume" -s e -l exit -d 'Stop at the end, as it was when the command started'
complete -c kaw -n "__fish_kaw_using_subcommand consume" -l no-commit -d 'Commit nothing'
complete -c kaw -n "__fish_kaw_using_subcommand consume" -l merge -d 'Print records of all partitions in the order of their times'
complete -c kaw -n "__fish_kaw_using_subcommand consume" -l clamp -d 'Where an offset of -o is gone, begin at the nearest that is there'
complete -c kaw -n "__fish_kaw_using_subcommand consume" -s J -l json -d 'Print JSON, one record a line'
complete -c kaw -n "__fish_kaw_using_subcommand consume" -s Z -l null -d 'Print NULL for a null key or value'
complete -c kaw -n "__fish_kaw_using_subcommand consume" -s u -l unbuffered -d 'Write each record as it comes'
complete -c kaw -n "__fish_kaw_using_subcommand consume" -s q -l quiet -d 'Print no progress, summaries or warnings'
complete -c kaw -n "__fish_kaw_using_subcommand consume" -s v -l verbose -d 'Say more; twice adds librdkafka\'s log'
complete -c kaw -n "__fish_kaw_using_subcommand consume" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kaw -n "__fish_kaw_using_subcommand group; and not __fish_seen_subcommand_from list describe reset delete" -s b -l brokers -d 'Kafka brokers; without any, the built-in broker is found or started' -r
complete -c kaw -n "__fish_kaw_using_subcommand group; and not __fish_seen_subcommand_from list describe reset delete" -s F -l config -d 'Configuration file: librdkafka\'s key=value lines or a Java client.properties [env: KAW_CONFIG]' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand group; and not __fish_seen_subcommand_from list describe reset delete" -l profile -d 'The configuration file ~/.config/kaw/NAME.conf [env: KAW_PROFILE]' -r
complete -c kaw -n "__fish_kaw_using_subcommand group; and not __fish_seen_subcommand_from list describe reset delete" -s X -d 'Set a librdkafka property; `list` prints them all' -r
complete -c kaw -n "__fish_kaw_using_subcommand group; and not __fish_seen_subcommand_from list describe reset delete" -l data-dir -d 'Where the built-in broker keeps its data' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand group; and not __fish_seen_subcommand_from list describe reset delete" -l connect-timeout -d 'How long a broker may take to answer' -r
complete -c kaw -n "__fish_kaw_using_subcommand group; and not __fish_seen_subcommand_from list describe reset delete" -s q -l quiet -d 'Print no progress, summaries or warnings'
complete -c kaw -n "__fish_kaw_using_subcommand group; and not __fish_seen_subcommand_from list describe reset delete" -s v -l verbose -d 'Say more; twice adds librdkafka\'s log'
complete -c kaw -n "__fish_kaw_using_subcommand group; and not __fish_seen_subcommand_from list describe reset delete" -s h -l help -d 'Print help'
complete -c kaw -n "__fish_kaw_using_subcommand group; and not __fish_seen_subcommand_from list describe reset delete" -f -a "list" -d 'List groups'
complete -c kaw -n "__fish_kaw_using_subcommand group; and not __fish_seen_subcommand_from list describe reset delete" -f -a "describe" -d 'Show the members of groups, and how far behind the end they are'
complete -c kaw -n "__fish_kaw_using_subcommand group; and not __fish_seen_subcommand_from list describe reset delete" -f -a "reset" -d 'Set where a group that has no members goes on reading'
complete -c kaw -n "__fish_kaw_using_subcommand group; and not __fish_seen_subcommand_from list describe reset delete" -f -a "delete" -d 'Delete groups that have no members, and what they have committed'
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from list" -s b -l brokers -d 'Kafka brokers; without any, the built-in broker is found or started' -r
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from list" -s F -l config -d 'Configuration file: librdkafka\'s key=value lines or a Java client.properties [env: KAW_CONFIG]' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from list" -l profile -d 'The configuration file ~/.config/kaw/NAME.conf [env: KAW_PROFILE]' -r
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from list" -s X -d 'Set a librdkafka property; `list` prints them all' -r
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from list" -l data-dir -d 'Where the built-in broker keeps its data' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from list" -l connect-timeout -d 'How long a broker may take to answer' -r
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from list" -l detailed -d 'State and type too'
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from list" -s J -l json -d 'Print JSON, one object a line'
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from list" -l no-headers -d 'Print tables without headings'
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print no progress, summaries or warnings'
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more; twice adds librdkafka\'s log'
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from describe" -s b -l brokers -d 'Kafka brokers; without any, the built-in broker is found or started' -r
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from describe" -s F -l config -d 'Configuration file: librdkafka\'s key=value lines or a Java client.properties [env: KAW_CONFIG]' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from describe" -l profile -d 'The configuration file ~/.config/kaw/NAME.conf [env: KAW_PROFILE]' -r
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from describe" -s X -d 'Set a librdkafka property; `list` prints them all' -r
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from describe" -l data-dir -d 'Where the built-in broker keeps its data' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from describe" -l connect-timeout -d 'How long a broker may take to answer' -r
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from describe" -l lag-only -d 'Only how far they are'
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from describe" -s J -l json -d 'Print JSON, one object a line'
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from describe" -l no-headers -d 'Print tables without headings'
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from describe" -s q -l quiet -d 'Print no progress, summaries or warnings'
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from describe" -s v -l verbose -d 'Say more; twice adds librdkafka\'s log'
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from describe" -s h -l help -d 'Print help'
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from reset" -l to -d 'The record that comes next, in each partition: start, end, N, +N (after the start), -N (before the end) or @TIME, the first record at or after it' -r
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from reset" -s t -l topic -d 'Only these topics, or some of their partitions: NAME:0,2 [default: all it has committed]' -r
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from reset" -s b -l brokers -d 'Kafka brokers; without any, the built-in broker is found or started' -r
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from reset" -s F -l config -d 'Configuration file: librdkafka\'s key=value lines or a Java client.properties [env: KAW_CONFIG]' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from reset" -l profile -d 'The configuration file ~/.config/kaw/NAME.conf [env: KAW_PROFILE]' -r
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from reset" -s X -d 'Set a librdkafka property; `list` prints them all' -r
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from reset" -l data-dir -d 'Where the built-in broker keeps its data' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from reset" -l connect-timeout -d 'How long a broker may take to answer' -r
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from reset" -l dry-run -d 'Only show what would change'
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from reset" -s J -l json -d 'Print JSON, one object a line'
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from reset" -l no-headers -d 'Print tables without headings'
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from reset" -s q -l quiet -d 'Print no progress, summaries or warnings'
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from reset" -s v -l verbose -d 'Say more; twice adds librdkafka\'s log'
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from reset" -s h -l help -d 'Print help'
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from delete" -s b -l brokers -d 'Kafka brokers; without any, the built-in broker is found or started' -r
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from delete" -s F -l config -d 'Configuration file: librdkafka\'s key=value lines or a Java client.properties [env: KAW_CONFIG]' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from delete" -l profile -d 'The configuration file ~/.config/kaw/NAME.conf [env: KAW_PROFILE]' -r
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from delete" -s X -d 'Set a librdkafka property; `list` prints them all' -r
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from delete" -l data-dir -d 'Where the built-in broker keeps its data' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from delete" -l connect-timeout -d 'How long a broker may take to answer' -r
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from delete" -l if-exists -d 'A group that is not there is no error'
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from delete" -s q -l quiet -d 'Print no progress, summaries or warnings'
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from delete" -s v -l verbose -d 'Say more; twice adds librdkafka\'s log'
complete -c kaw -n "__fish_kaw_using_subcommand group; and __fish_seen_subcommand_from delete" -s h -l help -d 'Print help'
complete -c kaw -n "__fish_kaw_using_subcommand bench; and not __fish_seen_subcommand_from produce consume" -s b -l brokers -d 'Kafka brokers; without any, the built-in broker is found or started' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and not __fish_seen_subcommand_from produce consume" -s F -l config -d 'Configuration file: librdkafka\'s key=value lines or a Java client.properties [env: KAW_CONFIG]' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand bench; and not __fish_seen_subcommand_from produce consume" -l profile -d 'The configuration file ~/.config/kaw/NAME.conf [env: KAW_PROFILE]' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and not __fish_seen_subcommand_from produce consume" -s X -d 'Set a librdkafka property; `list` prints them all' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and not __fish_seen_subcommand_from produce consume" -l data-dir -d 'Where the built-in broker keeps its data' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand bench; and not __fish_seen_subcommand_from produce consume" -l connect-timeout -d 'How long a broker may take to answer' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and not __fish_seen_subcommand_from produce consume" -s q -l quiet -d 'Print no progress, summaries or warnings'
complete -c kaw -n "__fish_kaw_using_subcommand bench; and not __fish_seen_subcommand_from produce consume" -s v -l verbose -d 'Say more; twice adds librdkafka\'s log'
complete -c kaw -n "__fish_kaw_using_subcommand bench; and not __fish_seen_subcommand_from produce consume" -s h -l help -d 'Print help'
complete -c kaw -n "__fish_kaw_using_subcommand bench; and not __fish_seen_subcommand_from produce consume" -f -a "produce" -d 'Send records and time each until its delivery report'
complete -c kaw -n "__fish_kaw_using_subcommand bench; and not __fish_seen_subcommand_from produce consume" -f -a "consume" -d 'Read records as fast as they come, from a topic that is filled first'
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from produce" -l records -d 'Records to measure [default: 1M, or what fits in --duration]' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from produce" -l duration -d 'Measure for this long, or until --records, whichever ends first' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from produce" -l record-size -d 'Bytes of a record\'s value' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from produce" -l partitions -d 'Partitions of the topic' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from produce" -s z -l compression -d 'Compression of batches' -r -f -a "none\t''
gzip\t''
snappy\t''
lz4\t''
zstd\t''"
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from produce" -l payload -d 'What values are made of: bytes that do not compress, words, or the bytes of a file (its first 64 MiB)' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from produce" -l keys -d 'Give records one of N keys [default: no key]' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from produce" -l seed -d 'Seed of values and keys; the same seed sends the same bytes' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from produce" -l producers -d 'Producers, each with its own connection and thread' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from produce" -l acks -d 'Who must have a record before it counts as delivered' -r -f -a "0\t''
1\t''
all\t''"
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from produce" -l rate -d 'Send at this rate; latency then counts from when a send was due' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from produce" -l warmup -d 'Sent before the figures begin, N records or a time; with 0 they include connecting [default: a tenth of the load]' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from produce" -l fail-if -d 'Exit with 3 if this holds, as \'p99>20ms\' or \'records/s<50000\'; repeatable' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from produce" -s b -l brokers -d 'Kafka brokers; without any, the built-in broker is found or started' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from produce" -s F -l config -d 'Configuration file: librdkafka\'s key=value lines or a Java client.properties [env: KAW_CONFIG]' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from produce" -l profile -d 'The configuration file ~/.config/kaw/NAME.conf [env: KAW_PROFILE]' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from produce" -s X -d 'Set a librdkafka property; `list` prints them all' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from produce" -l data-dir -d 'Where the built-in broker keeps its data' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from produce" -l connect-timeout -d 'How long a broker may take to answer' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from produce" -l json -d 'Print one JSON object instead of text'
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from produce" -s q -l quiet -d 'Print no progress, summaries or warnings'
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from produce" -s v -l verbose -d 'Say more; twice adds librdkafka\'s log'
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from produce" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from consume" -l records -d 'Records to measure [default: 1M, or what fits in --duration]' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from consume" -l duration -d 'Measure for this long, or until --records, whichever ends first' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from consume" -l record-size -d 'Bytes of a record\'s value' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from consume" -l partitions -d 'Partitions of the topic' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from consume" -s z -l compression -d 'Compression of batches' -r -f -a "none\t''
gzip\t''
snappy\t''
lz4\t''
zstd\t''"
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from consume" -l payload -d 'What values are made of: bytes that do not compress, words, or the bytes of a file (its first 64 MiB)' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from consume" -l keys -d 'Give records one of N keys [default: no key]' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from consume" -l seed -d 'Seed of values and keys; the same seed sends the same bytes' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from consume" -l warmup -d 'Records read before the figures begin, and then again [default: a tenth of the load]' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from consume" -l fail-if -d 'Exit with 3 if this holds, as \'p99>20ms\' or \'records/s<50000\'; repeatable' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from consume" -s b -l brokers -d 'Kafka brokers; without any, the built-in broker is found or started' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from consume" -s F -l config -d 'Configuration file: librdkafka\'s key=value lines or a Java client.properties [env: KAW_CONFIG]' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from consume" -l profile -d 'The configuration file ~/.config/kaw/NAME.conf [env: KAW_PROFILE]' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from consume" -s X -d 'Set a librdkafka property; `list` prints them all' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from consume" -l data-dir -d 'Where the built-in broker keeps its data' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from consume" -l connect-timeout -d 'How long a broker may take to answer' -r
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from consume" -l json -d 'Print one JSON object instead of text'
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from consume" -s q -l quiet -d 'Print no progress, summaries or warnings'
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from consume" -s v -l verbose -d 'Say more; twice adds librdkafka\'s log'
complete -c kaw -n "__fish_kaw_using_subcommand bench; and __fish_seen_subcommand_from consume" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kaw -n "__fish_kaw_using_subcommand broker; and not __fish_seen_subcommand_from run status stop" -l listen -d 'Listen here, not on port 9092 of 127.0.0.1 and [::1]; port 0 takes a free one' -r
complete -c kaw -n "__fish_kaw_using_subcommand broker; and not __fish_seen_subcommand_from run status stop" -l advertise -d 'The address that clients are told to connect to' -r
complete -c kaw -n "__fish_kaw_using_subcommand broker; and not __fish_seen_subcommand_from run status stop" -s c -d 'Set one of Kafka\'s broker configs' -r
complete -c kaw -n "__fish_kaw_using_subcommand broker; and not __fish_seen_subcommand_from run status stop" -l durability -d 'What acks=all waits for: fsync (the disk) or os (the write)' -r
complete -c kaw -n "__fish_kaw_using_subcommand broker; and not __fish_seen_subcommand_from run status stop" -l timings -d 'Wait as long as Apache Kafka does where this broker would not: before the first rebalance' -r
complete -c kaw -n "__fish_kaw_using_subcommand broker; and not __fish_seen_subcommand_from run status stop" -l topic -d 'Create this topic at start if it is not there' -r
complete -c kaw -n "__fish_kaw_using_subcommand broker; and not __fish_seen_subcommand_from run status stop" -s b -l brokers -d 'Kafka brokers; without any, the built-in broker is found or started' -r
complete -c kaw -n "__fish_kaw_using_subcommand broker; and not __fish_seen_subcommand_from run status stop" -s F -l config -d 'Configuration file: librdkafka\'s key=value lines or a Java client.properties [env: KAW_CONFIG]' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand broker; and not __fish_seen_subcommand_from run status stop" -l profile -d 'The configuration file ~/.config/kaw/NAME.conf [env: KAW_PROFILE]' -r
complete -c kaw -n "__fish_kaw_using_subcommand broker; and not __fish_seen_subcommand_from run status stop" -s X -d 'Set a librdkafka property; `list` prints them all' -r
complete -c kaw -n "__fish_kaw_using_subcommand broker; and not __fish_seen_subcommand_from run status stop" -l data-dir -d 'Where the built-in broker keeps its data' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand broker; and not __fish_seen_subcommand_from run status stop" -l connect-timeout -d 'How long a broker may take to answer' -r
complete -c kaw -n "__fish_kaw_using_subcommand broker; and not __fish_seen_subcommand_from run status stop" -l ephemeral -d 'Keep the data in a temporary directory, gone at exit'
complete -c kaw -n "__fish_kaw_using_subcommand broker; and not __fish_seen_subcommand_from run status stop" -s q -l quiet -d 'Print no progress, summaries or warnings'
complete -c kaw -n "__fish_kaw_using_subcommand broker; and not __fish_seen_subcommand_from run status stop" -s v -l verbose -d 'Say more; twice adds librdkafka\'s log'
complete -c kaw -n "__fish_kaw_using_subcommand broker; and not __fish_seen_subcommand_from run status stop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kaw -n "__fish_kaw_using_subcommand broker; and not __fish_seen_subcommand_from run status stop" -f -a "run" -d 'Run a command with a broker of its own, gone afterwards'
complete -c kaw -n "__fish_kaw_using_subcommand broker; and not __fish_seen_subcommand_from run status stop" -f -a "status" -d 'Show the broker of the data directory: where, how big, who is connected, how to wipe it'
complete -c kaw -n "__fish_kaw_using_subcommand broker; and not __fish_seen_subcommand_from run status stop" -f -a "stop" -d 'Stop the broker of the data directory, and wait until it has gone'
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from run" -s b -l brokers -d 'Kafka brokers; without any, the built-in broker is found or started' -r
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from run" -s F -l config -d 'Configuration file: librdkafka\'s key=value lines or a Java client.properties [env: KAW_CONFIG]' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from run" -l profile -d 'The configuration file ~/.config/kaw/NAME.conf [env: KAW_PROFILE]' -r
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from run" -s X -d 'Set a librdkafka property; `list` prints them all' -r
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from run" -l data-dir -d 'Where the built-in broker keeps its data' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from run" -l connect-timeout -d 'How long a broker may take to answer' -r
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from run" -s q -l quiet -d 'Print no progress, summaries or warnings'
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from run" -s v -l verbose -d 'Say more; twice adds librdkafka\'s log'
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from status" -s b -l brokers -d 'Kafka brokers; without any, the built-in broker is found or started' -r
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from status" -s F -l config -d 'Configuration file: librdkafka\'s key=value lines or a Java client.properties [env: KAW_CONFIG]' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from status" -l profile -d 'The configuration file ~/.config/kaw/NAME.conf [env: KAW_PROFILE]' -r
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from status" -s X -d 'Set a librdkafka property; `list` prints them all' -r
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from status" -l data-dir -d 'Where the built-in broker keeps its data' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from status" -l connect-timeout -d 'How long a broker may take to answer' -r
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from status" -s J -l json -d 'Print one JSON object'
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from status" -s q -l quiet -d 'Print no progress, summaries or warnings'
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from status" -s v -l verbose -d 'Say more; twice adds librdkafka\'s log'
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from stop" -s b -l brokers -d 'Kafka brokers; without any, the built-in broker is found or started' -r
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from stop" -s F -l config -d 'Configuration file: librdkafka\'s key=value lines or a Java client.properties [env: KAW_CONFIG]' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from stop" -l profile -d 'The configuration file ~/.config/kaw/NAME.conf [env: KAW_PROFILE]' -r
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from stop" -s X -d 'Set a librdkafka property; `list` prints them all' -r
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from stop" -l data-dir -d 'Where the built-in broker keeps its data' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from stop" -l connect-timeout -d 'How long a broker may take to answer' -r
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from stop" -s q -l quiet -d 'Print no progress, summaries or warnings'
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from stop" -s v -l verbose -d 'Say more; twice adds librdkafka\'s log'
complete -c kaw -n "__fish_kaw_using_subcommand broker; and __fish_seen_subcommand_from stop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kaw -n "__fish_kaw_using_subcommand config" -s b -l brokers -d 'Kafka brokers; without any, the built-in broker is found or started' -r
complete -c kaw -n "__fish_kaw_using_subcommand config" -s F -l config -d 'Configuration file: librdkafka\'s key=value lines or a Java client.properties [env: KAW_CONFIG]' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand config" -l profile -d 'The configuration file ~/.config/kaw/NAME.conf [env: KAW_PROFILE]' -r
complete -c kaw -n "__fish_kaw_using_subcommand config" -s X -d 'Set a librdkafka property; `list` prints them all' -r
complete -c kaw -n "__fish_kaw_using_subcommand config" -l data-dir -d 'Where the built-in broker keeps its data' -r -F
complete -c kaw -n "__fish_kaw_using_subcommand config" -l connect-timeout -d 'How long a broker may take to answer' -r
complete -c kaw -n "__fish_kaw_using_subcommand config" -s a -l all -d 'librdkafka\'s own defaults too'
complete -c kaw -n "__fish_kaw_using_subcommand config" -l profiles -d 'List the profiles that --profile can name'
complete -c kaw -n "__fish_kaw_using_subcommand config" -s J -l json -d 'Print JSON, one object a line'
complete -c kaw -n "__fish_kaw_using_subcommand config" -l no-headers -d 'Print tables without headings'
complete -c kaw -n "__fish_kaw_using_subcommand config" -s q -l quiet -d 'Print no progress, summaries or warnings'
complete -c kaw -n "__fish_kaw_using_subcommand config" -s v -l verbose -d 'Say more; twice adds librdkafka\'s log'
complete -c kaw -n "__fish_kaw_using_subcommand config" -s h -l help -d 'Print help'
