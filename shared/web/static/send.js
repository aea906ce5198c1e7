// Sends a form that changes something once, and only after the app has answered that this person may send it.
// Without this file, forms are sent at once (docs/decisions/0104-look-before-a-form-is-sent.md).
"use strict";

window.app = (() => {
  const [sessionEndedNote, notAllowedNote, noAnswerNote, workingNote] = ["session-ended", "not-allowed", "no-answer", "working"].map(
    (id) => document.getElementById(id),
  );
  const CHECK_TIMEOUT_MS = 20_000;
  // Azure answers a form within 230 seconds or not at all.
  const FORM_TIMEOUT_MS = 240_000;

  // Azure sends people whose session has ended to a sign-in page.
  const hasSessionEnded = (response) => response.type === "opaqueredirect" || response.status === 401;

  // Returns the sentence on the app's own error page. "" for other responses: Azure and proxies send a 403 for reasons of their own.
  const problemOf = async (response) => {
    if (response.status < 400 || response.status >= 500) return "";
    const page = new DOMParser().parseFromString(await response.text().catch(() => ""), "text/html");
    return page.getElementById("problem")?.textContent ?? "";
  };

  // Shows one note and hides the others. null hides all.
  const showNote = (note, moveFocus) => {
    for (const one of [sessionEndedNote, notAllowedNote, noAnswerNote]) one.hidden = one !== note;
    if (note && moveFocus) note.focus();
  };

  // Shows why the app did not do something. `response` is null if there was none.
  const showReason = async (response, moveFocus) => {
    if (response && hasSessionEnded(response)) return showNote(sessionEndedNote, moveFocus);
    const problem = response ? await problemOf(response) : "";
    if (problem) notAllowedNote.querySelector("span").textContent = problem;
    showNote(problem ? notAllowedNote : noAnswerNote, moveFocus);
  };

  // Returns whether a form can be sent to an address now, and shows why it cannot.
  const canSend = async (address, moveFocus) => {
    const check = `/session?form=${encodeURIComponent(new URL(address, location).pathname)}`;
    const response = await fetch(check, { redirect: "manual", signal: AbortSignal.timeout(CHECK_TIMEOUT_MS) }).catch(() => null);
    // A 204 can only come from the app, not from Azure or a proxy.
    if (response?.status !== 204) {
      await showReason(response, moveFocus);
      return false;
    }
    showNote(null, false);
    return true;
  };

  // Shows after a second that the app is working. Returns a function that hides this again.
  const showWorking = (button) => {
    const timer = setTimeout(() => {
      workingNote.textContent = workingNote.dataset.text;
    }, 1000);
    button?.setAttribute("aria-disabled", "true");
    return () => {
      clearTimeout(timer);
      workingNote.textContent = "";
      button?.removeAttribute("aria-disabled");
    };
  };

  let hideWorking = null; // set while a form is checked or sent
  let isChecked = false; // whether the next submit event may send the form
  let isSent = false; // whether the browser waits for the response to a form

  const unlock = () => {
    hideWorking?.();
    hideWorking = null;
    isSent = false;
  };

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.getAttribute("method") !== "post") return;
    if (isChecked) {
      isChecked = false;
      isSent = true;
      return;
    }
    event.preventDefault();
    // A second click, such as that of a double click, would send the form twice.
    if (hideWorking) return;
    if (window.app.hasOtherInput?.(form) && !confirm(workingNote.dataset.otherInput)) return;
    hideWorking = showWorking(event.submitter);
    const address = event.submitter?.getAttribute("formaction") || form.action;
    // What was typed would be lost in an ended session, or behind the browser's own page about a failed connection.
    if (!(await canSend(address, true))) return void unlock();
    isChecked = true;
    form.requestSubmit(event.submitter);
    // If a field became invalid meanwhile, the browser shows this and sends nothing.
    if (isChecked) {
      isChecked = false;
      return void unlock();
    }
    // Sending the form again could execute it twice, so it stays locked. If the page is still open after this time,
    // the person has stopped the request, and may try again.
    setTimeout(unlock, FORM_TIMEOUT_MS);
  });

  // The page as it was left, after the browser's back button.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) unlock();
  });

  // The session may have been renewed in another tab. The focus stays where the person types.
  document.addEventListener("visibilitychange", () => {
    const form = document.getElementById("export-form");
    if (!document.hidden && (!sessionEndedNote.hidden || form)) canSend(form?.action ?? location, false);
  });

  return { isSending: () => isSent, hasSessionEnded, problemOf, showNote, showReason, showWorking };
})();
