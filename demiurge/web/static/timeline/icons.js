// Small drawings on buttons, on a grid of 16.

const PATHS = {
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
  fit: "M1 3h2v10H1zM13 3h2v10h-2zM4 8l3-3v2h2V5l3 3-3 3V9H7v2z",
  follow: "M2 7h7V4l5 4-5 4V9H2z",
  repeat: "M4 3h7v-2l4 3-4 3V5H4v4H2V5a2 2 0 0 1 2-2zm8 10H5v2l-4-3 4-3v2h7V7h2v4a2 2 0 0 1-2 2z",
  remove: "M4 5h8l-.7 9H4.7zM6 1.5h4l.6 1.5H13v1.2H3V3h2.4z",
  dice: "M3 2h10a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1V3a1 1 0 0 1 1-1zm2 2v2h2V4zm4 0v2h2V4zM7 7v2h2V7zm-2 3v2h2v-2zm4 0v2h2v-2z",
  down: "M3 6h10l-5 5.5z",
};

/** An icon; hidden from screen readers, which get the button's label. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  for (const [key, value] of Object.entries({ viewBox: "0 0 16 16", width: 14, height: 14, class: "icon", "aria-hidden": "true" })) {
    svg.setAttribute(key, value);
  }
  path.setAttribute("d", PATHS[name]);
  path.setAttribute("fill-rule", "evenodd");
  svg.append(path);
  return svg;
}

/** Put its icon before the text of every element with data-icon. */
export function placeIcons(root = document) {
  for (const element of root.querySelectorAll("[data-icon]")) element.prepend(icon(element.dataset.icon));
}

/** Change the icon of an element. */
export function setIcon(element, name) {
  if (element.dataset.icon === name) return;
  element.dataset.icon = name;
  element.querySelector(".icon").replaceWith(icon(name));
}
