// Asks for the progress of active runs again and again. The page of a run and the list of exports use it.
"use strict";

// `address` returns what to ask for. `show` gets each response, and returns whether to go on. Nothing is asked while the tab is hidden.
window.app.follow = (address, show, pauseMs) => {
  const [sessionEndedNote, notAllowedNote, noAnswerNote] = ["progress-session-ended", "progress-not-allowed", "progress-no-answer"].map((id) =>
    document.getElementById(id),
  );
  const { hasSessionEnded, problemOf } = window.app;
  const TIMEOUT_MS = 20_000;
  let failures = 0;

  const stopWith = (note) => {
    note.hidden = false;
    noAnswerNote.hidden = true;
    return false;
  };

  // Returns whether to ask again.
  const ask = async () => {
    if (document.hidden) return true;
    try {
      const response = await fetch(address(), { redirect: "manual", signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (hasSessionEnded(response)) return stopWith(sessionEndedNote);
      const problem = await problemOf(response);
      if (problem) {
        notAllowedNote.querySelector("span").textContent = problem;
        return stopWith(notAllowedNote);
      }
      if (!response.ok) throw new Error(String(response.status));
      failures = 0;
      noAnswerNote.hidden = true;
      return await show(response);
    } catch {
      failures += 1;
    }
    noAnswerNote.hidden = failures < 2;
    return true;
  };

  const askLater = (milliseconds) => setTimeout(async () => {
    if (await ask()) askLater(pauseMs);
  }, milliseconds);
  askLater(1000);
};
