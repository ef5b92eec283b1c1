"""The pure heart: what a download is, what may happen to it, and what follows from what happened.

Nothing here does I/O, reads a clock or draws a random number; those come in as arguments or through the Protocols of
`lading.domain.ports`. Whatever decides something about a download lives in this room, so that it can be tested over a
table, replayed from a log and believed.
"""
