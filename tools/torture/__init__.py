"""The torture: an engine is killed at every step that it takes and at moments of no step, and every law is held.

A real engine (LMDB, files, sockets, fsync) works in a process of its own against an origin that misbehaves, and dies
by SIGKILL: just before, midway in or just after a named step on the disk, or whenever the time is up. What it had
acknowledged, it told through a pipe after it was durable. Each death is followed by an audit of what lies on the disk,
by another engine on the same home, which may be killed while it recovers, and by an audit of what that one made of it.
In the end nobody is killed any more, and everything must have come out right.

The page cache outlives a process. So this tries the order of things (what is logged, flushed, linked and removed before
what) and the recovery from every point between; it does not try power cuts, in which unflushed pages are lost too.

    cargo    what is asked for, how its origin misbehaves, what is asked of it on the way, and what must become of it
    steps    the steps that an engine takes on the disk, by name; in the victim, what counts them and kills at one
    victim   the engine's process
    audit    what must hold of a home and a folder at any moment, and what in the end
    life     one home from its first engine to its last
    run      many lives: which steps there are, which have been died at, and the table of it all
"""
