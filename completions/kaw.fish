complete --keep-order --exclusive --command kaw --arguments "(KAW_COMPLETE=fish kaw -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
