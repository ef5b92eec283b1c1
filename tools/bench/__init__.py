"""`lading bench`: figures with the command that prints them, each beside its peer in the same run.

Timings on a shared machine drift; so the two sides of a comparison run in turn, pair by pair, and what is reported is
the median of the pairs' ratios, with the spread. A ratio is always ours to theirs in speed: above 1 we are faster.
"""
