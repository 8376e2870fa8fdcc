//! The main job in an empty home, with no broker anywhere: lines in, the same lines out.

it!(wrong_usage_is_exit_code_2, |kaw| {
    kaw.cmd("--no-such-option").run().code(2);
});
