// Sends the forms that change something: once, and only if the app answers and the session has not ended.
// Without this file, forms are sent at once (docs/decisions/0104-look-before-a-form-is-sent.md).
"use strict";

window.app = (() => {
  const [ended, silent, waiting] = ["session-ended", "no-answer", "waiting"].map((id) => document.getElementById(id));
  const MOST_MILLISECONDS = 20_000;
  // Azure answers a form within 230 seconds or not at all.
  const MOST_MILLISECONDS_OF_A_FORM = 240_000;

  // Azure sends people whose session has ended to a sign-in page.
  const isEnded = (answer) => answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403;

  // Shows one of the two notes, or hides both.
  const show = (note, moveFocus) => {
    for (const one of [ended, silent]) one.hidden = one !== note;
    if (note && moveFocus) note.focus();
  };

  // Returns whether a form can be sent now, and shows why it cannot.
  const look = async (moveFocus) => {
    const answer = await fetch("/session", { redirect: "manual", signal: AbortSignal.timeout(MOST_MILLISECONDS) }).catch(() => null);
    // Any other answer is not from the app but from Azure or a proxy.
    const reason = answer?.status === 204 ? null : answer && isEnded(answer) ? ended : silent;
    show(reason, moveFocus);
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
  let isChecked = false; // whether the next submit may pass

  const end = () => {
    stop?.();
    stop = null;
  };

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.getAttribute("method") !== "post") return;
    if (isChecked) {
      isChecked = false;
      return;
    }
    event.preventDefault();
    // The second click of a double click, or a click on a page that waits, would add a second copy.
    if (stop) return;
    stop = wait(event.submitter);
    // What was typed would be lost in an ended session, or behind the browser's own page about a failed connection.
    if (!(await look(true))) return void end();
    isChecked = true;
    form.requestSubmit(event.submitter);
    // The browser sends nothing, and says why, if a field became invalid meanwhile.
    if (isChecked) {
      isChecked = false;
      return void end();
    }
    // Sending the form again could execute it twice, so it stays locked. If the page is still open after this time,
    // the person has stopped the request, and may try again.
    setTimeout(end, MOST_MILLISECONDS_OF_A_FORM);
  });

  // The page as it was left, after the browser's back button.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) end();
  });

  // The session may have been renewed in another tab. The focus stays where the person types.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && (!ended.hidden || document.getElementById("export-form"))) look(false);
  });

  return { ended, silent, isEnded, show, wait };
})();
