"""The simulator: an incident of a home, put into one file without its secrets, and the engine's decisions made anew.

`writing` takes the events of a range out of a log, `redaction` and `pseudonyms` take out of them what tells hosts,
names and people, and `incident` is the file. `loading` reads it back into a `record` of what happened to whom, `world`
and `servers` are to an engine what they were then, and `rerun` lets the real scheduler work in that world, in virtual
time. `decisions` are told the same way of both, `comparison` holds them side by side, and `command` says it.
"""
