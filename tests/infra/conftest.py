"""One running compiler for all tests of the templates, and a copy of the templates for planted faults."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.check import project
from infra.check.__main__ import EXAMPLE
from infra.check.compiler import Compiler, NotFoundError, running
from infra.check.deployment import Deployment


@pytest.fixture(scope="session")
def compiler() -> Iterator[Compiler]:
    """The Bicep compiler; tests that need it are skipped if it is missing.

    It has the environment of a production deployment, from which main.bicepparam takes values.
    """
    environment = pytest.MonkeyPatch()
    for name, value in {**EXAMPLE, "ENVIRONMENT_KIND": "prod"}.items():
        environment.setenv(name, value)
    try:
        with running() as started:
            environment.undo()
            yield started
    except NotFoundError as error:
        pytest.skip(str(error))
    finally:
        environment.undo()


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    """The compiled template that is committed."""
    return project.template_of()


@pytest.fixture(scope="session")
def deployments() -> dict[str, Deployment]:
    """Every configuration, read from its committed snapshot; needs no compiler."""
    return {name: project.committed(name) for name in project.CONFIGURATIONS}


@pytest.fixture(scope="session")
def copy_of_infra(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the templates."""
    folder = tmp_path_factory.mktemp("planted") / "infra"
    shutil.copytree(project.INFRA, folder, ignore=shutil.ignore_patterns("check", "__pycache__"))
    return folder


@pytest.fixture(scope="session")
def host() -> dict[str, Any]:
    """host.json."""
    content: dict[str, Any] = json.loads((project.ROOT / "host.json").read_text("utf-8"))
    return content
