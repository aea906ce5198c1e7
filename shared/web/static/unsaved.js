// Warns before unsaved input is lost. When a person leaves the page, for example through a link, the browser asks in its own words,
// but only if the person has clicked or typed on the page. When another form of the page is sent, send.js asks.
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

  // send.js asks before it sends a form, because the next page would lose the input of the others.
  window.app.hasOtherInput = (sent) => forms.some((form) => form !== sent && !isUnchanged(form));

  document.addEventListener("click", (event) => {
    const opensTab = event.ctrlKey || event.metaKey || event.shiftKey;
    discards = !opensTab && Boolean(event.target.closest?.("a[data-discards]"));
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
