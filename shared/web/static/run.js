// Shows the progress of an active run. Without this file, the page has a link that loads it again.
"use strict";

(() => {
  const section = document.getElementById("progress");
  // After the reload at the end of the run, screen readers read the outcome.
  if (location.hash === "#progress") section.focus();
  if (!section.dataset.run) return;
  const announce = document.getElementById("announce");
  const page = `/runs/${section.dataset.run}`;
  let shownStatus = section.firstElementChild.dataset.statusText; // in the title of the page

  const show = (html) => {
    section.innerHTML = html;
    const progress = section.firstElementChild;
    if (progress.dataset.status !== section.dataset.status) {
      announce.textContent = progress.dataset.statusText;
      document.title = document.title.replace(shownStatus, progress.dataset.statusText);
      shownStatus = progress.dataset.statusText;
    }
    section.dataset.status = progress.dataset.status;
  };

  window.app.follow(() => `${page}/progress`, async (response) => {
    if (response.status === 204) {
      // A page that shows why an action was refused has the address of the action, which must not be sent again.
      history.replaceState(null, "", `${page}#progress`);
      location.reload();
      return false;
    }
    show(await response.text());
    return true;
  }, 2000);
})();
