// The part of the map's state that is in the page's address, so that it survives a reload and can be shared.

const query = new URLSearchParams(location.search);

/** @returns {string | null} */
export const recall = (name) => query.get(name);

/** Write a value in the address; null removes it. */
export function remember(name, value) {
  if (value === null) query.delete(name);
  else query.set(name, value);
  const rest = query.toString();
  history.replaceState(null, "", rest ? `?${rest}` : location.pathname);
}

/** This page's address with another value in it. */
export function addressWith(name, value) {
  const other = new URLSearchParams(query);
  other.set(name, value);
  return `?${other}`;
}
