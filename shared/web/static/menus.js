// Menus of rows and reasons: Escape closes them, and so does a click or the focus elsewhere. Both open without this file.
"use strict";

(() => {
  const close = (menu) => {
    menu.open = false;
  };
  const closeOthers = (event) => {
    document.querySelectorAll("details.menu[open]").forEach((menu) => {
      if (!menu.contains(event.target)) close(menu);
    });
  };
  document.addEventListener("click", closeOthers);
  // An open menu would cover the buttons of the next rows, which have the focus next.
  document.addEventListener("focusin", closeOthers);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    document.querySelectorAll("details.menu[open]").forEach((menu) => {
      const inside = menu.contains(document.activeElement);
      close(menu);
      if (inside) menu.querySelector("summary").focus();
    });
    document.querySelectorAll(".tip").forEach((tip) => tip.classList.add("dismissed"));
  });
  const again = (event) => {
    const tip = event.target.closest?.(".tip");
    if (tip) tip.classList.remove("dismissed");
  };
  document.addEventListener("mouseover", again);
  document.addEventListener("focusin", again);
})();
