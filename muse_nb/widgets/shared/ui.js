// Small pieces of interface that the viewers share. Text always goes through textContent: header text is not ours.

export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") element.className = value;
    else if (key === "style") element.style.cssText = value;
    else if (value !== undefined && value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat()) if (child !== null && child !== undefined) element.append(child);
  return element;
}

export function button(text, title, onclick) {
  return h("button", { type: "button", class: "mnb-button", title, "aria-label": title, onclick }, text);
}

export function group(label, ...children) {
  return h("div", { class: "mnb-group", role: "group", "aria-label": label }, ...children);
}

// A drop-down bound both ways to a trait. `options` is a function, so that a new list can be shown by refresh().
export function chooser(traits, name, label, options) {
  const select = h("select", { class: "mnb-select", title: label, "aria-label": label });
  const refresh = () => {
    select.replaceChildren(...options().map(([value, text]) => h("option", { value: String(value) }, text)));
    select.value = String(traits.get(name));
  };
  select.addEventListener("change", () => {
    const [value] = options()[select.selectedIndex];
    traits.set(name, value);
  });
  traits.watch(name, refresh);
  refresh();
  return Object.assign(select, { refresh });
}

export function toggle(traits, name, text, title) {
  const element = button(text, title, () => traits.set(name, !traits.get(name)));
  const refresh = () => element.setAttribute("aria-pressed", String(Boolean(traits.get(name))));
  traits.watch(name, refresh);
  refresh();
  return element;
}

// What only a kernel can do is greyed out where there is none, and says why.
export function needsKernel(model, ...elements) {
  if (model.alone) for (const element of elements) Object.assign(element, { disabled: true, title: "Needs the notebook: this page has no kernel" });
  return elements.length === 1 ? elements[0] : elements;
}

// One of few, side by side.
export function choice(traits, name, label, options) {
  const buttons = options.map(([value, text, title]) => button(text, title, () => traits.set(name, value)));
  const refresh = () => buttons.forEach((b, i) => b.setAttribute("aria-pressed", String(options[i][0] === traits.get(name))));
  traits.watch(name, refresh);
  refresh();
  return group(label, ...buttons);
}

// The model's traits, with every listener taken off again when the view goes.
export class Traits {
  constructor(model) {
    this.model = model;
    this.listeners = [];
  }
  get(name) { return this.model.get(name); }
  set(name, value) { this.model.set(name, value); this.model.save_changes(); }
  setAll(values) {
    for (const [name, value] of Object.entries(values)) this.model.set(name, value);
    this.model.save_changes();
  }
  watch(names, listener) { for (const name of names.split(" ")) this.on(`change:${name}`, listener); }
  on(event, listener) { this.model.on(event, listener); this.listeners.push([event, listener]); }
  send(content) { this.model.send(content); }
  close() { for (const [event, listener] of this.listeners) this.model.off(event, listener); }
}

// Keys of a viewer: [[keys, what it does, action]...]; "?" shows them all over the picture.
export function keyboard(root, stage, bindings) {
  root.tabIndex = 0;
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab's own keys must not fire while ours are meant
  const rows = bindings.filter(([, what]) => what).map(([keys, what]) => h("tr", {}, h("td", {}, ...keys.map((k) => h("kbd", {}, KEY_NAMES[k] ?? k))), h("td", {}, what)));
  const panel = h("div", { class: "mnb-help", hidden: true, role: "dialog", "aria-label": "Keys" },
    h("table", {}, ...rows), h("div", { class: "mnb-hint" }, "Wheel or pinch: zoom under the pointer. Drag: pan. ? or Esc closes this."));
  panel.addEventListener("click", () => { panel.hidden = true; });
  stage.append(panel);
  const showHelp = () => { panel.hidden = !panel.hidden; };
  root.addEventListener("keydown", (event) => {
    if (["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName)) { event.stopPropagation(); return; }
    if (event.altKey) return;
    const name = (event.ctrlKey || event.metaKey ? "Ctrl+" : "") + event.key;
    if (name === "?") showHelp();
    else if (name === "Escape" && !panel.hidden) panel.hidden = true;
    else {
      const found = bindings.find(([keys]) => keys.includes(name));
      if (!found) { if (!event.ctrlKey && !event.metaKey) event.stopPropagation(); return; }
      found[2](event);
    }
    event.preventDefault();
    event.stopPropagation();
  });
  return button("?", "All keys (?)", showHelp);
}
const KEY_NAMES = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", " ": "space", Escape: "Esc" };

// A line for what went wrong, filled by the kernel's `error` trait.
export function complaints(traits) {
  const line = h("div", { class: "mnb-error", role: "alert", hidden: true });
  const refresh = () => { line.textContent = traits.get("error"); line.hidden = !traits.get("error"); };
  line.title = "Click to dismiss";
  line.addEventListener("click", () => traits.set("error", ""));
  traits.watch("error", refresh);
  refresh();
  return line;
}

// Numbers with as many digits as carry meaning, with a true minus sign.
export function number(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  const text = size !== 0 && (size >= 1e6 || size < 1e-3) ? value.toExponential(digits - 1) : String(Number(value.toPrecision(digits)));
  return text.replace("-", "−");
}

export const bytes = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
// A typed array wants aligned memory; a slice of a message need not be.
export function as(Type, view) {
  const aligned = view.byteOffset % Type.BYTES_PER_ELEMENT === 0;
  return aligned ? new Type(view.buffer, view.byteOffset, view.byteLength / Type.BYTES_PER_ELEMENT) : new Type(bytes(view).slice().buffer);
}

// An action that waits for a pause: calls in between are one.
export function later(action, delay) {
  let timer = null;
  return () => { clearTimeout(timer); timer = setTimeout(action, delay); };
}
