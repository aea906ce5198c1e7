// Polls the progress of active runs, for the page of a run and the list of exports.
"use strict";

// `url` returns the URL to request. `show` gets each response, and returns whether to continue. While the tab is hidden, nothing is requested.
window.app.follow = (url, show, pauseMs) => {
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

  // Returns whether to continue.
  const poll = async () => {
    if (document.hidden) return true;
    try {
      const response = await fetch(url(), { redirect: "manual", signal: AbortSignal.timeout(TIMEOUT_MS) });
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

  const pollAfter = (milliseconds) => setTimeout(async () => {
    if (await poll()) pollAfter(pauseMs);
  }, milliseconds);
  pollAfter(1000);
};
