// Warns before a page with unsaved input is left. The browser shows its own question, and only to people who have used the page.
// Without this file, pages are left at once.
"use strict";

(() => {
  const forms = [...document.querySelectorAll("form[data-unsaved]")];
  // A file is compared by its name and its size.
  const inputOf = (form) =>
    JSON.stringify([...new FormData(form)].map(([name, value]) => [name, value instanceof File ? [value.name, value.size] : value]));
  // The page may show input that the app has not accepted. Nothing else has to be changed for it to be lost.
  const saved = new Map(forms.map((form) => [form, form.dataset.unsaved ? "" : inputOf(form)]));
  let discards = false; // whether a link is followed that says that the input is discarded

  document.addEventListener("click", (event) => {
    discards = Boolean(event.target.closest?.("a[data-discards]"));
  });
  window.addEventListener("beforeunload", (event) => {
    if (discards || window.app.isSending() || forms.every((form) => inputOf(form) === saved.get(form))) return;
    event.preventDefault();
    // Older browsers ask only with this.
    event.returnValue = true;
  });
})();
