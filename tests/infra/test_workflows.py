"""The workflows and azure.yaml fit the project: pinned actions, OIDC, the same names as the Bicep."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra import package
from infra.check import code
from infra.check.access import ROLES
from infra.check.deployment import Deployment
from infra.check.project import INFRA
from tests.local_server import QuietHandler, serving

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
DEPLOYMENT = ROOT / ".github/workflows/deploy.yml"
DEPLOY = (ROOT / ".github/workflows/deploy.yml").read_text(encoding="utf-8")
PARAMETERS = (INFRA / "main.bicepparam").read_text(encoding="utf-8")


def steps(workflow: Path) -> Iterator[dict[str, Any]]:
    for job in yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].values():
        yield from job.get("steps", [])


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_to_a_commit(workflow: Path) -> None:
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert used
    assert [one for one in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", one)] == []


def test_a_sign_in_needs_no_stored_credential() -> None:
    jobs = yaml.safe_load(DEPLOY)["jobs"]
    assert "secrets." not in DEPLOY
    for name in ("what-if", "deploy"):
        assert jobs[name]["permissions"]["id-token"] == "write"
    assert [jobs[name]["needs"] for name in ("what-if", "deploy")] == ["checks", "what-if"]


def test_every_parameter_from_the_environment_is_passed_on() -> None:
    read = set(re.findall(r"readEnvironmentVariable\('(\w+)'", PARAMETERS))
    workflow = yaml.safe_load(DEPLOY)
    for name in ("what-if", "deploy"):
        given = set(workflow["env"]) | set(workflow["jobs"][name]["env"])
        assert given - {"AZURE_RESOURCE_GROUP"} == read


def test_the_outputs_used_by_the_workflow_exist(template: dict[str, Any]) -> None:
    [read] = re.findall(r"grep -E '\^\(([\w|]+)\)=\.' >> \"\$GITHUB_ENV\"", DEPLOY)
    assert set(read.split("|")) == {"AZURE_FUNCTION_APP_NAME", "PUBLIC_URL"}
    assert set(read.split("|")) <= template["outputs"].keys()


def test_python_is_the_one_that_runs_in_azure(deployments: dict[str, Deployment]) -> None:
    [site] = deployments["dev"].of("Microsoft.Web/sites")
    used = {
        str(step["with"]["python-version"])
        for workflow in WORKFLOWS
        for step in steps(workflow)
        if "setup-python" in step.get("uses", "")
    }
    assert used == {site.get("properties", "functionAppConfig", "runtime", "version")}


def test_checks_for_one_purpose_do_not_end_those_for_another() -> None:
    """A push must not end the checks of the week, nor a deployment to prod those of one to dev."""
    checks = yaml.safe_load((ROOT / ".github/workflows/check.yml").read_text(encoding="utf-8"))

    def group(workflow: str, event: str, environment: str = "") -> str:
        values = {
            "github.workflow": workflow,
            "github.event_name": event,
            "github.ref": "refs/heads/main",
            # The called workflow has no inputs of its own: those of the person are in the event.
            "github.event.inputs.environment": environment,
        }
        return re.sub(
            r"\$\{\{ ([\w.]+) \}\}", lambda each: values[each[1]], checks["concurrency"]["group"]
        )

    runs = [("check", "push", ""), ("check", "schedule", "")]
    runs += [("deploy", "workflow_dispatch", one) for one in ("dev", "prod")]
    assert len({group(*run) for run in runs}) == len(runs)


def test_a_pipe_in_a_workflow_fails_when_its_first_command_fails() -> None:
    for workflow in WORKFLOWS:
        for step in steps(workflow):
            run = step.get("run", "")
            if re.search(r"[^|]\|\s*tee\b", run):
                assert step.get("shell") == "bash", f"{step['name']}: only bash has pipefail"


def test_a_step_that_may_fail_at_first_is_retried() -> None:
    runs = [step.get("run", "").replace("\\\n", " ") for step in steps(DEPLOYMENT)]
    for command in ("az deployment group create", "sh infra/scripts/upload.sh"):
        [run] = [one for one in runs if command in one]
        assert re.search(rf"sh \.github/retry\.sh \d+ \d+ {command}", " ".join(run.split()))


def test_the_package_is_built_before_anything_is_deployed() -> None:
    runs = [step.get("run", "") for step in yaml.safe_load(DEPLOY)["jobs"]["deploy"]["steps"]]
    order = [
        next(i for i, run in enumerate(runs) if part in run)
        for part in (
            "infra/package.py",
            "deployment group create",
            "upload.sh",
            "smoke.sh",
            "triggers.sh",
        )
    ]
    assert order == sorted(order)
    assert "--build-remote false" in (INFRA / "scripts/upload.sh").read_text(encoding="utf-8")


@pytest.mark.parametrize(("fails", "code"), [(0, 0), (2, 0), (3, 7)])
def test_a_command_is_tried_up_to_three_times(tmp_path: Path, fails: int, code: int) -> None:
    command = tmp_path / "flaky.sh"
    count = tmp_path / "count"
    count.write_text("")
    command.write_text(
        f'printf x >> "{count}"\n[ "$(wc -c < "{count}")" -gt {fails} ] || exit 7\necho done\n'
    )
    done = subprocess.run(
        ["sh", ".github/retry.sh", "3", "0", "sh", str(command), "a"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert len(count.read_text()) == min(fails + 1, 3)


def program(folder: Path, name: str, lines: str) -> None:
    """Write a program that has these lines of shell as its body."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)


def with_az(
    folder: Path, answer: str, *command: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command with a program `az` that has these lines of shell as its body."""
    program(folder, "az", answer)
    path = {"PATH": f"{folder}:{os.environ['PATH']}"}
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_outputs_are_found_although_azure_changes_the_case_of_their_names(tmp_path: Path) -> None:
    answer = r"printf 'azurE_FUNCTION_APP_NAME\tpubliC_URL\nfunc-x\thttps://func.example\n'"
    done = with_az(tmp_path, answer, "sh", "infra/scripts/outputs.sh", "rg")
    assert done.stdout.splitlines() == [
        "AZURE_FUNCTION_APP_NAME=func-x",
        "PUBLIC_URL=https://func.example",
    ]
    assert with_az(tmp_path, "exit 3", "sh", "infra/scripts/outputs.sh", "rg").returncode == 3


@pytest.mark.parametrize(
    ("says", "code"),
    [
        ("Deployment was successful but the app appears to be unhealthy.", 0),
        ("Failed to fetch scm url for function app", 1),
    ],
)
def test_an_upload_succeeds_although_the_azure_cli_cannot_ask_the_app_about_its_health(
    tmp_path: Path, says: str, code: int
) -> None:
    """Sign-in protects the address that the CLI asks; `smoke.sh` checks the app."""
    answer = f"echo 'ERROR: {says}' >&2; exit 1"
    done = with_az(tmp_path, answer, "sh", "infra/scripts/upload.sh", "rg", "app", "app.zip")
    assert done.returncode == code
    assert says in done.stdout


@pytest.mark.parametrize("end", ["", "\\r"])
def test_the_functions_are_found_in_the_subscription_of_azd_and_on_windows(
    tmp_path: Path, end: str
) -> None:
    names = " ".join(f"func-x/{name}" for name in code.read().functions)
    az = f"""case "$*" in
  "functionapp show"*" --subscription ours") printf '/site{end}\\n' ;;
  "rest --method post --url https://management.azure.com/site/host/default/sync?"*) ;;
  "functionapp function list"*" --subscription ours") printf '%s{end}\\n' {names} ;;
  *) exit 3 ;;
esac"""
    program(tmp_path, "sleep", "")
    script = ("sh", "infra/scripts/triggers.sh", "rg", "func-x")
    assert with_az(tmp_path, az, *script, AZURE_SUBSCRIPTION_ID="ours").returncode == 0
    assert with_az(tmp_path, az, *script, AZURE_SUBSCRIPTION_ID="").returncode == 3


@pytest.mark.parametrize(("known_after", "result"), [(0, 0), (3, 0), (99, 1)])
def test_azure_is_asked_to_read_the_triggers_until_it_knows_every_function(
    tmp_path: Path, known_after: int, result: int
) -> None:
    """Flex Consumption may know only WarmUp after a deployment, and then no timer and no queue starts the app."""
    names = " ".join(f"func-x/{name}" for name in code.read().functions)
    az = f"""case "$*" in
  "functionapp show"*) echo /site ;;
  "rest --method post --url https://management.azure.com/site/host/default/sync?"*)
    echo x >> {tmp_path}/requests; echo "the app does not run"; exit 1 ;;
  "functionapp function list"*)
    [ "$(wc -l < {tmp_path}/requests)" -gt {known_after} ] || {{ echo func-x/WarmUp; exit; }}
    printf '%s\\n' {names} ;;
esac"""
    program(tmp_path, "sleep", "")
    done = with_az(tmp_path, az, "sh", "infra/scripts/triggers.sh", "rg", "func-x")
    assert done.returncode == result, done.stderr
    assert len((tmp_path / "requests").read_text().split()) == min(known_after + 1, 10)
    if result:
        assert "the app does not run" in done.stderr
        assert all(f" {name}" in done.stderr for name in code.read().functions)


class _Site(QuietHandler):
    answers: dict[str, tuple[int, str]]

    def do_GET(self) -> None:
        status, body = self.answers.get(self.path, (401, "{}"))
        self.respond(status, body.encode())


@contextmanager
def site(answers: dict[str, tuple[int, str]]) -> Iterator[str]:
    with serving(type("Site", (_Site,), {"answers": answers})) as host:
        yield f"http://{host}"


def smoke(url: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return subprocess.run(
        ["sh", ".github/smoke.sh", url],
        cwd=ROOT,
        env={**plain, "SMOKE_PAUSE": "0"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


needs_curl = pytest.mark.skipif(
    shutil.which("curl") is None, reason="curl is not installed on this machine"
)
UP = (200, '{"status": "ok"}')


@needs_curl
def test_the_smoke_test_passes_if_the_app_is_running_and_closed() -> None:
    answers = {"/api/health": UP, "/": (302, ""), "/api/mailchimp/webhooks/smoke": UP}
    with site(answers) as url:
        result = smoke(url)
    assert (result.returncode, result.stderr) == (0, "")


@needs_curl
def test_the_smoke_test_warns_if_sign_in_refuses_the_webhooks() -> None:
    with site({"/api/health": UP}) as url:
        result = smoke(url)
    assert result.returncode == 0
    assert "refuses Mailchimp's webhooks (401)" in result.stderr


@needs_curl
def test_the_smoke_test_fails_if_the_api_is_public() -> None:
    with site({"/api/health": UP, "/api/exports": (200, "[]")}) as url:
        result = smoke(url)
    assert result.returncode == 1
    assert "/api/exports answered 200" in result.stderr


@needs_curl
def test_the_smoke_test_distinguishes_an_app_without_configuration_from_a_broken_one() -> None:
    problem = '{"type": "urn:problem-type:notConfigured", "status": 503}'
    with site({"/api/health": (503, problem)}) as url:
        assert smoke(url).returncode == 3
    with site({"/api/health": (503, "The service is unavailable.")}) as url:
        result = smoke(url)
    assert result.returncode == 1
    assert "answers 503" in result.stderr


APP_ID = "11111111-2222-3333-4444-555555555555"
AZ = f"""
printf 'az %s\\n' "$*" >> "$LOG"
case "$*" in
  "provider show"*) echo "$STATE" ;;
  "provider register"*) exit "${{REGISTER:-0}}" ;;
  "group show"*) exit "${{GROUP:-3}}" ;;
  "ad app permission grant"*) exit "${{CONSENT:-0}}" ;;
  "rest --method get"*appRoleAssignedTo*) echo "$ASSIGNED" ;;
  "rest --method post"*appRoleAssignedTo*) exit "${{ASSIGN:-0}}" ;;
  "ad app create"*) echo {APP_ID} ;;
  "ad app show"*oauth2PermissionScopes*) echo "$SCOPES" ;;
  "ad app show"*) echo https://other.example/.auth/login/aad/callback ;;
  "deployment group show"*)
    printf 'publiC_URL\\tconfiG_VAULT_NAME\\tazurE_RESOURCE_GROUP\\tazurE_FUNCTION_APP_NAME\\tentrA_CLIENT_ID'
    printf '\\tsegmentS_ACCOUNT_NAME\\tsegmentS_CONTAINER\\n'
    printf 'https://func.example\\tconfig-x\\trg\\tfunc-x\\t{APP_ID}\\tsegx\\tsegments\\n' ;;
  *"--query id --output tsv"*) echo an-id ;;
  *"credential reset"*) echo the-secret ;;
  *"keyvault secret set"*) test "$(cat "$9")" = the-secret ;;
esac
"""
AZD = f"""printf 'azd %s\\n' "$*" >> "$LOG"
[ -z "$NO_AZD" ] || exit 1
[ "$*" = "env get-values" ] || exit 0
echo 'PUBLIC_URL="https://func.example"'
echo 'CONFIG_VAULT_NAME="config-x"'
echo 'AZURE_RESOURCE_GROUP="rg"'
echo 'AZURE_FUNCTION_APP_NAME="func-x"'
echo 'ENTRA_CLIENT_ID="{APP_ID}"'
echo 'SEGMENTS_ACCOUNT_NAME="segx"'
echo 'SEGMENTS_CONTAINER="segments"'
echo 'OTHER="$(exit 9)"'
"""


OPEN_SITE = "printf 200"
"""A `curl` that gets 200 from every address, so that the smoke test must find the API open."""


def script(
    folder: Path, *arguments: str, curl: str = OPEN_SITE, **environment: str
) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run a script against programs that answer like the Azure CLI and azd; also their calls."""
    log = folder / "calls"
    log.write_text("")
    program(folder, "azd", AZD)
    program(folder, "curl", curl)
    program(folder, "sleep", "")
    names = ("STATE", "NO_AZD", "ENTRA_CLIENT_ID", "ASSIGNED", "SCOPES")
    given = {"LOG": str(log), **dict.fromkeys(names, ""), **environment}
    name, *rest = arguments
    return with_az(folder, AZ, "sh", f"infra/scripts/{name}", *rest, **given), log.read_text()


def test_a_deployment_is_prepared_with_azd(tmp_path: Path) -> None:
    done, calls = script(tmp_path, "prepare.sh", "koreacentral", "rg")
    assert done.returncode == 0, done.stderr
    assert calls.count("az provider register --namespace Microsoft.") == 9
    roles = json.loads((INFRA / "app-roles.json").read_text(encoding="utf-8"))
    [role] = [one["id"] for one in roles if one["value"] == "Administrator"]
    for part in (
        "az group create --name rg --location koreacentral",
        "--display-name Segment export (rg)",
        "--requested-access-token-version 2",
        "--required-resource-accesses @infra/app-permissions.json",
        f"az ad sp update --id {APP_ID} --set appRoleAssignmentRequired=true",
        f"az ad app permission grant --id {APP_ID} --api 00000003-0000-0000-c000-000000000000"
        " --scope openid profile email offline_access",
        "az rest --method post --url https://graph.microsoft.com/v1.0/servicePrincipals/an-id/appRoleAssignedTo"
        f' --body {{"principalId": "an-id", "resourceId": "an-id", "appRoleId": "{role}"}}',
        "azd env set AZURE_SUBSCRIPTION_ID an-id",
        f"azd env set ENTRA_CLIENT_ID {APP_ID}",
    ):
        assert part in calls


def test_a_portal_can_request_a_token_for_the_api(tmp_path: Path) -> None:
    _, calls = script(tmp_path, "prepare.sh", "koreacentral", "rg")
    application = f"https://graph.microsoft.com/v1.0/applications(appId='{APP_ID}')"
    assert f"az rest --method patch --url {application} --body @infra/app-scope.json" in calls
    api = json.loads((INFRA / "app-scope.json").read_text(encoding="utf-8"))["api"]
    # The patch must not undo what the registration was created with.
    assert f"--requested-access-token-version {api['requestedAccessTokenVersion']}" in calls
    [scope] = [one["value"] for one in api["oauth2PermissionScopes"]]
    guide = (INFRA.parent / "docs/deploy.md").read_text(encoding="utf-8")
    assert f'--api "$ENTRA_CLIENT_ID" --scope {scope}' in guide
    # A scope that is there may be another one, and Entra refuses to replace it.
    _, calls = script(tmp_path, "prepare.sh", "koreacentral", "rg", SCOPES="other")
    assert "--method patch" not in calls


def test_a_deployment_without_azd_gets_its_values_from_the_output(tmp_path: Path) -> None:
    done, calls = script(tmp_path, "prepare.sh", "koreacentral", "rg", NO_AZD="1")
    assert done.returncode == 0, done.stderr
    assert "azd env set" not in calls
    values = dict(line.split("=") for line in done.stdout.splitlines())
    read = set(re.findall(r"readEnvironmentVariable\('(\w+)'", PARAMETERS))
    assert values.keys() - {"AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP"} <= read
    assert values["ENTRA_CLIENT_ID"] == APP_ID


def test_an_owner_of_the_resource_group_alone_can_prepare_a_deployment(tmp_path: Path) -> None:
    """The resource providers and the group are there, and changing them is refused."""
    done, calls = script(
        tmp_path, "prepare.sh", "koreacentral", "rg", STATE="Registered", GROUP="0"
    )
    assert done.returncode == 0, done.stderr
    assert "az provider register" not in calls
    assert "az group create" not in calls
    refused = {"REGISTER": "1", "CONSENT": "1", "ASSIGN": "1"}
    done, _ = script(tmp_path, "prepare.sh", "koreacentral", "rg", **refused)
    assert done.returncode == 0, done.stderr
    assert "NOT an Administrator" in done.stderr
    assert "NOT registered: Microsoft.EventGrid" in done.stderr
    assert "NO CONSENT" in done.stderr


def test_a_person_who_is_an_administrator_already_is_not_assigned_the_role_again(
    tmp_path: Path,
) -> None:
    done, calls = script(tmp_path, "prepare.sh", "koreacentral", "rg", ASSIGNED="an-assignment")
    assert done.returncode == 0, done.stderr
    assert "rest --method post" not in calls


@pytest.mark.parametrize("arguments", [[], ["rg"]], ids=["azd", "without azd"])
def test_a_deployment_is_configured(tmp_path: Path, arguments: list[str]) -> None:
    done, calls = script(tmp_path, "configure.sh", *arguments, NO_AZD="1" if arguments else "")
    assert "answered 200 without sign-in" in done.stderr
    assert ("deployment group show --resource-group rg" in calls) is bool(arguments)
    for part in (
        "keyvault secret set --vault-name config-x --name entra-client-secret",
        # addresses of another environment stay
        "--web-redirect-uris https://func.example/.auth/login/aad/callback"
        " https://func.example/api/oauth/entra/callback https://other.example/.auth/login/aad/callback",
        "az storage account show --name segx",
        "--scope an-id/blobServices/default/containers/segments",
        "configreferences/appsettings/refresh",
    ):
        assert part in calls
    assert "the-secret" not in calls


@pytest.mark.parametrize(
    ("today", "expires"), [("2026 11 30", "2027-11-28"), ("2028 02 29", "2029-02-28")]
)
def test_the_vault_knows_when_the_client_secret_expires(
    tmp_path: Path, today: str, expires: str
) -> None:
    """Key Vault reports only secrets with a date. Without the alert, people learn of the end when they cannot sign in."""
    program(tmp_path, "date", f"echo {today}")
    _, calls = script(tmp_path, "configure.sh")
    [created] = [line for line in calls.splitlines() if "credential reset" in line]
    [stored] = [line for line in calls.splitlines() if "keyvault secret set" in line]
    assert f"--end-date {expires}T00:00:00Z" in created
    assert f"--expires {expires}T00:00:00Z" in stored


def test_the_app_may_need_some_time_until_it_has_the_secret(tmp_path: Path) -> None:
    """Azure restarts the app after the refresh; until then it answers as before."""
    curl = """for url in "$@"; do :; done
case $url in
  *api/health)
    echo x >> "$LOG.health"
    [ "$(wc -l < "$LOG.health")" -gt 3 ] && printf 200 && exit
    echo '{"type": "urn:problem-type:notConfigured"}' > "$3"; printf 503 ;;
  *webhooks*) printf 200 ;;
  *) printf 401 ;;
esac
"""
    done, _ = script(tmp_path, "configure.sh", curl=curl)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("up, but not configured yet") == 3
    assert "closed: pages and API require sign-in" in done.stdout


@pytest.mark.parametrize(
    ("prefix", "groups"),
    [
        ("repo:owner@1234/repository@5678", ["rg"]),
        ("repo:owner/repository", ["rg", "rg-data"]),
        ("repo:owner/repository", ["rg", "/subscriptions/2/resourceGroups/rg-data"]),
    ],
)
def test_the_identity_of_the_workflow_may_assign_only_the_roles_of_the_deployment(
    tmp_path: Path, prefix: str, groups: list[str]
) -> None:
    program(tmp_path, "gh", f"echo {prefix}")
    done, calls = script(tmp_path, "github.sh", "owner/repository", "prod", *groups, GROUP="0")
    assert done.returncode == 0, done.stderr
    assert [line.partition("=")[0] for line in done.stdout.splitlines()] == [
        "AZURE_CLIENT_ID",
        "AZURE_TENANT_ID",
    ]
    for environment in ("prod-preview", "prod"):
        assert f"--subject {prefix}:environment:{environment} " in calls
    assigned = [line for line in calls.splitlines() if "role assignment create" in line]
    kinds = ["Contributor", "Role Based Access Control Administrator"]
    assert [re.search(r"--role (.*?) --", line)[1] for line in assigned] == kinds * len(groups)  # type: ignore[index]
    # The Azure CLI finds a group by its name only in its own subscription.
    assert [group for group in groups if group.startswith("/")] == sorted(
        set(re.findall(r"--scope (/\S+)", "\n".join(assigned)))
    )
    assert "group show --name /" not in calls
    for line in assigned[1::2]:
        for roles in re.findall(r"GuidEquals \{(.*?)\}", line):
            assert set(roles.split(",")) == set(ROLES)
        assert line.count("GuidEquals") == 2


def test_azd_finds_the_service_by_its_tag(deployments: dict[str, Deployment]) -> None:
    content = yaml.safe_load((ROOT / "azure.yaml").read_text(encoding="utf-8"))
    (name,) = content["services"]
    [azure_site] = deployments["dev"].of("Microsoft.Web/sites")
    assert azure_site.get("tags", "azd-service-name") == name
    service = content["services"][name]
    assert [service[key] for key in ("project", "language", "host")] == [".", "python", "function"]
    assert all(
        one.get("tags", "azd-env-name") == "dev"
        for one in deployments["dev"].resources
        if one.get("tags")
    )
    for hook in content["hooks"]["postdeploy"].values():
        assert hook["run"].index(".github/smoke.sh") < hook["run"].index(
            "infra/scripts/triggers.sh"
        )


def test_azd_deploys_the_package_that_is_built_with_the_python_of_the_site() -> None:
    content = yaml.safe_load((ROOT / "azure.yaml").read_text(encoding="utf-8"))
    [service] = content["services"].values()
    assert service["remoteBuild"] is False
    assert service["dist"] == package.AZD_FOLDER
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {f"{package.AZD_FOLDER}/", ".azure/", "app.zip"} <= set(ignored)
    for hook in service["hooks"]["prepackage"].values():
        command, version, arguments = re.fullmatch(
            r"(python|py -)(3\.\d+) infra/package\.py (.*)", hook["run"]
        ).groups()  # type: ignore[union-attr]
        assert (version, arguments) == (package.site_python(), "--azd"), command


def test_the_dev_container_has_the_documented_tools() -> None:
    text = (ROOT / ".devcontainer/devcontainer.json").read_text("utf-8")
    content = json.loads(text)
    assert "make setup" in content["postCreateCommand"]
    for tool in ("azure-cli", "azd", "github-cli", "node"):
        assert any(f"/{tool}:" in feature for feature in content["features"])
