# Completion of kaw in bash: asks kaw itself. `kaw completion bash` prints it.

_kaw() {
    local IFS=$'\013'
    # Bash splits words at = and : too; kaw gets them as they were typed, up to the cursor.
    local words=() line=${COMP_LINE:0:COMP_POINT} i part blanks
    for ((i = 0; i <= COMP_CWORD; i++)); do
        blanks=${line%%[![:space:]]*}
        line=${line#"$blanks"}
        part=${COMP_WORDS[i]}
        if ((i == COMP_CWORD)); then part=$line; fi
        if ((i > 0)) && [[ -z $blanks ]]; then
            words[${#words[@]} - 1]+=$part
        else
            words+=("$part")
        fi
        line=${line#"$part"}
    done
    local index=$((${#words[@]} - 1))
    COMPREPLY=($(
        KAW_COMPLETE=bash _CLAP_IFS="$IFS" _CLAP_COMPLETE_INDEX="$index" \
            kaw -- "${words[@]}" 2>/dev/null
    ))
    # What bash took for a word of its own stands already.
    local before=${words[index]} own=${words[index]}
    if [[ $COMP_WORDBREAKS == *:* ]]; then own=${own##*:}; fi
    if [[ $COMP_WORDBREAKS == *=* ]]; then own=${own##*=}; fi
    before=${before%"$own"}
    for i in "${!COMPREPLY[@]}"; do
        COMPREPLY[i]=${COMPREPLY[i]#"$before"}
    done
    if ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} == *[=/:] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o bashdefault -o nosort -F _kaw kaw 2>/dev/null || complete -o bashdefault -F _kaw kaw
