// Warns before a page with unsaved input is left. The browser asks in its own words, and only people who have used the page.
// Without this file, pages are left at once.
"use strict";

(() => {
  const forms = [...document.querySelectorAll("form[data-unsaved]")];
  // A file is compared by its name and its size.
  const inputOf = (form) =>
    JSON.stringify([...new FormData(form)].map(([name, value]) => [name, value instanceof File ? [value.name, value.size] : value]));
  // Input that the app refused, and that the page shows again, is unsaved from the beginning.
  const saved = new Map(forms.map((form) => [form, form.dataset.unsaved ? "" : inputOf(form)]));
  const isUnchanged = (form) => inputOf(form) === saved.get(form);
  let discards = false; // whether the person follows a link that discards the input

  document.addEventListener("click", (event) => {
    discards = Boolean(event.target.closest?.("a[data-discards]"));
    // The form is sent, so that the page in the other language shows its input. If it is unchanged, that page has no unsaved input either.
    const language = event.target.closest?.("button[lang][formaction]");
    if (!language) return;
    const address = new URL(language.formAction);
    address.searchParams.delete("unchanged");
    if (isUnchanged(language.form)) address.searchParams.set("unchanged", "");
    language.setAttribute("formaction", address.pathname + address.search);
  });
  window.addEventListener("beforeunload", (event) => {
    if (discards || window.app.isSending() || forms.every(isUnchanged)) return;
    event.preventDefault();
    // Older browsers ask only with this.
    event.returnValue = true;
  });
})();
