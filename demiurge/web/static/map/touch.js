// Touch: one finger moves the map or draws the lasso, two zoom. regl-scatterplot itself only handles mice.

/** Let fingers move `plot`; a mouse is left to regl-scatterplot. */
export function takeTouches(plot) {
  const fingers = new Map();
  const { canvas } = plot;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    fingers.set(event.pointerId, event);
    canvas.setPointerCapture(event.pointerId);
    if (plot.isLassoing && fingers.size === 1) pretend(canvas, "mousedown", event, 1);
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    if (fingers.size === 2) pinch(plot, fingers, before, event);
    else if (plot.isLassoing) pretend(canvas, "mousemove", event, 1);
    else plot.pan(event.clientX - before.clientX, event.clientY - before.clientY);
    fingers.set(event.pointerId, event);
  });
  const lift = (event) => {
    if (!fingers.delete(event.pointerId)) return;
    if (plot.isLassoing) pretend(canvas, "mouseup", event, 0);
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
}

function pinch(plot, fingers, before, now) {
  const [other] = [...fingers.values()].filter(({ pointerId }) => pointerId !== now.pointerId);
  const span = (finger) => Math.hypot(finger.clientX - other.clientX, finger.clientY - other.clientY);
  const { left, top } = plot.canvas.getBoundingClientRect();
  plot.pan((now.clientX - before.clientX) / 2, (now.clientY - before.clientY) / 2);
  plot.zoom(span(now) / Math.max(1, span(before)), (now.clientX + other.clientX) / 2 - left, (now.clientY + other.clientY) / 2 - top);
}

function pretend(canvas, type, { clientX, clientY }, buttons) {
  canvas.dispatchEvent(new MouseEvent(type, { clientX, clientY, buttons, bubbles: true, cancelable: true }));
}
