//! Numbers with units, as people type them: `1GiB`, `250ms`, `12.3k/s`.
