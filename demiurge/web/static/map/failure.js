// What is shown in place of the map if it cannot be drawn.
import { h } from "../lib.js";
import { addressWith } from "./address.js";
import { NoWebGL } from "./gl.js";

/** Show an error in place of an element of the page; nodes `otherwise` say what works without WebGL. */
export function explainFailure(error, element, ...otherwise) {
  console.warn(error);
  const explain = (title, ...text) => element?.replaceWith(h("section", { class: "message" }, h("h1", {}, title), ...text));
  if (error instanceof EvalError) {
    explain("The map needs to be compiled for this browser",
      h("p", {}, "Its drawing code was prepared for another browser or graphics driver. This one may make its own, for this page only."),
      h("p", {}, h("a", { class: "button primary", href: addressWith("compile", "1") }, "Compile it here")));
  } else if (error instanceof NoWebGL) {
    explain("The map cannot be drawn",
      h("p", {}, `It needs WebGL, and ${error.message}.`),
      h("p", {}, "Turn on hardware acceleration in the browser's settings, or open this page in another browser."), ...otherwise);
  } else {
    explain("The map cannot be shown", h("p", {}, error.message), h("p", {}, h("a", { class: "button", href: location.href }, "Try again")));
  }
}
