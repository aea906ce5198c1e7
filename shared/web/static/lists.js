// Keeps active runs up to date in the list of exports and in lists of runs. Without this file, a list stays as it was loaded.
"use strict";

(() => {
  const list = document.querySelector("table[data-progress]");
  const announce = document.getElementById("announce");
  // A URL that is too long is refused. The other runs are requested when these have ended.
  const MOST = 100;
  const activeStatuses = () => [...document.querySelectorAll("[data-active]")].slice(0, MOST);
  const nameOf = (status) => {
    const row = status.closest("tr");
    return (row.querySelector(".name") ?? row.querySelector("th")).textContent.trim();
  };

  // Replaces an element if it differs. Of these elements, only the status contains a link, which may have the focus.
  const replace = (old, updated) => {
    if (old.outerHTML === updated.outerHTML) return;
    const hasFocus = old.contains(document.activeElement);
    old.replaceWith(document.adoptNode(updated));
    if (hasFocus) updated.querySelector("a").focus();
  };

  // Shows the current state of active runs. Returns whether any of them has ended.
  const show = (html) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    const ended = [];
    // These are still the runs of the request, because only this function changes which runs are active.
    for (const status of activeStatuses()) {
      const updated = page.getElementById(status.id);
      // The export or the run was removed.
      if (!updated) status.removeAttribute("data-active");
      else if (!updated.hasAttribute("data-active")) ended.push(`${nameOf(status)}: ${updated.dataset.statusText}`);
    }
    for (const part of page.querySelectorAll("[data-part]")) replace(document.getElementById(part.id), part);
    // Only the end of a run is announced, not each step.
    if (ended.length) announce.textContent = ended.join(". ");
    return ended.length > 0;
  };

  const TIMEOUT_MS = 20_000;
  // Updates what the end of a run changes elsewhere on the page. A part with the focus stays as it is.
  const updateParts = async () => {
    const parts = [...document.querySelectorAll("[data-when-ended]")];
    if (!parts.length) return;
    const response = await fetch(location, { redirect: "manual", signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(() => null);
    if (!response?.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const part of parts) {
      const updated = page.getElementById(part.id);
      if (updated && !part.contains(document.activeElement)) replace(part, updated);
    }
  };

  if (!activeStatuses().length) return;
  const url = () => `${list.dataset.progress}?${activeStatuses().map((status) => status.dataset.active).join("&")}`;
  window.app.follow(url, async (response) => {
    if (show(await response.text())) await updateParts();
    return activeStatuses().length > 0;
  }, 5000);
})();
