// Beside the image: regions and what is made of them, the line and its maps, numbers of a region, what can be saved.
import { button, chooser, group, h, number, toggle } from "../shared/ui.js";
import { Plot, trace } from "../shared/plot.js";

const HOWS = [["sum", "sum"], ["mean", "mean"], ["median", "median"], ["psf", "star, by its PSF"]];

// The list of regions; `act`: {choose, change, remove}.
export function regionList(traits, act, perSpaxel) {
  const list = h("div", { class: "mnb-regions" });
  const row = (shape) => {
    const mine = shape.id === traits.get("chosen");
    const name = h("input", { class: "mnb-name", value: shape.name, title: "Name", "aria-label": "Name of the region", maxlength: 24 });
    name.addEventListener("change", () => act.change({ ...shape, name: name.value }));
    const how = h("select", { class: "mnb-select", title: "What is made of its spaxels", "aria-label": "What is made of its spaxels" }, ...HOWS.map(([value, text]) => h("option", { value, selected: value === shape.how }, text)));
    how.addEventListener("change", () => act.change({ ...shape, how: how.value }));
    const ring = button("◌ sky", "Take off the median of a ring around it", () => act.change({ ...shape, ring: shape.ring.length ? [] : ringOf(shape, perSpaxel) }));
    ring.setAttribute("aria-pressed", String(shape.ring.length === 2));
    const radii = shape.ring.map((value, i) => {
      const input = h("input", { class: "mnb-number", type: "number", step: 0.2, min: 0.1, value: number(value, 4), "aria-label": i ? "Outer radius of the ring, arcsec" : "Inner radius of the ring, arcsec" });
      input.addEventListener("change", () => { const next = shape.ring.map((v, k) => (k === i ? Number(input.value) : v)); if (next[0] > 0 && next[0] < next[1]) act.change({ ...shape, ring: next }); else input.value = number(value, 4); });
      return input;
    });
    return h("div", { class: "mnb-region", "data-region": shape.id },
      h("button", { type: "button", class: "mnb-chip", "aria-current": String(mine), onclick: () => act.choose(mine ? 0 : shape.id) },
        h("span", { class: "mnb-swatch", style: `background:${/^#[0-9a-f]{6}$/i.test(shape.colour) ? shape.colour : "#888"}` }), h("span", {}, shape.name || String(shape.id)), h("span", { class: "mnb-count" }, shape.kind)),
      mine ? h("div", { class: "mnb-choices" }, name, how, ring, ...radii, shape.ring.length ? "″" : null, button("✕", "Remove the region (Delete)", () => act.remove(shape.id))) : null);
  };
  const refresh = () => {
    const shapes = traits.get("regions"), notes = traits.get("spectra").find((one) => one.id === traits.get("chosen") && one.id)?.notes ?? [];
    list.replaceChildren(h("div", { class: "mnb-heading" }, "Apertures"), ...shapes.map(row),
      ...(shapes.length ? [] : [h("div", { class: "mnb-hint" }, "Choose a shape above the image and drag it. A click keeps the spectrum of a spaxel.")]),
      ...notes.map((note) => h("div", { class: "mnb-hint" }, note)));
  };
  traits.watch("regions chosen spectra", refresh);
  refresh();
  return list;
}

function ringOf(shape, perSpaxel) {
  const r = Math.max(shape.a, shape.b, 1) * (perSpaxel || 1);
  return [Number((1.8 * r).toFixed(2)), Number((2.6 * r + 0.6 * (perSpaxel || 1)).toFixed(2))];
}

// The line: which, where, its maps, and its fit in the clicked spaxel.
export function linePanel(traits, cube) {
  const place = h("div", { class: "mnb-lines" }), fit = h("div", { class: "mnb-hint" }), bar = h("div", { class: "mnb-choices" }), maps = h("div", { class: "mnb-choices" });
  const z = h("input", { class: "mnb-number", type: "number", step: 0.0005, title: "Redshift; or drag a line's name above the spectrum", "aria-label": "Redshift" });
  const showZ = () => { z.value = String(Number(traits.get("redshift").toFixed(6))); };
  z.addEventListener("change", () => { if (Number.isFinite(Number(z.value))) traits.set("redshift", Number(z.value)); });
  traits.watch("redshift", showZ);
  showZ();
  const line = chooser(traits, "line", "Line", () => cube.lines.map(([name]) => [name, name]));
  const make = (method, text) => button(text, `Map the line in every spaxel, by ${method === "gauss" ? "Gaussian fits" : "moments"}`, () => traits.send({ type: "map", method }));
  const tell = () => {
    const [what, done, all] = traits.get("progress");
    bar.replaceChildren(...(what === undefined ? [make("gauss", "Gauss maps"), make("moments", "moment maps")] : [h("progress", { max: all || 1, value: done }), h("span", { class: "mnb-hint" }, what), button("Cancel", "Stop making the maps", () => traits.send({ type: "cancel" }))]));
  };
  const choices = () => {
    const now = traits.get("cube");
    maps.replaceChildren(...now.maps.filter((name) => !name.endsWith("_ERR")).map((name) => {
      const one = button(name.toLowerCase(), `Show the map of ${name.toLowerCase()}`, () => traits.setAll({ map: name, shown: "map" }));
      one.setAttribute("aria-pressed", String(traits.get("shown") === "map" && traits.get("map") === name));
      return one;
    }), ...(now.mapped ? [h("div", { class: "mnb-hint" }, now.mapped)] : []));
  };
  const fitted = () => {
    const { told, line: name } = traits.get("fitted"), pair = (key, unit) => `${number(told[key], 4)} ± ${number(told[`${key}_ERR`], 2)} ${unit}`;
    fit.textContent = !told ? "" : told.FLUX === null ? `${name}: no fit in this spaxel` : `${name} here: velocity ${pair("VELOCITY", "km/s")}, dispersion ${pair("DISPERSION", "km/s")}, flux ${pair("FLUX", `${cube.unit} Å`)}`;
  };
  traits.watch("progress", tell); traits.watch("cube shown map", choices); traits.watch("fitted", fitted);
  tell(); choices(); fitted();
  place.append(h("div", { class: "mnb-heading" }, "Lines"),
    h("div", { class: "mnb-choices" }, toggle(traits, "lines_shown", "lines", "Lines at the redshift (i)"), toggle(traits, "sky_shown", "night sky", "Lines of the night sky (y)"), line, h("label", { class: "mnb-hint" }, "z ", z)),
    bar, maps, fit);
  return place;
}

// Statistics of the chosen region, and the radial profile of a star.
export function numbersPanel(traits, perSpaxel) {
  const place = h("div", { class: "mnb-numbers" }), host = h("div", { class: "mnb-radial" }), plot = new Plot(host);
  const refresh = () => {
    const { statistics: s, unit, profile, note } = traits.get("told");
    host.hidden = !(profile?.value?.length > 2);
    const row = (name, text) => [h("span", { class: "mnb-key" }, name), h("span", {}, text)];
    const rows = !s ? [] : [...row("spaxels", number(s.spaxels, 5)), ...["sum", "mean", "median", "sigma", "min", "max"].flatMap((name) => row(name, number(s[name], 4)))];
    const width = profile?.fwhm ? `FWHM ${number(profile.fwhm * (perSpaxel || 1), 3)}${perSpaxel ? "″" : " spaxels"} (Moffat, β ${number(profile.beta, 2)}) at x ${number(profile.x + 1, 5)}, y ${number(profile.y + 1, 5)}` : profile ? "no star in it that a Moffat fits" : "";
    place.replaceChildren(...(s || note ? [h("div", { class: "mnb-heading" }, "In the image"), note ? h("div", { class: "mnb-hint" }, note) : h("div", { class: "mnb-table" }, ...rows), s ? h("div", { class: "mnb-hint" }, unit) : null, h("div", {}, width), host].filter(Boolean) : []));
    if (!host.hidden) plot.draw((p) => {
      const radius = profile.radius.map((v) => v * (perSpaxel || 1)), values = profile.value.map((v) => v ?? NaN), good = values.filter(Number.isFinite), low = Math.min(...good), high = Math.max(...good), room = 0.1 * (high - low) || 1;
      const { context, sx, sy } = p.axes({ x: [0, Math.max(...radius)], y: [low - room, high + room], xlabel: perSpaxel ? "radius [″]" : "radius [spaxel]", left: 44, bottom: 32 });
      trace(context, radius, values, sx, sy, p.accent, 1.6);
    });
  };
  traits.watch("told", refresh);
  refresh();
  return { element: place, close: () => plot.close() };
}

// What can be taken away: pictures by the browser, files by the kernel.
export function savePanel(traits, pictures) {
  const said = h("div", { class: "mnb-hint", role: "status" }), ask = (what) => () => traits.send({ type: "save", what });
  const tell = () => { said.textContent = traits.get("said"); };
  traits.watch("said", tell);
  tell();
  const alone = traits.model.alone;
  const files = alone ? [] : [button("image", "The image that is shown, FITS with its WCS", ask("image")), button("maps", "The maps of the line, FITS", ask("maps")),
    button("spectrum", "The spectrum of the chosen region, FITS for mpdaf and specutils", ask("spectrum")), button("table", "The spectrum as a table, ECSV", ask("table")), button("regions", "All regions, for ds9", ask("regions"))];
  return h("div", {}, h("div", { class: "mnb-heading" }, "Save"), h("div", { class: "mnb-choices" }, button("PNG", "A picture of the image and the spectrum", pictures.png), button("SVG", "The same, its lines as lines", pictures.svg), ...files), said);
}
