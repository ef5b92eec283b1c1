"""Worked queries over a home, in README.md beside this file, and what makes them more than words.

`python -m lading.tools.analytics` makes a home with a real history, runs every query of the page on it, and draws the
page's plots from the answers.
"""
