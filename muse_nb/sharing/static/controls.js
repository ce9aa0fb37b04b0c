// Common controls drawn plainly: they change their models, and what is linked to these follows.
// Markup was cleaned when the page was made.
function bound(m, input, trait, property, convert = (value) => value) {
  const refresh = () => { input[property] = m.get(trait); };
  refresh();
  m.on("change:" + trait, refresh);
  input.disabled = Boolean(m.get("disabled"));
  input.addEventListener("input", () => m.set(trait, convert(input[property])));
  return input;
}
function labelled(m, ...inputs) {
  const row = make("label", null, { className: "control" });
  if (m.get("description")) row.append(make("span", m.get("description").replace(/<[^>]*>/g, "")));
  row.append(...inputs);
  return row;
}
function slider(m) {
  const output = make("output"), show = () => { output.textContent = m.get("value"); };
  show();
  m.on("change:value", show);
  const input = make("input", null, { type: "range", min: m.get("min"), max: m.get("max"), step: m.get("step") ?? "any" });
  return labelled(m, bound(m, input, "value", "value", Number), output);
}
function choice(m) {
  const select = make("select", null, { multiple: /Multiple/.test(m.name), size: /^Select(Multiple)?Model$/.test(m.name) ? m.get("rows") ?? 5 : 0 });
  select.append(...m.get("_options_labels").map((text, i) => make("option", text, { value: String(i) })));
  const refresh = () => {
    const chosen = [m.get("index")].flat();
    [...select.options].forEach((option, i) => { option.selected = chosen.includes(i); });
  };
  refresh();
  m.on("change:index", refresh);
  select.addEventListener("change", () => m.set("index", select.multiple ? [...select.selectedOptions].map((o) => o.index) : select.selectedIndex));
  return labelled(m, select);
}
function check(m) { return labelled(m, bound(m, make("input", null, { type: "checkbox" }), "value", "checked")); }
function toggle(m) {
  const button = make("button", m.get("description"), { type: "button" });
  const refresh = () => button.setAttribute("aria-pressed", String(Boolean(m.get("value"))));
  button.addEventListener("click", () => m.set("value", !m.get("value")));
  m.on("change:value", refresh);
  refresh();
  return button;
}
function field(m) {
  const number = /(Int|Float)Text/.test(m.name);
  const input = make(/Textarea/.test(m.name) ? "textarea" : "input", null, number ? { type: "number", step: "any" } : {});
  return labelled(m, bound(m, input, "value", "value", number ? Number : String));
}
function markup(m) {
  const place = make("div"), show = () => { place.innerHTML = m.get("value") || ""; };
  show();
  m.on("change:value", show);
  return place;
}
function label(m) {
  const place = make("div"), show = () => { place.textContent = m.get("value") ?? ""; };
  show();
  m.on("change:value", show);
  return labelled(m, place);
}
function progress(m) {
  return labelled(m, bound(m, make("progress", null, { max: m.get("max") - (m.get("min") || 0) || 1 }), "value", "value"));
}
function picture(m) {
  return make("img", null, { alt: "", src: URL.createObjectURL(new Blob([m.get("value")], { type: "image/" + m.get("format") })) });
}
function button(m) {
  return make("button", m.get("description"), { type: "button", disabled: true, title: "needs the notebook's kernel" });
}
function outputs(m) {
  const place = make("div");
  for (const output of m.get("outputs") || []) {
    const data = output.data || {};
    if (data["image/png"]) place.append(make("img", null, { alt: "figure", src: "data:image/png;base64," + data["image/png"] }));
    else if (data["text/html"]) place.insertAdjacentHTML("beforeend", data["text/html"]);
    else place.append(make("pre", [output.text ?? data["text/plain"] ?? output.evalue ?? ""].flat().join("")));
  }
  return place;
}
const value = (m) => labelled(m, make("output", [m.get("value")].flat().join(" – ")));
const CONTROLS = [
  [/RangeSlider|SelectionRange/, value], [/Slider|BoundedInt|Play/, (m) => (m.get("_options_labels") ? choice(m) : slider(m))],
  [/Progress/, progress], [/Checkbox|Valid/, check], [/ToggleButtonModel/, toggle], [/^(HTML|HTMLMath)Model$/, markup],
  [/^LabelModel$/, label], [/^ImageModel$/, picture], [/^ButtonModel$/, button], [/^OutputModel$/, outputs],
  [/^(Text|Textarea|Combobox|IntText|FloatText|BoundedFloatText)Model$/, field],
];
