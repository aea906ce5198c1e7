"""Checks the Bicep files where no Bicep compiler is at hand: syntax, names, properties, rules.

Reading order: `fault`, `template`, `reading` (text -> declarations), `known`, `microsoft` (models from PyPI),
then one file per idea: `names`, `properties`, `rules`, `roles`. `project` runs them all.
None of it is the Bicep compiler: `az bicep build` in the deployment workflow has the last word.
"""
