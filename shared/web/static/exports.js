// Keeps the statuses in the list of exports up to date while runs are active. Without this file, the list is as it was when it was opened.
"use strict";

(() => {
  const announce = document.getElementById("announce");
  // The address must not become too long for a server. The others follow when these are over.
  const MOST = 100;
  const active = () => [...document.querySelectorAll("[data-active]")].slice(0, MOST);
  const nameOf = (state) => state.closest("tr").querySelector("th.name").textContent.trim();

  // Replaces an element if it differs. Only the status has something that can have the focus.
  const replace = (old, updated) => {
    if (old.outerHTML === updated.outerHTML) return;
    const hasFocus = old.contains(document.activeElement);
    old.replaceWith(document.adoptNode(updated));
    if (hasFocus) updated.querySelector("a").focus();
  };

  const show = (html, asked) => {
    const answer = new DOMParser().parseFromString(html, "text/html");
    const ended = [];
    for (const state of asked) {
      const updated = answer.getElementById(state.id);
      // The export was removed.
      if (!updated) {
        state.removeAttribute("data-active");
        continue;
      }
      if (!updated.hasAttribute("data-active")) ended.push(`${nameOf(state)}: ${updated.dataset.say}`);
      const id = state.dataset.export;
      for (const name of ["left", "last"]) replace(document.getElementById(`${name}-${id}`), answer.getElementById(`${name}-${id}`));
      replace(state, updated);
    }
    // Screen readers read what is over, and not each step.
    if (ended.length) announce.textContent = ended.join(". ");
  };

  if (!active().length) return;
  let asked;
  window.app.follow(() => {
    asked = active();
    return `/exports-progress?${new URLSearchParams(asked.map((state) => ["export", state.dataset.export]))}`;
  }, async (response) => {
    show(await response.text(), asked);
    return active().length > 0;
  }, 5000);
})();
