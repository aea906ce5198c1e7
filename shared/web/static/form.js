// The export form without reloading the page. Without this file its buttons load the page again.
"use strict";

(() => {
  const form = document.getElementById("export-form");
  if (!form) return;
  const announce = document.getElementById("announce");
  const { showNote, showReason, showWorking } = window.app;
  let edits = 0;
  let requests = 0;
  let queue = Promise.resolve();

  const search = () => {
    const box = document.getElementById("find-segment");
    if (!box) return;
    box.closest(".needs-script").hidden = false;
    const wanted = box.value.trim().toLocaleLowerCase();
    let found = 0;
    for (const row of document.querySelectorAll("#segments tbody tr")) {
      row.hidden = wanted !== "" && !row.textContent.toLocaleLowerCase().includes(wanted);
      if (!row.hidden) found += 1;
    }
    const note = document.getElementById("found");
    note.textContent = wanted === "" ? "" : `${note.dataset.text} ${found}`;
  };

  const replaceParts = (html, moveFocus) => {
    const updated = new DOMParser().parseFromString(html, "text/html");
    if (!updated.getElementById(form.id)) throw new Error("not a page of the app");
    const wanted = updated.querySelector("[data-part] [autofocus]");
    wanted?.removeAttribute("autofocus");
    const focused = document.activeElement && document.activeElement.id;
    const typed = document.getElementById("find-segment")?.value;
    const open = [...document.querySelectorAll("#matching details[open]")].map((one) => one.id);
    const scrolled = document.querySelector(".segments")?.scrollTop;
    for (const part of document.querySelectorAll("[data-part]")) {
      const next = updated.getElementById(part.id);
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

  const send = async (action, moveFocus) => {
    const seen = edits;
    const body = new URLSearchParams(new FormData(form));
    body.set("do", action);
    const response = await fetch(form.action, { method: "POST", body, redirect: "manual" });
    // What was typed stays. The focus moves only after a button, not away from a field.
    if (!response.ok) return showReason(response, moveFocus);
    const html = await response.text();
    // What was typed meanwhile is newer than the response. The server keeps nothing, so the action can be repeated.
    if (seen !== edits) return send(action, moveFocus);
    replaceParts(html, moveFocus);
    showNote(null, false);
  };

  // One request at a time, in the order of the actions.
  const update = (action, moveFocus) => {
    const request = ++requests;
    queue = queue.then(async () => {
      // A later action reads everything that this one would.
      if (action === "look" && request !== requests) return;
      form.setAttribute("aria-busy", "true");
      const hideWorking = showWorking();
      try {
        await send(action, moveFocus);
      } catch {
        await showReason(null, moveFocus);
      } finally {
        hideWorking();
        form.removeAttribute("aria-busy");
      }
    });
    return queue;
  };

  const select = (all) => {
    for (const box of document.querySelectorAll("#segments tbody tr:not([hidden]) input[name=segment]")) box.checked = all;
    document.getElementById("segments").dispatchEvent(new Event("change", { bubbles: true }));
  };

  // send.js sends what is to be saved.
  form.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (!button?.hasAttribute("data-partial")) return;
    event.preventDefault();
    if (button.value === "selectAll" || button.value === "selectNone") select(button.value === "selectAll");
    else update(button.value, true);
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

  search();
})();
