// The sum of the chosen segments. Everything works without this file.
"use strict";

(() => {
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
    const over = total > Number(sum.dataset.limit);
    sum.classList.toggle("warn", over);
    document.getElementById("over").hidden = !over;
  });
})();
