// Progress of a run, and the sum of the chosen segments. Everything works without this file.
"use strict";

(() => {
  const language = document.documentElement.lang;
  const number = new Intl.NumberFormat(language);

  const set = (id, value) => {
    const element = document.getElementById(id);
    if (element) element.textContent = value;
  };

  const left = (seconds) => {
    const unit = seconds < 90 ? "second" : seconds < 5400 ? "minute" : "hour";
    const value = Math.max(1, Math.round(seconds / { second: 1, minute: 60, hour: 3600 }[unit]));
    return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" }).format(value);
  };

  const watch = (section) => {
    const look = async () => {
      try {
        const answer = await fetch(`/api/runs/${section.dataset.run}`, { headers: { "Accept-Language": language } });
        if (answer.ok) {
          const run = await answer.json();
          if (run.status !== section.dataset.status) {
            location.reload();
            return;
          }
          const bar = document.getElementById("bar");
          if (bar) bar.value = run.progress.percent;
          set("percent", number.format(run.progress.percent));
          set("done", number.format(run.progress.profilesDone));
          set("total", number.format(run.progress.profilesTotal));
          if (run.progress.secondsLeft !== null) set("left", left(run.progress.secondsLeft));
        }
      } catch {
        // The next look may succeed.
      }
      setTimeout(look, 2000);
    };
    setTimeout(look, 1000);
  };

  const progress = document.getElementById("progress");
  if (progress && progress.dataset.run) watch(progress);

  const segments = document.getElementById("segments");
  const sum = document.getElementById("sum");
  if (segments && sum) {
    segments.addEventListener("change", () => {
      const chosen = segments.querySelectorAll("input[name=segment]:checked");
      const total = [...chosen].reduce((all, box) => all + Number(box.dataset.members || 0), 0);
      set("total", number.format(total));
      const over = total > Number(sum.dataset.limit);
      sum.classList.toggle("warn", over);
      document.getElementById("over").hidden = !over;
    });
  }
})();
