"""A complete workflow in a real browser with the real app, Azurite, the sandbox Mailchimp and a local
OpenID provider in place of Entra.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from devhost.processes import Azurite, running, start_app
from sandbox.mailchimp.sandbox import Sandbox
from sandbox.mailchimp.world import OAuthApp
from sandbox.samples import Flaws
from tests.connections.oidc import CLIENT_ID, CLIENT_SECRET, TENANT, provider
from tests.e2e.running_app import ExportScenario, RunningApp, fast_polling_app, settings_for
from tests.free_ports import free_port

pytestmark = pytest.mark.browser

WORDS = {
    "en": {
        "name": "Display name",
        "agree": "I agree",
        "connect": "Connect",
        "authenticate": "Authenticate with Mailchimp",
        "go": "Continue",
        "connected": "Connected to Mailchimp",
        "exportUser": "Add yourself as export user",
        "isExportUser": "Export user: ",
        "next": "Next: configure an export",
        "audience": "Mailchimp audience",
        "email": "Email (required)",
        "save": "Save",
        "preview": "Preview",
        "nothing": "Nothing was sent",
        "run": "Run",
        "successful": "Completed with warnings",
        "rejected": "Rejected rows",
        "remove": "Remove",
    },
    "ko": {
        "name": "표시 이름",
        "agree": "동의함",
        "connect": "연결",
        "authenticate": "Mailchimp로 인증",
        "go": "계속",
        "connected": "Mailchimp에 연결됨",
        "exportUser": "내보내기 사용자로 사용자 본인 추가",
        "isExportUser": "내보내기 사용자: ",
        "next": "다음: 내보내기 구성",
        "audience": "Mailchimp 대상 그룹",
        "email": "이메일 (필수)",
        "save": "저장",
        "preview": "미리 보기",
        "nothing": "아무것도 보내지 않았습니다",
        "run": "실행",
        "successful": "경고와 함께 완료",
        "rejected": "거부된 행",
        "remove": "제거",
    },
}


@pytest.fixture(scope="module")
def running_app(
    separate_storage: Callable[[], Azurite], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningApp]:
    """An app with a public URL and a Mailchimp client, on separate storage.

    On shared storage another app would receive its messages.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    folder = tmp_path_factory.mktemp("browsed")
    storage = separate_storage().connection_string
    with (
        Sandbox() as sandbox,
        provider(folder, f"{url}/api/oauth/entra/callback") as entra,
    ):
        sandbox.world.apps["browsed"] = OAuthApp(
            "browsed", "secret", f"{url}/api/oauth/mailchimp/callback", "Export"
        )
        settings = settings_for(
            storage,
            sandbox,
            PUBLIC_URL=url,
            MAILCHIMP_LOGIN_URL=sandbox.world.url,
            MAILCHIMP_CLIENT_ID="browsed",
            MAILCHIMP_CLIENT_SECRET="secret",
            ENTRA_TENANT_ID=TENANT,
            ENTRA_CLIENT_ID=CLIENT_ID,
            ENTRA_CLIENT_SECRET=CLIENT_SECRET,
            ENTRA_AUTHORITY=entra.authority,
            REQUESTS_CA_BUNDLE=str(entra.certificate),
        )
        app = start_app(
            settings, app_dir=fast_polling_app(folder / "app"), port=port, log=folder / "app.log"
        )
        with running(app):
            yield RunningApp(storage, app, sandbox)


@pytest.mark.parametrize("language", ["en", pytest.param("ko", marks=pytest.mark.long)])
def test_from_setup_to_removal(
    chromium: Browser, running_app: RunningApp, tmp_path: Path, language: str
) -> None:
    words = WORDS[language]
    scenario = ExportScenario(running_app, tmp_path)
    sample = scenario.sample(60, 0.6, 0.5, flaws=Flaws(missing=0.1, malformed=0.1))
    scenario.refresh(sample)
    complaints: list[str] = []
    # The provider's certificate is its own; the app trusts it by a setting, the browser cannot.
    context = chromium.new_context(
        locale={"en": "en-US", "ko": "ko-KR"}[language], ignore_https_errors=True
    )
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.on(
        "console", lambda message: complaints.append(f"{message.location['url']} {message.text}")
    )
    page.on("pageerror", lambda error: complaints.append(f"{page.url} {error}"))
    url = running_app.process.url.rstrip("/")

    page.goto(f"{url}/setup/connection")
    page.get_by_label(words["name"]).fill(f"Browsed {language}")
    page.get_by_label(words["agree"]).check()
    page.get_by_role("button", name=words["connect"], exact=True).click()
    page.wait_for_url(re.compile("/connections/"))
    connection = page.url
    page.get_by_role("button", name=words["authenticate"]).click()
    page.get_by_role("link", name=words["go"]).click()
    page.get_by_label("Account").select_option(label=running_app.sandbox.account.name)
    page.get_by_role("button", name="Allow").click()
    page.wait_for_url(f"{connection}?done=*")
    expect(page.locator(".tick").first).to_contain_text(words["connected"])
    page.get_by_role("button", name=words["exportUser"]).click()
    page.get_by_role("link", name=words["go"]).click()
    page.locator("[name=login]").fill("kim")
    page.locator("[name=password]").fill("any")
    page.locator("[type=submit]").click()
    page.locator("[type=submit]").click()
    page.wait_for_url(f"{connection}?done=*")
    expect(page.locator(".tick").nth(1)).to_contain_text(words["isExportUser"])
    page.get_by_role("link", name=words["next"]).click()

    page.get_by_label(words["name"]).fill(f"News {language}")
    page.get_by_label(words["audience"]).select_option(scenario.audience.id)
    assert page.get_by_label(words["email"]).input_value() == "EMail"
    for segment in sample.segments:
        page.locator(f"input[name=segment][value='{segment.name}']").check()
    page.get_by_role("button", name=words["save"], exact=True).click()

    page.wait_for_url("**/exports/*?done=*")
    export = page.url.partition("?")[0]
    page.get_by_role("button", name=words["preview"]).click()
    done(page)
    expect(page.locator("main")).to_contain_text(words["nothing"])
    assert not scenario.audience.members()

    page.goto(export)
    page.get_by_role("button", name=words["run"], exact=True).click()
    done(page)
    expect(page.locator("#progress")).to_contain_text(words["successful"])
    expect(page.locator("main")).to_contain_text(words["rejected"])
    assert scenario.audience.members()

    page.goto(export)
    page.get_by_role("button", name=words["run"], exact=True).click()
    done(page)
    again = page.request.get(page.url.replace("/runs/", "/api/runs/")).json()["counts"]
    assert again["unchanged"] > 0
    assert again["created"] == again["updated"] == 0

    page.goto(f"{export}/remove")
    page.get_by_role("button", name=words["remove"]).click()
    page.wait_for_url("**/?done=removed")
    assert scenario.audience.members()
    # What the sign-in pages of others lack is not ours.
    assert [c for c in complaints if c.startswith((url, " "))] == []
    context.close()


def done(page: Page) -> None:
    """Wait for the end of a run; the script of the page polls and reloads."""
    page.wait_for_url("**/runs/*")
    page.locator("#progress:not([data-run])").wait_for(timeout=60_000)
