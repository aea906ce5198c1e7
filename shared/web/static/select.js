// Selects all exports of the list, or none. Without this file, each one is selected by its box.
"use strict";

(() => {
  const form = document.getElementById("chosen");
  if (!form) return;
  const boxes = [...form.elements].filter((box) => box.name === "export");
  for (const button of form.querySelectorAll("button[data-select]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      for (const box of boxes) box.checked = button.dataset.select === "all";
    });
  }
})();
