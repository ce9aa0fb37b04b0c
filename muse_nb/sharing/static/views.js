// Brings the views of a page to life; where one cannot be, its picture stays. Nothing is fetched.
const load = (number) => {
  if (!imported.has(number)) imported.set(number, import(URL.createObjectURL(new Blob([modules[number]], { type: "text/javascript" }))));
  return imported.get(number);
};

async function anywidget(m, el) {
  const found = (await load(m.get("_esm"))).default;
  const widget = typeof found === "function" ? await found() : found;
  if (m.get("_css")) el.append(make("style", m.get("_css")));
  const place = make("div"), note = make("p", "", { className: "note", role: "status" });
  el.append(place, note);
  (m.notes ??= []).push(note);
  const tools = { model: m, signal: new AbortController().signal, experimental: { invoke: async () => [null, []] } };
  await widget.initialize?.(tools);
  await widget.render?.({ ...tools, el: place });
}

async function children(m, el) {
  const all = m.get("children") || [], titles = m.get("titles") || [], folded = /Accordion/.test(m.name), tabs = /Tab/.test(m.name);
  if (/HBox/.test(m.name)) el.classList.add("hbox");
  if (/Grid/.test(m.name)) el.classList.add("grid");
  const places = all.map(() => make("div"));
  if (folded) for (const [i, place] of places.entries()) {
    const part = make("details", null, { open: i === m.get("selected_index") });
    part.append(make("summary", titles[i] || `part ${i + 1}`), place);
    el.append(part);
  } else if (tabs) {
    const bar = make("div", null, { className: "tabs", role: "tablist" });
    const show = () => places.forEach((place, i) => {
      place.hidden = i !== (m.get("selected_index") ?? 0);
      bar.children[i].setAttribute("aria-selected", String(!place.hidden));
    });
    bar.append(...places.map((_, i) => {
      const one = make("button", titles[i] || `part ${i + 1}`, { type: "button", role: "tab" });
      one.addEventListener("click", () => m.set("selected_index", i));
      return one;
    }));
    m.on("change:selected_index", show);
    el.append(bar, ...places);
    show();
  } else el.append(...places);
  for (const [i, place] of places.entries())
    await draw(model(all[i]), place).catch((error) => place.append(make("p", `${error.message}.`, { className: "note" })));
}

async function draw(m, el) {
  if (!m) return;
  if (m.get("_esm") != null) await anywidget(m, el);
  else if (m.get("children")) await children(m, el);
  else {
    const [, control] = CONTROLS.find(([name]) => name.test(m.name)) || [];
    if (control) el.append(control(m));
    else if (m.get("_options_labels")) el.append(choice(m));
    else if (m.get("value") != null && typeof m.get("value") !== "object") el.append(value(m));
    else throw new Error(`${m.name.replace(/Model$/, "")} is not known here`);
  }
}

for (const place of document.querySelectorAll("[data-widget]")) {
  const live = make("div", null, { className: "live" });
  place.append(live);
  place.classList.add("alive");  // a canvas has to know its size while it is drawn
  try {
    await draw(model(place.dataset.widget), live);
  } catch (error) {  // the picture stays
    live.remove();
    place.classList.remove("alive");
    place.append(make("p", `This view is a picture: ${error.message}.`, { className: "note" }));
  }
}
for (const id of Object.keys(states)) if (/LinkModel$/.test(states[id].model_name)) link(model(id));
document.documentElement.dataset.widgets = "ready";
