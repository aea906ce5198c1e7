// Keeps the statuses in the list of exports up to date while runs are active. Without this file, the list stays as it was loaded.
"use strict";

(() => {
  const announce = document.getElementById("announce");
  // A URL that is too long is refused. The other exports are requested when these runs are over.
  const MOST = 100;
  const activeStatuses = () => [...document.querySelectorAll("[data-active]")].slice(0, MOST);
  const nameOf = (status) => status.closest("tr").querySelector("th.name").textContent.trim();

  // Replaces an element if it differs. Of these elements, only the status contains a link, which may have the focus.
  const replace = (old, updated) => {
    if (old.outerHTML === updated.outerHTML) return;
    const hasFocus = old.contains(document.activeElement);
    old.replaceWith(document.adoptNode(updated));
    if (hasFocus) updated.querySelector("a").focus();
  };

  const show = (html) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    const ended = [];
    // These are still the exports of the request, because only this function changes which exports are active.
    for (const status of activeStatuses()) {
      const updated = page.getElementById(status.id);
      // The export was removed.
      if (!updated) {
        status.removeAttribute("data-active");
        continue;
      }
      if (!updated.hasAttribute("data-active")) ended.push(`${nameOf(status)}: ${updated.dataset.statusText}`);
      for (const part of ["progress", "last-run"]) {
        const id = `${part}-${status.dataset.export}`;
        replace(document.getElementById(id), page.getElementById(id));
      }
      replace(status, updated);
    }
    // Only the end of a run is announced, not each step.
    if (ended.length) announce.textContent = ended.join(". ");
  };

  if (!activeStatuses().length) return;
  const url = () => `/exports-progress?${new URLSearchParams(activeStatuses().map((status) => ["export", status.dataset.export]))}`;
  window.app.follow(url, async (response) => {
    show(await response.text());
    return activeStatuses().length > 0;
  }, 5000);
})();
