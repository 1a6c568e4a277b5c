// Follows the keyboard on an open page: what Tab has come to, and what was wrong with it there.
() => {
  const LOOK = ["outlineStyle", "outlineWidth", "outlineColor", "boxShadow", "backgroundColor", "color", "borderColor", "opacity"];
  const SIDES = [null, "::before", "::after"];
  // What stands for an element: a box that nobody sees has a label, or what follows it.
  const parts = (one) => [one, ...(one.labels || []), ...(one.matches("input") ? [one.nextElementSibling] : [])].filter(Boolean);
  const look = (one) => JSON.stringify([...parts(one), one.parentElement].map((part) => SIDES.map((side) => {
    const style = getComputedStyle(part, side);
    return LOOK.map((name) => style[name]);
  })));
  const visible = (one) => one.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const name = (one) => one.outerHTML.replace(/\s+/g, " ").slice(0, 160);

  function hidden(one) {
    for (const part of parts(one).filter(visible)) {
      for (const { left, right, top, bottom } of part.getClientRects()) {
        const x = (Math.max(0, left) + Math.min(innerWidth, right)) / 2, y = (Math.max(0, top) + Math.min(innerHeight, bottom)) / 2;
        const over = right - left > 1 && bottom - top > 1 && document.elementFromPoint(x, y);
        if (over && parts(one).some((other) => other.contains(over) || over.contains(other))) return false;
      }
    }
    return true;
  }

  const stops = new Set(), faults = [];
  let last = null, looked = "";
  function step() {
    const here = document.activeElement;
    if (here === last) return;
    if (last && last.isConnected && look(last) === looked) faults.push("looks as if the keyboard were elsewhere: " + name(last));
    last = here === document.body ? null : here;
    if (!last || stops.has(last)) {
      if (stops.size) walk.round = true;
      return;
    }
    stops.add(last);
    looked = look(last);
    if (hidden(last)) faults.push("the keyboard is where nobody sees it: " + name(last));
  }
  // Where the keyboard is, and whether what opens for it has opened.
  function place() {
    const here = document.activeElement, { x, y, width, height } = here.getBoundingClientRect();
    return [x, y, width, height, document.getElementById("__search")?.checked, name(here)].join();
  }
  const usable = (one) => one.tabIndex >= 0 && !one.disabled && one.checkVisibility({ visibilityProperty: true });
  // Of radio buttons Tab comes to one; the arrows to the others.
  const first = (one) => one.type !== "radio" || one === [...document.getElementsByName(one.name)].sort((a, b) => b.checked - a.checked)[0];
  function missed() {
    const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")];
    return all.filter((one) => usable(one) && first(one) && !stops.has(one)).map((one) => "Tab never comes to " + name(one));
  }
  const walk = window.walk = { step, place, round: false, said: () => [...faults, ...missed()] };
}
