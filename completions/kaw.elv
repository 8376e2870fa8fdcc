set edit:completion:arg-completer[kaw] = { |@words|
    var index = (count $words)
    set index = (- $index 1)

    put (env _CLAP_IFS="\n" _CLAP_COMPLETE_INDEX=(to-string $index) KAW_COMPLETE="elvish" kaw -- $@words) | to-lines
}
