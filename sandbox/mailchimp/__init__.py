"""A Mailchimp Marketing API on this machine: as strict as the real one, with faults that can be injected.

    from sandbox.mailchimp import Fault, Options, Sandbox

    with Sandbox(Options(language="de")) as sandbox:
        audience = sandbox.audience("Newsletter")
        audience.add("ada@example.com", status="unsubscribed", cause="self")
        sandbox.arm(Fault(kind="429", times=3))
        ...                                   # talk to sandbox.api_url with sandbox.api_key
        audience.members()["ada@example.com"].status
        sandbox.calls.count("POST", "/lists/{list_id}")

From a shell: `python -m sandbox.mailchimp --port 8055 --seed demo`.
"""

from sandbox.mailchimp.faults import Fault
from sandbox.mailchimp.options import Options
from sandbox.mailchimp.sandbox import Sandbox
from sandbox.mailchimp.view import AudienceView, MemberView

__all__ = ["AudienceView", "Fault", "MemberView", "Options", "Sandbox"]
