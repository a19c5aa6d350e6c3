// The small drawings on buttons; map.html has them as symbols.

/** A button with a drawing, named for screen readers and as a tooltip. */
export function iconButton(name, label, onclick, attributes = {}) {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", title: label, onclick, className: "icon-button quiet" });
  button.setAttribute("aria-label", label);
  for (const [key, value] of Object.entries(attributes)) button.setAttribute(key, value);
  button.append(icon(name));
  return button;
}

/** @returns {SVGElement} */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.classList.add("icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** Let a button show another drawing and name. */
export function relabel(button, name, label) {
  button.replaceChildren(icon(name));
  button.title = label;
  button.setAttribute("aria-label", label);
}
