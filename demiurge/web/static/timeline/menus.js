// Small panels under their buttons: <button popovertarget="…">.

import { byId } from "../lib.js";

/** Place each panel under its button as it opens, within the window. */
export function listenToMenus() {
  for (const button of document.querySelectorAll("[popovertarget]")) {
    const menu = byId(button.getAttribute("popovertarget"));
    button.setAttribute("aria-expanded", "false");
    menu.addEventListener("click", (event) => event.target.closest("a") && menu.hidePopover());
    menu.addEventListener("toggle", (event) => {
      button.setAttribute("aria-expanded", String(event.newState === "open"));
      if (event.newState === "open") place(menu, button);
    });
  }
}

function place(menu, button) {
  const box = button.getBoundingClientRect();
  menu.style.top = `${box.bottom + 4}px`;
  menu.style.left = `${Math.max(8, Math.min(box.right - menu.offsetWidth, innerWidth - menu.offsetWidth - 8))}px`;
  menu.querySelector("input, a, button:not(:disabled)")?.focus();
}
