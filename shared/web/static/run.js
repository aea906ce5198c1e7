// Shows the progress of an active run. Without this file, the page has a link that loads it again.
"use strict";

(() => {
  const section = document.getElementById("progress");
  // After the reload at the end of the run, screen readers read the outcome.
  if (location.hash === "#progress") section.focus();
  if (!section.dataset.run) return;
  const [ended, silent, announce] = ["progress-ended", "progress-silent", "announce"].map((id) => document.getElementById(id));
  let said = section.firstElementChild.dataset.say; // the status in the title of the page
  let failures = 0;

  const show = (html) => {
    section.innerHTML = html;
    const shown = section.firstElementChild;
    if (shown.dataset.status !== section.dataset.status) {
      announce.textContent = shown.dataset.say;
      document.title = document.title.replace(said, shown.dataset.say);
      said = shown.dataset.say;
    }
    section.dataset.status = shown.dataset.status;
  };

  // Returns whether to look again.
  const look = async () => {
    if (document.hidden) return true;
    try {
      const answer = await fetch(`/runs/${section.dataset.run}/progress`, { redirect: "manual" });
      if (window.app.isEnded(answer)) {
        ended.hidden = false;
        silent.hidden = true;
        return false;
      }
      if (answer.status === 204) {
        // A page that shows why an action was refused has the address of the action, which must not be sent again.
        history.replaceState(null, "", `/runs/${section.dataset.run}#progress`);
        location.reload();
        return false;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      show(await answer.text());
      failures = 0;
    } catch {
      failures += 1;
    }
    silent.hidden = failures < 2;
    return true;
  };

  const wait = (milliseconds) => setTimeout(async () => {
    if (await look()) wait(2000);
  }, milliseconds);
  wait(1000);
})();
