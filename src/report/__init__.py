"""The room that shows what `src.comparison` decided: tables for the terminal, figures, and one page to pass on.

- ``tables``: leaderboard and models on the terminal, in Markdown and as CSV.
- ``verdicts``: what the comparisons say, in a sentence and as tables.
- ``figures``: a function for each figure; ``pictures`` choose those of a comparison, from its ``material``.
- ``style``: one look for all of them; figures as PNG and SVG.
- ``page``: the whole comparison as one HTML page, Markdown, CSV and JSON.
- ``summary``: what a command prints at its end.
- ``comparison``, ``method``, ``recorded``: from the record to what the other modules take.
"""
