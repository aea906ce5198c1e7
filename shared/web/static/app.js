// Keeps the time zone of the browser, and shows how many segments are chosen and how many members they have.
// Everything works without this file.
"use strict";

(() => {
  // A schedule that no one has set yet begins with the time zone of the browser.
  const zone = document.querySelector("input[data-zone-of-browser]");
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && here) zone.value = here;
  // Until the refresh schedule is set, pages show times in this zone.
  const secure = location.protocol === "https:" ? "; secure" : "";
  if (here) document.cookie = `zone=${here}; path=/; max-age=31536000; samesite=lax${secure}`;

  const language = document.documentElement.lang;
  const number = new Intl.NumberFormat(language);

  const set = (id, value) => {
    const element = document.getElementById(id);
    if (element) element.textContent = value;
  };

  // The form replaces its parts, so the elements are looked up again.
  document.addEventListener("change", (event) => {
    const segments = event.target.closest?.("#segments");
    const sum = document.getElementById("sum");
    if (!segments || !sum) return;
    const chosen = segments.querySelectorAll("input[name=segment]:checked");
    const total = [...chosen].reduce((all, box) => all + Number(box.dataset.members || 0), 0);
    set("total", number.format(total));
    set("chosen", number.format(chosen.length));
    const count = document.getElementById("count");
    count.classList.toggle("warn", chosen.length > Number(count.dataset.limit));
    const over = total > Number(sum.dataset.limit);
    sum.classList.toggle("warn", over);
    document.getElementById("over").hidden = !over;
  });
})();
