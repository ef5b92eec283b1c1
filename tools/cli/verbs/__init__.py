"""One file a verb: each has a `command`, listed in `lading.tools.cli.program.VERBS`."""
