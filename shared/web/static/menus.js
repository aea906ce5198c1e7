// Menus of rows and reasons: Escape closes them, and so does a click elsewhere. Both open without this file.
"use strict";

(() => {
  const close = (menu) => {
    menu.open = false;
  };
  document.addEventListener("click", (event) => {
    document.querySelectorAll("details.menu[open]").forEach((menu) => {
      if (!menu.contains(event.target)) close(menu);
    });
  });
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
