// The export form without reloading the page. Without this file its buttons load the page again.
"use strict";

(() => {
  const form = document.getElementById("export-form");
  if (!form) return;
  const announce = document.getElementById("announce");
  const ended = document.getElementById("session-ended");
  let edits = 0;
  let requests = 0;
  let queue = Promise.resolve();
  let isChecked = false; // whether a submit may pass

  const sessionEnded = () => {
    ended.hidden = false;
    ended.focus();
  };

  // Azure sends people whose session has ended to a sign-in page.
  const isEnded = (answer) => answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403;

  const search = () => {
    const box = document.getElementById("find-segment");
    if (!box) return;
    box.closest(".needs-script").hidden = false;
    const wanted = box.value.trim().toLocaleLowerCase();
    for (const row of document.querySelectorAll("#segments tbody tr")) {
      row.hidden = wanted !== "" && !row.textContent.toLocaleLowerCase().includes(wanted);
    }
  };

  const replaceParts = (html, moveFocus) => {
    const answer = new DOMParser().parseFromString(html, "text/html");
    const wanted = answer.querySelector("[data-part] [autofocus]");
    wanted?.removeAttribute("autofocus");
    const focused = document.activeElement && document.activeElement.id;
    const typed = document.getElementById("find-segment")?.value;
    const open = [...document.querySelectorAll("#matching details[open]")].map((one) => one.id);
    const scrolled = document.querySelector(".segments")?.scrollTop;
    for (const part of document.querySelectorAll("[data-part]")) {
      const next = answer.getElementById(part.id);
      if (next && next.innerHTML !== part.innerHTML) part.replaceWith(document.adoptNode(next));
    }
    if (typed) document.getElementById("find-segment").value = typed;
    if (scrolled) document.querySelector(".segments").scrollTop = scrolled;
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    search();
    const target = document.getElementById(moveFocus && wanted ? wanted.id : focused);
    if (target && target !== document.activeElement) target.focus();
    announce.textContent = form.dataset.updated;
  };

  const submit = (button) => {
    isChecked = true;
    form.requestSubmit(button);
    isChecked = false;
  };

  const send = async (action, moveFocus) => {
    const seen = edits;
    const body = new URLSearchParams(new FormData(form));
    body.set("do", action);
    const answer = await fetch(form.action, { method: "POST", body, redirect: "manual" });
    if (isEnded(answer)) return sessionEnded();
    if (!answer.ok) throw new Error(String(answer.status));
    const html = await answer.text();
    // What was typed meanwhile is newer than the answer. The server keeps nothing, so the action can be repeated.
    if (seen !== edits) return send(action, moveFocus);
    return replaceParts(html, moveFocus);
  };

  // One request at a time, in the order of the actions.
  const update = (action, moveFocus) => {
    const request = ++requests;
    queue = queue.then(async () => {
      // A later action reads everything that this one would.
      if (action === "look" && request !== requests) return;
      form.setAttribute("aria-busy", "true");
      try {
        await send(action, moveFocus);
      } catch {
        // Without scripts the button loads the page again, which also works now.
        if (moveFocus) submit(form.querySelector(`button[value="${action}"]`));
      } finally {
        form.removeAttribute("aria-busy");
      }
    });
    return queue;
  };

  const select = (all) => {
    for (const box of document.querySelectorAll("#segments tbody tr:not([hidden]) input[name=segment]")) box.checked = all;
    document.getElementById("segments").dispatchEvent(new Event("change", { bubbles: true }));
  };

  form.addEventListener("submit", async (event) => {
    if (isChecked) return;
    event.preventDefault();
    const button = event.submitter;
    if (button?.value === "selectAll" || button?.value === "selectNone") select(button.value === "selectAll");
    else if (button?.hasAttribute("data-partial")) await update(button.value, true);
    else {
      // A save in an ended session would lose what was typed.
      const answer = await fetch("/session", { redirect: "manual" }).catch(() => null);
      if (answer && isEnded(answer)) sessionEnded();
      else submit(button);
    }
  });

  form.addEventListener("input", (event) => {
    edits += 1;
    if (event.target.id === "find-segment") search();
  });
  form.addEventListener("keydown", (event) => {
    if (event.target.id === "find-segment" && event.key === "Enter") event.preventDefault();
  });
  form.addEventListener("change", (event) => {
    if (event.target.matches("[data-look], #matching select, #matching input, .schedule *")) update("look", false);
  });

  // Look again when the person comes back to the page.
  document.addEventListener("visibilitychange", async () => {
    if (document.hidden) return;
    const answer = await fetch("/session", { redirect: "manual" }).catch(() => null);
    if (!answer) return;
    if (isEnded(answer)) sessionEnded();
    else ended.hidden = true;
  });

  search();
})();
