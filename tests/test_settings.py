"""Settings are read; faults are reported together and by name; no value is leaked."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ConfigError
from shared.settings import NAMES, DeveloperIdentity, load

LOCAL = {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}
CONNECTION = "DefaultEndpointsProtocol=https;AccountName=company;AccountKey=a2V5;EndpointSuffix=core.windows.net"
AZURE = {
    "AzureWebJobsStorage__accountName": "company",
    "WEBSITE_SITE_NAME": "export",
    "WEBSITE_INSTANCE_ID": "0123",
    "WEBSITE_HOSTNAME": "export.azurewebsites.net",
    "WEBSITE_AUTH_ENABLED": "True",
    "KEY_VAULT_URL": "https://company.vault.azure.net/",
}


def faults(environ: Mapping[str, str]) -> set[str]:
    try:
        load(environ)
    except ConfigError as error:
        refused = error
    else:
        return set()
    assert all(fault.field in str(refused) for fault in refused.faults)
    return {fault.field for fault in refused.faults}


class Recorded(Mapping[str, str]):
    """An environment that records which names are read."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values_, self.asked = values, set[str]()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self.values_[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)


def test_local_settings_need_only_the_storage() -> None:
    settings = load(LOCAL)
    assert settings.storage.connection_string == "UseDevelopmentStorage=true"
    assert settings.segments.storage == settings.storage
    assert (settings.segments.container, settings.segments.root) == ("segments", "")
    assert settings.public_url == "http://127.0.0.1:7071"
    assert settings.mailchimp.login_url == "https://login.mailchimp.com"
    assert settings.mailchimp.api_url == "https://{dc}.api.mailchimp.com/3.0"
    assert settings.mailchimp.connections == 10
    assert settings.entra.authority == "https://login.microsoftonline.com"
    assert settings.customer_insights.api_url == "https://api.ci.ai.dynamics.com/v1"
    assert settings.tick_schedule == "0 */5 * * * *"
    assert (settings.max_profiles, settings.retention_days) == (1_000_000, 30)
    assert settings.developer is None
    assert not settings.in_azure
    assert not settings.auth_enabled


def test_azure_requires_an_identity_and_a_vault() -> None:
    settings = load(AZURE)
    assert settings.in_azure
    assert settings.auth_enabled
    assert settings.storage.blob_url == "https://company.blob.core.windows.net"
    assert settings.storage.queue_url == "https://company.queue.core.windows.net"
    assert settings.storage.table_url == "https://company.table.core.windows.net"
    assert settings.storage.managed
    assert settings.public_url == "https://export.azurewebsites.net"
    assert settings.key_vault_url == "https://company.vault.azure.net"


@pytest.mark.parametrize("name", ["WEBSITE_SITE_NAME", "WEBSITE_INSTANCE_ID"])
def test_either_variable_means_azure(name: str) -> None:
    assert load({**AZURE, "WEBSITE_SITE_NAME": "", "WEBSITE_INSTANCE_ID": "", name: "x"}).in_azure


def test_all_faults_are_reported_together() -> None:
    wrong = {
        "SEGMENTS_CONTAINER": "Segments",
        "MAX_PROFILES": "many",
        "TICK_SCHEDULE": "0 */5 * * *",
        "MAILCHIMP_CLIENT_ID": "1",
        "DEVELOPER_IDENTITY": "me",
    }
    expected = (set(wrong) - {"MAILCHIMP_CLIENT_ID"}) | {
        "MAILCHIMP_CLIENT_SECRET",
        "AzureWebJobsStorage",
    }
    assert faults(wrong) == expected


def test_a_blank_setting_is_not_set() -> None:
    assert load({**dict.fromkeys(NAMES, "  "), **LOCAL}) == load(LOCAL)


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        (
            "Local Developer <developer@localhost>; Administrator",
            DeveloperIdentity("Local Developer", "developer@localhost", ("Administrator",)),
        ),
        (
            " 김 민지<1234> ;Viewer , Contributor ",
            DeveloperIdentity("김 민지", "1234", ("Viewer", "Contributor")),
        ),
    ],
)
def test_a_developer_has_a_name_an_id_and_roles(text: str, identity: DeveloperIdentity) -> None:
    assert load({**LOCAL, "DEVELOPER_IDENTITY": text}).developer == identity


def test_a_developer_identity_is_refused_in_azure() -> None:
    text = "Local Developer <developer@localhost>; Administrator"
    assert faults({**AZURE, "DEVELOPER_IDENTITY": text}) == {"DEVELOPER_IDENTITY"}


WRONG = [
    ("DEVELOPER_IDENTITY", "Me <me>"),
    ("DEVELOPER_IDENTITY", "Me <me>; Owner"),
    ("DEVELOPER_IDENTITY", "<me>; Viewer"),
    ("AzureWebJobsStorage", "AccountName=a"),
    ("AzureWebJobsStorage", "UseDevelopmentStorage=false"),
    ("AzureWebJobsStorage", "nonsense"),
    ("AzureWebJobsStorage__credential", "password"),
    ("SEGMENTS_STORAGE", "nonsense"),
    ("SEGMENTS_STORAGE__blobServiceUri", "http://company.blob.core.windows.net"),
    ("SEGMENTS_STORAGE__accountName", "Not/A/Name"),
    ("SEGMENTS_CONTAINER", "a"),
    ("SEGMENTS_CONTAINER", "a--b"),
    ("SEGMENTS_ROOT", "a/../b"),
    ("SEGMENTS_ROOT", "a//b"),
    ("SEGMENTS_ROOT", "a\\b"),
    ("PUBLIC_URL", "export.example"),
    ("PUBLIC_URL", "http://export.example"),
    ("PUBLIC_URL", "https://export.example/path"),
    ("PUBLIC_URL", "https://export.example?x=1"),
    ("MAILCHIMP_LOGIN_URL", "http://login.example"),
    ("MAILCHIMP_LOGIN_URL", "https://user:word@login.example"),
    ("MAILCHIMP_API_URL", "https://api.example/3.0"),
    ("MAILCHIMP_API_URL", "http://{dc}.api.mailchimp.com/3.0"),
    ("MAILCHIMP_API_URL", "https://{dc}.{x}.example"),
    ("MAILCHIMP_API_URL", "https://{dc}.any.example/3.0"),
    ("MAILCHIMP_API_URL", "https://gateway.example/{dc}/3.0"),
    ("MAILCHIMP_API_URL", "https://{dc}.evil.api.mailchimp.com/3.0"),
    ("MAILCHIMP_API_URL", "https://{dc}.api.mailchimp.com:8443/3.0"),
    ("MAILCHIMP_API_URL", "https://api.mailchimp.com/3.0"),
    ("MAILCHIMP_API_URL", "https://evil-api.mailchimp.com.example/3.0"),
    ("MAILCHIMP_API_URL", "http://127.0.0.1.example/3.0"),
    ("MAILCHIMP_API_URL", "ftp://127.0.0.1/"),
    ("MAILCHIMP_API_URL", "x"),
    ("MAILCHIMP_API_URL", "http://10.0.0.1/3.0"),
    ("MAILCHIMP_API_URL", "http://169.254.169.254/{dc}"),
    ("MAILCHIMP_API_URL", "http://127.0.0.1:x/3.0"),
    ("MAILCHIMP_API_URL", "http://user:word@127.0.0.1/3.0"),
    ("MAILCHIMP_API_URL", "http://127.0.0.1/3.0?x=1"),
    ("MAILCHIMP_API_URL", "http://[::1"),
    ("MAILCHIMP_CONNECTIONS", "0"),
    ("MAILCHIMP_CONNECTIONS", "11"),
    ("MAILCHIMP_CONNECTIONS", "1_0"),
    ("ENTRA_AUTHORITY", "http://localhost:8080"),
    ("ENTRA_TENANT_ID", "a/b"),
    ("CUSTOMER_INSIGHTS_API_URL", "http://api.example"),
    ("CUSTOMER_INSIGHTS_INSTANCE_ID", "../x"),
    ("KEY_VAULT_URL", "http://127.0.0.1:8080"),
    ("TICK_SCHEDULE", "00:05:00"),
    ("TICK_SCHEDULE", "0 0 0 0 0 ;"),
    ("MAX_PROFILES", "0"),
    ("MAX_PROFILES", "-1"),
    ("MAX_PROFILES", "1e6"),
    ("MAX_PROFILES", "٣"),
    ("RETENTION_DAYS", "0"),
    ("MAILCHIMP_CLIENT_SECRET", "@Microsoft.KeyVault(SecretUri=https://v/secrets/s)"),
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=[f"{n}={v}" for n, v in WRONG])
def test_a_wrong_value_is_reported_by_name_and_not_repeated(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load({**LOCAL, name: value})
    assert {fault.field for fault in caught.value.faults} == {name}
    printed = str(caught.value).replace(name, "")
    assert len(value) < 4 or value not in printed


LOOPBACK = [
    ("MAILCHIMP_API_URL", "http://127.0.0.1:8080/3.0"),
    ("MAILCHIMP_API_URL", "http://localhost:8080/{dc}/3.0"),
    ("MAILCHIMP_LOGIN_URL", "http://[::1]:8080"),
    ("ENTRA_AUTHORITY", "https://localhost:8080/tenant"),
    ("CUSTOMER_INSIGHTS_API_URL", "http://127.0.0.1:8080/v1"),
    ("KEY_VAULT_URL", "https://127.0.0.1:8080"),
    ("PUBLIC_URL", "http://localhost:8080"),
]


@pytest.mark.parametrize(("name", "value"), LOOPBACK)
def test_a_loopback_url_is_allowed_only_outside_azure(name: str, value: str) -> None:
    assert faults({**LOCAL, name: value}) == set()
    assert faults({**AZURE, name: value}) == {name}


@pytest.mark.parametrize(
    "value",
    [
        "https://us6.api.mailchimp.com/3.0",
        "https://{dc}.api.mailchimp.com/3.0/",
    ],
)
def test_mailchimp_may_be_reached_by_a_fixed_host(value: str) -> None:
    assert load({**AZURE, "MAILCHIMP_API_URL": value}).mailchimp.api_url == value.rstrip("/")


@pytest.mark.parametrize(
    "value",
    [
        "UseDevelopmentStorage=true",
        CONNECTION.replace("https", "http"),
        "AccountName=a;AccountKey=b;BlobEndpoint=http://10.0.0.1/a",
    ],
)
def test_storage_without_tls_is_refused_in_azure(value: str) -> None:
    assert faults({**AZURE, "AzureWebJobsStorage": value}) == {"AzureWebJobsStorage"}
    assert faults({"AzureWebJobsStorage": value}) == set()


def test_azure_without_a_vault_or_a_public_url_is_refused() -> None:
    without = {**AZURE, "KEY_VAULT_URL": "", "WEBSITE_HOSTNAME": ""}
    assert faults(without) == {"KEY_VAULT_URL", "PUBLIC_URL"}


def test_the_identity_form_names_every_service() -> None:
    environ = {
        "AzureWebJobsStorage__blobServiceUri": "https://a.blob.core.windows.net",
        "AzureWebJobsStorage__queueServiceUri": "https://a.queue.core.windows.net",
        "AzureWebJobsStorage__tableServiceUri": "https://a.table.core.windows.net",
        "AzureWebJobsStorage__credential": "managedidentity",
        "AzureWebJobsStorage__clientId": "00000000-0000-0000-0000-000000000001",
        "SEGMENTS_STORAGE__blobServiceUri": "https://b.blob.core.windows.net/",
    }
    settings = load(environ)
    assert settings.storage.managed
    assert settings.storage.client_id.endswith("1")
    assert settings.segments.storage.blob_url == "https://b.blob.core.windows.net"
    assert not settings.segments.storage.managed
    del environ["AzureWebJobsStorage__queueServiceUri"]
    assert faults(environ) == {"AzureWebJobsStorage__queueServiceUri"}


def test_settings_that_belong_together_are_required_together() -> None:
    assert faults({**LOCAL, "MAILCHIMP_CLIENT_SECRET": "s"}) == {"MAILCHIMP_CLIENT_ID"}
    assert faults({**LOCAL, "ENTRA_CLIENT_ID": "c"}) == {"ENTRA_CLIENT_SECRET", "ENTRA_TENANT_ID"}


def test_no_secret_is_in_a_repr() -> None:
    settings = load(
        {
            "AzureWebJobsStorage": CONNECTION.replace("a2V5", "geheim"),
            "SEGMENTS_STORAGE": CONNECTION.replace("a2V5", "geheim"),
            "MAILCHIMP_CLIENT_ID": "1",
            "MAILCHIMP_CLIENT_SECRET": "geheim",
            "ENTRA_TENANT_ID": "t",
            "ENTRA_CLIENT_ID": "c",
            "ENTRA_CLIENT_SECRET": "geheim",
            "CUSTOMER_INSIGHTS_SUBSCRIPTION_KEY": "geheim",
        }
    )
    assert settings.mailchimp.client_secret == "geheim"
    assert "geheim" not in repr(settings)


@given(st.dictionaries(st.sampled_from(NAMES), st.text()))
def test_any_environment_raises_only_config_errors(environ: dict[str, str]) -> None:
    faults(environ)


@pytest.fixture
def sample(project: Path) -> dict[str, str]:
    content = json.loads((project / "local.settings.sample.json").read_text())
    assert content["IsEncrypted"] is False
    return content["Values"]


def test_the_sample_lists_exactly_the_settings_that_are_read(sample: dict[str, str]) -> None:
    environ = Recorded(sample)
    load(environ)
    own = {name for name in environ.asked if not name.startswith("WEBSITE_") and "__" not in name}
    assert own == set(NAMES)
    assert set(sample) - {"FUNCTIONS_WORKER_RUNTIME"} == set(NAMES)
    assert all(isinstance(value, str) for value in sample.values())


def test_the_sample_has_the_defaults_and_the_developer_is_an_administrator(
    sample: dict[str, str],
) -> None:
    settings = load(sample)
    assert settings.developer is not None
    assert settings.developer.roles == ("Administrator",)
    assert load({**sample, "DEVELOPER_IDENTITY": ""}) == load(LOCAL)
    assert sample["FUNCTIONS_WORKER_RUNTIME"] == "python"
