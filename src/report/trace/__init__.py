"""One update of a network, every number of it, in the symbols of a derivation.

- ``notation``: how each derivation writes a network, and which of its equations says what.
- ``terms``: one weight's derivative, written out.
- ``blocks``: the update as headings, sentences, formulas and tables.
- ``formula``, ``forms``: how these are shown: terminal, Markdown, HTML.
"""
