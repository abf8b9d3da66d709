"""The room that shows what `src.comparison` decided: tables for the terminal, figures, and one page to pass on.

- ``tables``: leaderboard and models as tables and as CSV.
- ``answer``: what the comparisons say, in sentences; ``verdicts``: as tables; ``across``: of several data sets.
- ``terminal``: a table of texts, and how it fits a terminal or stands in Markdown.
- ``words``: labels and number formats that all of them share.
- ``figures``: a function for each figure; ``pictures`` choose those of a comparison, from its ``material``.
- ``drawing``: where that is done: in a process of its own, beside the one that trains, or in this one.
- ``style``: one look for all of them; figures as PNG and SVG.
- ``page``: the whole comparison as one HTML page, Markdown, CSV and JSON.
- ``summary``: what a command prints when its jobs have ended, and when everything is written.
- ``comparison``, ``method``: from the record to what the other modules take.
- ``studies``: the page of all studies in experiments/.
"""
