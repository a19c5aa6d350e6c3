// regl without the compiler: it writes JavaScript functions and compiles them, which the page's content security policy forbids.
// They were compiled beforehand (scripts/make/precompiled_regl.py) and are found by the hash of their source.
import createRegl from "regl";
import precompiled from "../vendor/regl/precompiled.js";

const EXTENSIONS = ["OES_texture_float", "OES_element_index_uint", "WEBGL_color_buffer_float", "EXT_float_blend"];

/** The browser has no WebGL, or lacks features of it. */
export class NoWebGL extends Error {}

/** A regl on a canvas of its own, as regl-scatterplot's renderer takes it. @returns {{regl, canvas}} */
export function createDevice() {
  const canvas = document.createElement("canvas");
  const gl = canvas.getContext("webgl", { antialias: true, preserveDrawingBuffer: true });
  if (!gl) throw new NoWebGL("this browser has no WebGL, or it is turned off");
  if (!gl.getExtension("OES_texture_float")) throw new NoWebGL("this browser's WebGL has no float textures");
  listInOrder(gl, "getActiveUniform", gl.ACTIVE_UNIFORMS);
  listInOrder(gl, "getActiveAttrib", gl.ACTIVE_ATTRIBUTES);
  const extensions = EXTENSIONS.filter((name) => gl.getExtension(name));
  return { regl: createRegl({ gl, extensions, cachedCode: precompiled }), canvas };
}

/** regl's source follows the order in which the driver lists a program's variables: by name, it is the same with every driver. */
function listInOrder(gl, getter, count) {
  const original = gl[getter].bind(gl);
  const lists = new WeakMap();
  gl[getter] = (program, index) => {
    if (!lists.has(program)) {
      const list = Array.from({ length: gl.getProgramParameter(program, count) }, (_, i) => original(program, i));
      lists.set(program, list.sort((a, b) => (a.name < b.name ? -1 : 1)));
    }
    return lists.get(program)[index];
  };
}
