// Sends the forms that change something: once, and only if the app answers and the session has not ended.
// Without this file, forms are sent at once (docs/decisions/0104-look-before-a-form-is-sent.md).
"use strict";

window.app = (() => {
  const [ended, silent, waiting] = ["session-ended", "no-answer", "waiting"].map((id) => document.getElementById(id));
  const MOST_MILLISECONDS = 20_000;

  // Azure sends people whose session has ended to a sign-in page.
  const isEnded = (answer) => answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403;

  // Shows one of the two notes, or hides both.
  const show = (note, moveFocus = true) => {
    for (const one of [ended, silent]) one.hidden = one !== note;
    if (note && moveFocus) note.focus();
  };

  // Returns whether a form can be sent now, and shows why it cannot.
  const look = async () => {
    const answer = await fetch("/session", { redirect: "manual", signal: AbortSignal.timeout(MOST_MILLISECONDS) }).catch(() => null);
    const reason = !answer || answer.status >= 500 ? silent : isEnded(answer) ? ended : null;
    show(reason);
    return !reason;
  };

  // Says after a second that the app is working. Returns what ends that.
  const wait = (button) => {
    const timer = setTimeout(() => {
      waiting.textContent = waiting.dataset.text;
    }, 1000);
    button?.setAttribute("aria-disabled", "true");
    return () => {
      clearTimeout(timer);
      waiting.textContent = "";
      button?.removeAttribute("aria-disabled");
    };
  };

  let stop = null; // while a form is sent
  let isChecked = false; // whether a submit may pass

  const end = () => {
    stop?.();
    stop = null;
  };

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (isChecked || event.defaultPrevented || form.getAttribute("method") !== "post") return;
    event.preventDefault();
    // The second click of a double click, or a click on a page that waits, would add a second copy.
    if (stop) return;
    stop = wait(event.submitter);
    // What was typed would be lost in an ended session, or behind the browser's own page about a failed connection.
    if (!(await look())) return void end();
    isChecked = true;
    form.requestSubmit(event.submitter);
    isChecked = false;
    // A later click may try again what got no answer.
    setTimeout(end, MOST_MILLISECONDS);
  });

  // The page as it was left, after the browser's back button.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) end();
  });

  // The session may have been renewed in another tab.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && (!ended.hidden || document.getElementById("export-form"))) look();
  });

  return { ended, silent, isEnded, show, wait };
})();
