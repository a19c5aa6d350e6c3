// Icons of buttons, on a grid of 16 by 16.

import { h } from "./lib.js";

const FILLED = {
  play: "M4 2.5v11l9-5.5z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  stop: "M4 4h8v8H4z",
  within: "M1 3h2v10H1zM5 3.5v9l7-4.5zM13 3h2v10h-2z",
  undo: "M6 2v3h3a4.5 4.5 0 1 1 0 9H5v-2h4a2.5 2.5 0 1 0 0-5H6v3L1.5 6z",
  redo: "M10 2v3H7a4.5 4.5 0 1 0 0 9h4v-2H7a2.5 2.5 0 1 1 0-5h3v3l4.5-4z",
  locked: "M4.5 7V5a3.5 3.5 0 0 1 7 0v2H13v7H3V7zm2 0h3V5a1.5 1.5 0 0 0-3 0z",
  unlocked: "M4.5 7V5a3.5 3.5 0 0 1 6.8-1.2l-1.9.7A1.5 1.5 0 0 0 6.5 5v2H13v7H3V7z",
  minus: "M3 7h10v2H3z",
  plus: "M7 3h2v4h4v2H9v4H7V9H3V7h4z",
  follow: "M2 7h7V4l5 4-5 4V9H2z",
  repeat: "M4 3h7v-2l4 3-4 3V5H4v4H2V5a2 2 0 0 1 2-2zm8 10H5v2l-4-3 4-3v2h7V7h2v4a2 2 0 0 1-2 2z",
  remove: "M4 5h8l-.7 9H4.7zM6 1.5h4l.6 1.5H13v1.2H3V3h2.4z",
  dice: "M3 2h10a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1V3a1 1 0 0 1 1-1zm2 2v2h2V4zm4 0v2h2V4zM7 7v2h2V7zm-2 3v2h2v-2zm4 0v2h2v-2z",
  down: "M3 6h10l-5 5.5z",
};

const LINES = {
  cross: "m4 4 8 8m0-8-8 8",
  home: "M6 2.5H2.5V6m7.5-3.5h3.5V6M6 13.5H2.5V10m7.5 3.5h3.5V10",
  lasso: "M8 2.5c3.3 0 6 1.7 6 4s-2.7 4-6 4-6-1.7-6-4 2.7-4 6-4zM4.500 10c-.8 1.5.2 3.3 2 3.5",
  similar:
    "M7 8a1 1 0 1 1 2 0 1 1 0 1 1-2 0" + // and parts of a ring around it
    "M12.8 5.25a5.5 5.5 0 0 1 0 5.5M5.25 3.2a5.5 5.5 0 0 1 5.5 0M3.2 10.75a5.5 5.5 0 0 1 0-5.5M10.75 12.8a5.5 5.5 0 0 1-5.5 0",
};

/** Make an icon by its name; screen readers get the label of the button instead. @returns {SVGElement} */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("class", name in LINES ? "icon lines" : "icon");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", FILLED[name] ?? LINES[name]);
  path.setAttribute("fill-rule", "evenodd");
  svg.append(path);
  return svg;
}

/** Put an icon before the text of every element with data-icon. */
export function placeIcons() {
  for (const element of document.querySelectorAll("[data-icon]")) element.prepend(icon(element.dataset.icon));
}

/** Change the icon of an element. */
export function setIcon(element, name) {
  if (element.dataset.icon === name) return;
  element.dataset.icon = name;
  element.querySelector(".icon").replaceWith(icon(name));
}

/** Make a button with an icon; its name is a tooltip and for screen readers. */
export function iconButton(name, label, onclick, attributes = {}) {
  const button = { type: "button", class: "icon-button quiet", title: label, "aria-label": label, onclick };
  return h("button", { ...button, ...attributes }, icon(name));
}
