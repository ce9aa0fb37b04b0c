// Models of a page's widgets: they hold the state that the notebook saved, and there is no kernel behind them.
// This file and marks.js, controls.js, views.js are one script; see page.py.
const read = (id) => JSON.parse(document.querySelector(`script[id="${id}"]`)?.textContent || "{}");
const states = read("widget-states"), modules = read("widget-modules");
const models = new Map(), imported = new Map();

const make = (tag, text, properties = {}) => {
  const element = document.createElement(tag);
  if (text != null) element.textContent = text;
  for (const [name, value] of Object.entries(properties)) if (value != null) element[name] = value;
  return element;
};
const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);

// ---- models
class Model {
  constructor(id, entry) {
    this.id = id;
    this.alone = true; // what a viewer can ask: there is no kernel
    this.name = entry.model_name;
    this.state = entry.state;
    this.listeners = new Map();
    this.marks = { added: [] };
    for (const { path, data } of entry.buffers || []) {
      const at = path.slice(0, -1).reduce((value, key) => value[key], this.state);
      at[path.at(-1)] = bytes(data);
    }
    this.widget_manager = { get_model: async (key) => model(key) };
  }
  get(key) { return this.state[key]; }
  set(key, value) {
    const changes = typeof key === "object" ? key : { [key]: value };
    for (const [name, next] of Object.entries(changes)) {
      if (this.state[name] === next) continue;
      this.state[name] = next;
      this.trigger("change:" + name, this, next);
    }
    this.trigger("change", this);
  }
  save_changes() {}
  send(content) { asked(this, content); }
  on(names, callback) {
    for (const name of names.split(" ")) this.listeners.set(name, [...(this.listeners.get(name) || []), callback]);
  }
  once(names, callback) {
    const first = (...values) => { this.off(names, first); callback(...values); };
    this.on(names, first);
  }
  off(names, callback) {
    if (names == null) return this.listeners.clear();
    for (const name of names.split(" "))
      this.listeners.set(name, (this.listeners.get(name) || []).filter((c) => callback && c !== callback));
  }
  trigger(name, ...values) { for (const callback of this.listeners.get(name) || []) callback(...values); }
}

const model = (reference) => {
  const id = String(reference).replace("IPY_MODEL_", "");
  if (!models.has(id) && states[id]) models.set(id, new Model(id, states[id]));
  return models.get(id);
};

function link(one) {
  const [source, target] = [one.get("source"), one.get("target")];
  const join = ([from, name], [to, other]) => {
    const [a, b] = [model(from), model(to)];
    a?.on("change:" + name, () => b?.set(other, a.get(name)));
  };
  join(source, target);
  if (one.name === "LinkModel") join(target, source);
}
