// regl comes as a classic script; modules import it by this name.
export default window.createREGL;
