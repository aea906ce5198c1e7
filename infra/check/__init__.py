"""Checks the deployment: with Microsoft's compiler, and with rules about what the templates mean.

The compiler finds wrong syntax, types, names and API versions. It also evaluates the templates
offline for each configuration in `infra/snapshots/`; the rules here look at those results, because
a template can be correct and still open a storage account or miss a role.

Reading order: `compiler`, `expressions`, `deployment` (one evaluated configuration), `code` (names
that the templates share with the code), then the rules: `access`, `data`, `network`, `platform`,
`settings`, `order`; `hosting` is about host.json. `project` runs everything.
"""
